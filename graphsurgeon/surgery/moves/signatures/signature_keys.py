"""Refuse what TensorFlow Serving would not serve."""

from __future__ import annotations

from graphsurgeon.analysis.interface.serving import METHODS, serving_problems
from graphsurgeon.errors import UsageError
from graphsurgeon.model.metagraph import Signature
from graphsurgeon.model.objects import is_parameter

__all__ = ["METHODS", "check_method", "signature_key", "tensor_key"]


def check_method(signature: Signature) -> None:
    """Refuse a signature that the server would not serve by its method.

    Raises:
        UsageError: with the first rule that is broken.
    """
    problems = serving_problems(signature)
    if problems:
        raise UsageError(
            f"signature {signature.key!r}: {problems[0]}", hint="choose other entries, or --method predict"
        )


def signature_key(name: str, *, fallback: str = "input") -> str:
    """Return the key that a node's name gives: its last part, as far as every loader takes it.

    Args:
        name: of a node.
        fallback: what stands before a key that would not begin with a letter.
    """
    last = name.rpartition("/")[2]
    key = "".join(c if c.isalnum() and c.isascii() else "_" for c in last)
    key = key if key[:1].isalpha() else f"{fallback}_{key}"
    return key if is_parameter(key) else f"{key}_"


def tensor_key(tensor: str) -> str:
    """Return the key that a tensor's name gives: that of its node, without the number of the output."""
    return signature_key(tensor.partition(":")[0], fallback="tensor")
