"""Ops computed on numpy, for constant folding: only those that give the bits that TensorFlow gives on every machine.

Which ops those are was measured, and `tests/oracle/test_kernels.py` holds it against TensorFlow. Exp, Log, Rsqrt,
Tanh, Sigmoid, Pow, sums of many floats and products of matrices are not among them: TensorFlow itself gives other
bits for the same number alone and within a vector. Ops that read files or run Python are not either, although they
are not marked stateful.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from graphsurgeon.model.graph import AttrValue
from graphsurgeon.ops import catalog

if TYPE_CHECKING:
    from graphsurgeon.model.graph import Node

Kernel: TypeAlias = Callable[["Attrs", Sequence[Any]], Any]


class Attrs:
    """Attributes of a node, with the defaults of its op."""

    __slots__ = ("node",)

    def __init__(self, node: Node) -> None:
        self.node = node

    def __getitem__(self, name: str) -> Any:
        value: AttrValue = self.node.attrs.get(name)
        definition = catalog.of(self.node)
        return definition.attr({}, name) if value is None and definition is not None else value


def kernels() -> Mapping[str, Kernel]:
    """Return the function of each op; it takes attributes and input arrays, and returns an array or a list of them."""
    from graphsurgeon.kernels.arrays import ARRAYS
    from graphsurgeon.kernels.numbers import NUMBERS

    return {**ARRAYS, **NUMBERS}


def compute(node: Node, inputs: Sequence[Any], *, close: bool = False) -> list[Any] | None:
    """Return the outputs of a node for some inputs; None if it has no kernel, or these have no sure answer.

    Denormal numbers have none: TensorFlow takes them for 0 in some kernels and not in others.

    Args:
        node: says op and attributes.
        inputs: an array for each of its inputs.
        close: also by kernels whose last bits may differ (`CLOSE`).
    """
    import numpy as np

    kernel = kernels().get(node.op) if not close else CLOSE.get(node.op)
    if kernel is None or any(map(_is_denormal, inputs)):
        return None
    try:
        with np.errstate(all="ignore"):
            result = kernel(Attrs(node), inputs)
    except (ValueError, TypeError, IndexError, ArithmeticError, KeyError, MemoryError, OverflowError):
        return None
    outputs = [_array(one) for one in (result if isinstance(result, list) else [result])]
    return None if any(one is None or _is_denormal(one) for one in outputs) else outputs


def _array(result: Any) -> Any:
    """Return what a kernel gives as an array; an element of an array of strings is bytes."""
    import numpy as np

    if result is None:
        return None
    array = np.empty((), dtype=object) if isinstance(result, bytes) else np.asarray(result)
    if isinstance(result, bytes):
        array[()] = result
    return array


def _rsqrt(attrs: Attrs, inputs: Sequence[Any]) -> Any:
    import numpy as np

    if inputs[0].dtype.kind != "f":
        raise TypeError("no floats")
    return (1 / np.sqrt(inputs[0].astype(np.float64))).astype(inputs[0].dtype)


# Op -> kernel that is right to the last bit or two: TensorFlow's own answer depends on processor and place.
CLOSE: Mapping[str, Kernel] = {"Rsqrt": _rsqrt}


def _is_denormal(array: Any) -> bool:
    import numpy as np

    if array.dtype.kind != "f" or not array.size:
        return False
    tiny = np.finfo(array.dtype).tiny
    return bool(np.any((array != 0) & (np.abs(array) < tiny)))
