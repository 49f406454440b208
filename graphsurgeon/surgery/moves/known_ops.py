"""Whose ops an operation is about to change. What is known of ops holds in one vocabulary, and is wrong in another."""

from __future__ import annotations

from graphsurgeon.model.format import TENSORFLOW, TFLITE
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model


def is_tflite(model: Model, metagraph: MetaGraph, command: str) -> bool:
    """Say whether a MetaGraph has TFLite's operators; False for ops of TensorFlow.

    Raises:
        UnsupportedError: it has those of another framework.
    """
    if metagraph.vocabulary not in (TENSORFLOW, TFLITE):
        what = f"has ops of its own framework, which gs {command} does not change"
        raise model.traits.refuse(what, hint=model.traits.edit_with).at(model.path)
    return metagraph.vocabulary == TFLITE
