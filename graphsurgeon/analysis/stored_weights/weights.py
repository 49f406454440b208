"""Every weight of a model: variables of its checkpoint and constants of its graphs, and what their values are like.

Listing reads no values. `checksum` and `statistics` stream them, block by block; only statistics need numpy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from graphsurgeon.analysis.stored_weights.variables import named_variables
from graphsurgeon.analysis.stored_weights.weight_totals import FEW_ELEMENTS, stored_bytes
from graphsurgeon.analysis.tensors import quantization
from graphsurgeon.errors import FormatError
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Graph
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.model.quantization import Quantization
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

WeightKind = Literal["variable", "constant", "slot", "internal"]
Progress = Callable[[int, int], None]

MOST_REPEATED = 1 << 34  # bytes that one command makes of values that are stored once and repeated
_MOST_TIMES = 64  # and of each stored byte: 2-bit values widened to 8 bytes are 32


@dataclass(frozen=True)
class Statistics:
    """What the elements of a tensor are like.

    Attributes:
        min, max, mean, std: over the finite elements, of complex numbers over their magnitudes; None if there are none.
        zeros, nan, inf: numbers of elements.
    """

    min: float | int | None
    max: float | int | None
    mean: float | None
    std: float | None
    zeros: int
    nan: int
    inf: int


@dataclass(frozen=True)
class Weight:
    """A variable or constant.

    Attributes:
        name: key in the checkpoint; name of the Const node; stored name of the TFLite tensor.
        variable: name of the variable behind a key, None if nothing says it, and for constants.
        graph: the function or subgraph of a constant, empty for the main graph and for variables.
        bytes: of all elements; of strings, packed and sparse constants as stored.
        kind: "slot" is kept by an optimizer; "internal" is an entry that is no variable.
        index, quantization: TFLite.
        tensor: the values.
    """

    name: str
    variable: str | None
    graph: str
    dtype: DType
    shape: Shape
    bytes: int
    kind: WeightKind
    tensor: Tensor = field(repr=False, compare=False, metadata={"json": False})
    index: int | None = None
    quantization: Quantization | None = None

    @property
    def label(self) -> str:
        """The name of the variable where it is known, else the name in the file."""
        return self.variable or self.name


def list_weights(
    model: Model,
    metagraphs: Sequence[MetaGraph],
    graphs: Callable[[MetaGraph], Sequence[Graph]],
    *,
    small: bool = False,
) -> list[Weight]:
    """Return variables, then constants, in file order. Reads no values.

    Args:
        model: any model.
        metagraphs: whose constants are listed.
        graphs: the graphs of a MetaGraph that are looked into.
        small: list constants of fewer than 16 elements too.
    """
    found = list(_variables(model))
    for metagraph in metagraphs:
        for graph in graphs(metagraph):
            constants = _stored if graph.kind == "subgraph" else _constants
            found += [weight for weight in constants(graph) if small or not is_small(weight)]
    return found


def is_small(weight: Weight) -> bool:
    """Say whether a weight is a constant of so few elements that it is a size or an axis rather than a weight."""
    return weight.kind == "constant" and weight.tensor.num_elements < FEW_ELEMENTS


class Allowance:
    """How many bytes of values may be read in all: many small constants may each claim a large shape.

    Attributes:
        left: bytes.
    """

    def __init__(self, stored: int) -> None:
        """Allow for what files of `stored` bytes hold, with what is unpacked or repeated."""
        self.left = MOST_REPEATED + _MOST_TIMES * stored

    def take(self, amount: int) -> None:
        """Count bytes.

        Raises:
            FormatError: they are more than are left; from then on none are.
        """
        self.left -= amount
        if self.left < 0:
            raise FormatError(
                "the weights claim far more bytes than the files hold", hint="read single ones, with gs weights --match"
            )


def checksum(tensor: Tensor, allowance: Allowance | None = None) -> str:
    """Return the SHA-256 of the row-major little-endian bytes (of strings: one behind the other). Reads the values.

    Raises:
        FormatError: the values cannot be read, or are more than is allowed.
    """
    import hashlib

    digest = hashlib.sha256()
    for chunk in tensor.chunks():
        if allowance is not None:
            allowance.take(len(chunk))
        digest.update(chunk)
    return digest.hexdigest()


def statistics(tensor: Tensor, allowance: Allowance | None = None) -> Statistics | None:
    """Return what the elements are like, None for those that are no numbers. Reads the values, block by block."""
    if not tensor.dtype.bits:
        return None
    total = _Running()
    for array in numbers(tensor):
        if allowance is not None:
            allowance.take(array.nbytes)
        total.add(array)
    return total.result()


def numbers(tensor: Tensor, *, checked: bool = False) -> Iterator[np.ndarray[Any, Any]]:
    """Yield the elements as flat arrays, block by block, types that numpy lacks widened. Reads the values.

    Args:
        tensor: whose elements.
        checked: compare them with the checksum of the file; see `Tensor.checked_chunks`.
    """
    from graphsurgeon.model import numeric

    rest = b""
    for chunk in tensor.checked_chunks() if checked else tensor.chunks():
        data = rest + chunk
        whole = len(data) - len(data) % tensor.dtype.itemsize
        rest = data[whole:]
        yield numeric.to_numpy(tensor.dtype, data[:whole])


def _variables(model: Model) -> Iterator[Weight]:
    if model.checkpoint is None:
        return
    for named in named_variables(model.checkpoint, model):
        tensor = named.variable.tensor
        yield Weight(named.key, named.name, "", tensor.dtype, tensor.shape, tensor.nbytes, named.kind, tensor)


def _place(graph: Graph) -> str:
    return "" if graph is graph.metagraph.graph else graph.name


def _constants(graph: Graph) -> Iterator[Weight]:
    for node in graph.peek(("Const",)):
        tensor = node.attrs.get("value")
        if isinstance(tensor, Tensor):
            yield Weight(node.name, None, _place(graph), tensor.dtype, tensor.shape, tensor.nbytes, "constant", tensor)


def _stored(graph: Graph) -> Iterator[Weight]:
    for index, value in enumerate(graph.values):
        tensor = value.tensor
        if tensor is not None:
            size = stored_bytes(tensor)
            yield Weight(
                value.name or "", None, _place(graph), tensor.dtype, tensor.shape, size, "constant", tensor,
                index if isinstance(value.port, int) else None, quantization(value),
            )  # fmt: skip


class _Running:
    """Mean and variance of blocks, merged by the formula of Chan, Golub and LeVeque, which loses no digits."""

    def __init__(self) -> None:
        self.count = self.zeros = self.nan = self.inf = 0
        self.mean = self.squares = 0.0
        self.least: float | int | None = None
        self.most: float | int | None = None

    def add(self, array: np.ndarray[Any, Any]) -> None:
        import numpy as np

        self.zeros += int(array.size - np.count_nonzero(array))
        if array.dtype.kind in "cb":
            array = np.abs(array) if array.dtype.kind == "c" else array.view("u1")
        if array.dtype.kind == "f":
            finite = np.isfinite(array)
            nan = int(np.count_nonzero(np.isnan(array)))
            self.nan += nan
            self.inf += int(array.size - np.count_nonzero(finite)) - nan
            array = array if finite.all() else array[finite]
        if array.size:
            self._merge(array)

    def _merge(self, array: np.ndarray[Any, Any]) -> None:
        least, most = array.min().item(), array.max().item()
        self.least = least if self.least is None else min(self.least, least)
        self.most = most if self.most is None else max(self.most, most)
        wide = array.astype("f8")
        size, mean = wide.size, float(wide.mean())
        squares = float(((wide - mean) ** 2).sum())
        delta, total = mean - self.mean, self.count + size
        self.mean += delta * size / total
        self.squares += squares + delta * delta * self.count * size / total
        self.count = total

    def result(self) -> Statistics:
        if not self.count:
            return Statistics(None, None, None, None, self.zeros, self.nan, self.inf)
        std = (self.squares / self.count) ** 0.5
        return Statistics(self.least, self.most, self.mean, std, self.zeros, self.nan, self.inf)
