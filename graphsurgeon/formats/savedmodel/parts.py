"""The names of what lies in a SavedModel's folder. Source: `tensorflow/cc/saved_model/constants.h`, Keras, TF Hub."""

from __future__ import annotations

BINARY = "saved_model.pb"
TEXT = "saved_model.pbtxt"
CHUNKED = "saved_model.cpb"  # the message in riegeli records
VARIABLES = "variables"  # folder of the checkpoint, and the prefix of its files
ASSETS = "assets"
ASSETS_EXTRA = "assets.extra"
DEBUG = "debug"  # folder with the source lines of nodes
FINGERPRINT = "fingerprint.pb"
KERAS_METADATA = "keras_metadata.pb"
HUB_MODULE = "tfhub_module.pb"

ENTRIES = (BINARY, TEXT)  # one of them makes a folder a SavedModel
MESSAGES = (*ENTRIES, CHUNKED)
# Everything that belongs to one; a folder with anything else is not replaced, and the rest not copied.
PARTS = frozenset((*MESSAGES, VARIABLES, ASSETS, ASSETS_EXTRA, DEBUG, FINGERPRINT, KERAS_METADATA, HUB_MODULE))
