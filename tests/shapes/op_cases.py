"""Random instances of ops, drawn from their definitions: attributes, input dtypes, partly known shapes, constants."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from graphsurgeon.model import DType, Shape, Tensor
from graphsurgeon.ops import catalog
from graphsurgeon.ops.opdef import ArgDef, AttrDef, OpDef

SIZES = (1, 2, 2, 3, 4, 4, 8, None)
DTYPES = ("float32", "int32", "int64", "string", "bool", "float64", "uint8", "complex64", "resource", "variant")


FUNCTION = "some function"  # attribute value: some function that the library lacks


@dataclass
class Given:
    """One input: a placeholder, a constant if it has elements, or what another op yields."""

    dtype: DType
    shape: Shape
    elements: list[object] | None = None
    is_ref: bool = False
    made_by: OpCase | None = None


@dataclass
class OpCase:
    """One instance of an op."""

    op: str
    attrs: dict[str, object] = field(default_factory=dict)
    inputs: list[Given] = field(default_factory=list)

    @property
    def known_attrs(self) -> dict[str, object]:
        """Attributes that have a value."""
        return {name: value for name, value in self.attrs.items() if value is not None}

    def __str__(self) -> str:
        given = ", ".join(
            f"{g.made_by or g.dtype}{g.shape}" + (f"={g.elements}" if g.elements is not None else "")
            for g in self.inputs
        )
        return f"{self.op}({given}) {self.attrs}"


def draw(op: str, rng: random.Random, attrs: Mapping[str, object] | None = None) -> OpCase:
    """Draw an instance, with some attributes given. Many are refused by TensorFlow; enough are not."""
    definition = catalog.get(op)
    assert definition is not None
    case = OpCase(op)
    for attr in definition.attrs.values():
        case.attrs[attr.name] = _attr(attr, rng, op)
    _same_lengths(definition, case, rng)
    _tensor_attrs(definition, case, rng)
    for name, value in ATTRS.get(op, {}).items():
        if name not in definition.attrs:
            continue
        case.attrs[name] = value(rng) if callable(value) else rng.choice(value)
    if op in FITTED:
        FITTED[op](case)
    case.attrs |= attrs or {}
    base = _shape(rng, rng.choice((0, 1, 1, 2, 2, 3, 4, 4, 5)))
    for arg in definition.inputs:
        case.inputs += _argument(arg, case, rng, base)
    for index, value in INPUTS.get(op, {}).items():
        if index < len(case.inputs):
            _apply(case.inputs[index], value(case) if isinstance(value, Made) else value, rng)
    return case


def _attr(attr: AttrDef, rng: random.Random, op: str) -> object:
    kind = attr.type
    if kind == "func":
        return FUNCTION
    if attr.has_default and (rng.random() < 0.6 or kind in ("tensor", "list(type)", "list(func)")):
        return attr.default
    if kind.startswith("list("):
        inner = AttrDef(attr.name, kind[5:-1], allowed=attr.allowed)
        length = (
            rng.randint(max(attr.minimum, 1), max(attr.minimum, 3)) if rng.random() < 0.7 else rng.choice((0, 4, 5))
        )
        return [_attr(inner, rng, op) for _ in range(max(length, attr.minimum))]
    if attr.allowed and kind in ("string", "type"):
        return _allowed_type(attr, rng) if kind == "type" else rng.choice(attr.allowed)
    return _single(attr, rng)


def _single(attr: AttrDef, rng: random.Random) -> object:
    low = attr.minimum if attr.has_minimum else -2
    drawn = {
        "int": lambda: rng.randint(low, low + 4),
        "float": lambda: rng.choice((0.0, 0.5, 1.0, 2.0)),
        "bool": lambda: rng.random() < 0.5,
        "string": lambda: b"",
        "type": lambda: DType.named(rng.choice(DTYPES[:6])),
        "shape": lambda: _shape(rng, rng.choice((0, 1, 2, 3, None))),
    }
    return drawn[attr.type]() if attr.type in drawn else None


def _allowed_type(attr: AttrDef, rng: random.Random) -> object:
    usual = [dtype for dtype in attr.allowed or () if dtype in COMMON]
    return rng.choice(usual or list(attr.allowed or ()))


FLOAT, STRING = DType.named("float32"), DType.named("string")
COMMON = tuple(DType.named(name) for name in ("float32", "int32", "int64", "string", "bool", "float64", "uint8"))


def _same_lengths(definition: OpDef, case: OpCase, rng: random.Random) -> None:
    """Give attributes that count the same thing the same length: lists, numbers, and the numbers of arguments."""
    numbers = {arg.number_attr for arg in (*definition.inputs, *definition.outputs) if arg.number_attr}
    for name in sorted(numbers):
        low = definition.attrs[name].minimum
        case.attrs[name] = rng.randint(low, max(low, 3))
    for group in (*SAME_LENGTH.get(definition.name, ()), *PAIRS):
        names = [name for name in group if name in definition.attrs]
        if len(names) < 2 or (group in PAIRS and any(definition.attrs[name].has_default for name in names)):
            continue
        lists = [definition.attrs[name] for name in names if definition.attrs[name].type != "int"]
        length = rng.randint(max(attr.minimum for attr in lists), max(3, *(attr.minimum for attr in lists)))
        for name in names:
            case.attrs[name] = length
        for attr in lists:
            inner = AttrDef(attr.name, attr.type[5:-1], allowed=attr.allowed)
            case.attrs[attr.name] = [_attr(inner, rng, definition.name) for _ in range(length)]


# Attributes of one length, where both are there and neither has a default.
PAIRS = (("dtypes", "shapes"), ("output_types", "output_shapes"), ("Sout", "Tout"))


def _tensor_attrs(definition: OpDef, case: OpCase, rng: random.Random) -> None:
    """Give attributes that are tensors small ones, of the type that another attribute says."""
    for attr in definition.attrs.values():
        if attr.type == "tensor" and not attr.has_default:
            dtype = case.attrs.get("dtype", FLOAT)
            sizes = rng.choice(([], [0], [2], [2, 3]))
            item = b"" if dtype is STRING else elements_cast(dtype, 1)
            case.attrs[attr.name] = Tensor.of(dtype, sizes, [item] * math.prod(sizes))


# Arguments that are scalars in every op that has one of these names.
SCALARS = re.compile(
    r"(min|max)(_[a-z_0-9]+)?|lr(_power)?|alpha|rho|epsilon|momentum|beta(\d(_power)?)?|l1|l2(_shrinkage)?|logbase"
    r"|sign_decay|global_step|sign"
)


def _argument(arg: ArgDef, case: OpCase, rng: random.Random, base: Shape) -> list[Given]:
    if arg.type_list_attr:
        dtypes = case.attrs[arg.type_list_attr]
    else:
        dtype = case.attrs[arg.type_attr] if arg.type_attr else DType.of(arg.type)
        dtypes = [dtype] * (case.attrs[arg.number_attr] if arg.number_attr else 1)
    if SCALARS.fullmatch(arg.name) and rng.random() < 0.85:
        return [Given(d, Shape([]), None, arg.is_ref) for d in dtypes]
    same = rng.random() < (0.95 if arg.is_ref or "Apply" in case.op else 0.6)
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
    """Set an input from a hint: a rank, ranks to choose from, a shape, `constant(...)`, or what makes it."""
    if isinstance(value, Made):
        given.made_by, given.shape = draw(value.op, rng, value.attrs), Shape([])
    elif isinstance(value, int):
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


@dataclass(frozen=True)
class Made:
    """Hint: the first output of another op, with the attributes of the case that have other names there."""

    op: str
    shared: tuple[tuple[str, str], ...] = ()
    attrs: dict[str, object] = field(default_factory=dict)

    def __call__(self, case: OpCase) -> Made:
        """Return the hint for a case."""
        return Made(self.op, attrs={mine: case.attrs[theirs] for mine, theirs in self.shared})


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
SAME_LENGTH: dict[str, tuple[tuple[str, ...], ...]] = {}
FITTED: dict[str, Callable[[OpCase], None]] = {}  # what makes the attributes of an instance fit together
INPUTS: dict[str, dict[int, object]] = {}
