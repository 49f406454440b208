"""The kinds of models that break freezing, by name, `REFUSED` are to be refused."""

from __future__ import annotations

from tests.oracle import freeze_models_keras, freeze_models_tf2, freeze_models_v1
from tests.oracle.freeze_builders import BUILDERS, REFUSED

__all__ = ["BUILDERS", "FILES", "REFUSED"]

FILES = (freeze_models_tf2, freeze_models_keras, freeze_models_v1)  # each enters its own when it is imported
