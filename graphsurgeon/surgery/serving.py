"""Refuse what TensorFlow Serving would not serve."""

from __future__ import annotations

from graphsurgeon.analysis.serving import METHODS, serving_problems
from graphsurgeon.errors import UsageError
from graphsurgeon.model.metagraph import Signature

__all__ = ["METHODS", "check_method"]


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
