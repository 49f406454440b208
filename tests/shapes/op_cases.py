"""Random instances of ops, drawn from their definitions: attributes, input dtypes, partly known shapes, constants."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field

from graphsurgeon.model import DType, Shape
from graphsurgeon.ops import catalog
from graphsurgeon.ops.opdef import ArgDef, AttrDef, OpDef

SIZES = (1, 2, 2, 3, 4, 4, 8, None)
DTYPES = ("float32", "int32", "int64", "string", "bool", "float64", "uint8", "complex64", "resource", "variant")


@dataclass
class Given:
    """One input: a placeholder, or a constant if it has elements."""

    dtype: DType
    shape: Shape
    elements: list[object] | None = None
    is_ref: bool = False


@dataclass
class OpCase:
    """One instance of an op."""

    op: str
    attrs: dict[str, object] = field(default_factory=dict)
    inputs: list[Given] = field(default_factory=list)

    def __str__(self) -> str:
        given = ", ".join(
            f"{g.dtype}{g.shape}" + (f"={g.elements}" if g.elements is not None else "") for g in self.inputs
        )
        return f"{self.op}({given}) {self.attrs}"


def draw(op: str, rng: random.Random) -> OpCase:
    """Draw an instance. Many are refused by TensorFlow; enough are not."""
    definition = catalog.get(op)
    assert definition is not None
    case = OpCase(op)
    for attr in definition.attrs.values():
        case.attrs[attr.name] = _attr(attr, rng, op)
    _same_lengths(definition, case, rng)
    for name, value in ATTRS.get(op, {}).items():
        if name not in definition.attrs:
            continue
        case.attrs[name] = value(rng) if callable(value) else rng.choice(value)
    base = _shape(rng, rng.choice((0, 1, 1, 2, 2, 3, 4, 4, 5)))
    for arg in definition.inputs:
        case.inputs += _argument(arg, case, rng, base)
    for index, value in INPUTS.get(op, {}).items():
        if index < len(case.inputs):
            _apply(case.inputs[index], value, rng)
    return case


def _attr(attr: AttrDef, rng: random.Random, op: str) -> object:
    kind = attr.type
    if attr.has_default and (rng.random() < 0.6 or kind in ("tensor", "func", "list(type)", "list(func)")):
        return attr.default
    if kind.startswith("list("):
        inner = AttrDef(attr.name, kind[5:-1], allowed=attr.allowed)
        length = (
            rng.randint(max(attr.minimum, 1), max(attr.minimum, 3)) if rng.random() < 0.7 else rng.choice((0, 4, 5))
        )
        return [_attr(inner, rng, op) for _ in range(max(length, attr.minimum))]
    if attr.allowed and kind in ("string", "type"):
        return _allowed_type(attr, rng) if kind == "type" else rng.choice(attr.allowed)
    if kind == "int":
        low = attr.minimum if attr.has_minimum else -2
        return rng.randint(low, low + 4)
    if kind == "float":
        return rng.choice((0.0, 0.5, 1.0, 2.0))
    if kind == "bool":
        return rng.random() < 0.5
    if kind == "string":
        return b""
    if kind == "type":
        return DType.named(rng.choice(DTYPES[:6]))
    if kind == "shape":
        return _shape(rng, rng.choice((0, 1, 2, 3, None)))
    return None


def _allowed_type(attr: AttrDef, rng: random.Random) -> object:
    usual = [dtype for dtype in attr.allowed or () if dtype in COMMON]
    return rng.choice(usual or list(attr.allowed or ()))


COMMON = tuple(DType.named(name) for name in ("float32", "int32", "int64", "string", "bool", "float64", "uint8"))


def _same_lengths(definition: OpDef, case: OpCase, rng: random.Random) -> None:
    """Give list attributes that go with a number the length it has, most of the time."""
    numbers = {arg.number_attr for arg in (*definition.inputs, *definition.outputs) if arg.number_attr}
    for name in numbers:
        low = definition.attrs[name].minimum
        case.attrs[name] = rng.randint(low, max(low, 3))


def _argument(arg: ArgDef, case: OpCase, rng: random.Random, base: Shape) -> list[Given]:
    if arg.type_list_attr:
        dtypes = case.attrs[arg.type_list_attr]
    else:
        dtype = case.attrs[arg.type_attr] if arg.type_attr else DType.of(arg.type)
        dtypes = [dtype] * (case.attrs[arg.number_attr] if arg.number_attr else 1)
    same = rng.random() < 0.6
    return [Given(d, _loosened(base, rng) if same else _any_shape(rng), None, arg.is_ref) for d in dtypes]


def _any_shape(rng: random.Random) -> Shape:
    return _shape(rng, rng.choice((0, 0, 1, 1, 1, 2, 3, 4, 5, None)))


def _shape(rng: random.Random, rank: int | None) -> Shape:
    return Shape(None) if rank is None else Shape([rng.choice(SIZES) for _ in range(rank)])


def _loosened(shape: Shape, rng: random.Random) -> Shape:
    """Return a shape like another with less known of it."""
    if rng.random() < 0.08:
        return Shape(None)
    return Shape([None if rng.random() < 0.15 else 1 if rng.random() < 0.1 else d for d in shape])


def _apply(given: Given, value: object, rng: random.Random) -> None:
    """Set an input from a hint: a rank, ranks to choose from, a shape, or `constant(...)`."""
    if isinstance(value, int):
        given.shape = _shape(rng, value) if rng.random() < 0.95 else Shape(None)
    elif isinstance(value, tuple):
        _apply(given, rng.choice(value), rng)
    elif isinstance(value, list):
        given.shape = Shape([rng.choice(SIZES) if d == -1 else d for d in value])
    elif isinstance(value, Shape):
        given.shape = value
    elif callable(value):
        shape, elements = value(rng)
        given.shape = Shape(shape)
        if given.dtype.name not in ("resource", "variant", "string") and not given.is_ref:
            given.elements = [elements_cast(given.dtype, item) for item in elements]


def elements_cast(dtype: DType, item: object) -> object:
    """Return an element in the Python type of a dtype."""
    assert isinstance(item, int | float)
    return bool(item) if dtype.name == "bool" else float(item) if dtype.is_floating else int(item)


def scalar(low: int, high: int) -> object:
    """Hint: a constant scalar."""
    return lambda rng: ((), [rng.randint(low, high)])


def vector(length: int | tuple[int, ...], low: int, high: int) -> object:
    """Hint: a constant vector."""

    def make(rng: random.Random) -> tuple[list[int], list[int]]:
        count = rng.choice(length) if isinstance(length, tuple) else length
        return [count], [rng.randint(low, high) for _ in range(count)]

    return make


def permutation(*lengths: int) -> object:
    """Hint: a constant order of axes."""

    def make(rng: random.Random) -> tuple[list[int], list[int]]:
        count = rng.choice(lengths)
        return [count], rng.sample(range(count), count)

    return make


def matrix(rows: tuple[int, ...], columns: int, low: int, high: int) -> object:
    """Hint: a constant matrix."""

    def make(rng: random.Random) -> tuple[list[int], list[int]]:
        count = rng.choice(rows)
        return [count, columns], [rng.randint(low, high) for _ in range(count * columns)]

    return make


def window(rank: int, low: int, high: int) -> object:
    """Hint: strides or windows that leave batch and channels alone, in either layout."""

    def make(rng: random.Random) -> list[int]:
        inner = [rng.randint(low, high) for _ in range(rank - 2)]
        return [1, *inner, 1] if rng.random() < 0.7 else [1, 1, *inner]

    return make


RANK = re.compile(r"Shape must be (?:at (?:least|most) )?rank (\d+) but is rank (\d+)")
EQUAL = re.compile(r"must be equal, but are (\d+) and (\d+)|must be (\d+) but is (\d+)")
EQUAL_RANK = re.compile(r"must be equal rank, but are (\d+) and (\d+)")


def repaired(case: OpCase, message: str, rng: random.Random) -> bool:
    """Change a refused case in the direction that the message points to; say whether something was changed."""
    found = RANK.search(message) or EQUAL_RANK.search(message)
    if found:
        pair = [int(found[1]), int(found[2])]
        wanted, rank = pair if RANK.search(message) else rng.sample(pair, 2)
        candidates = [g for g in case.inputs if g.shape.rank == rank]
        if candidates:
            chosen = rng.choice(candidates)
            chosen.shape, chosen.elements = _shape(rng, wanted), None
        return bool(candidates)
    found = EQUAL.search(message)
    if found:
        first, second = rng.sample([int(n) for n in found.groups() if n is not None], 2)
        for given in case.inputs:
            if given.elements is None and first in given.shape.to_json() if given.shape.dims is not None else False:
                given.shape = Shape([second if d == first else d for d in given.shape])
        return True
    return False


ATTRS: dict[str, dict[str, object]] = {}
INPUTS: dict[str, dict[int, object]] = {}
