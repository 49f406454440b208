"""Types of new nodes from the definition of their op: what inputs say, what the root says, what has a default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from graphsurgeon.errors import UnsupportedError, plural
from graphsurgeon.model.dtype import FLOAT32, DType
from graphsurgeon.model.graph import AttrValue
from graphsurgeon.ops.opdef import ArgDef, OpDef


class Typed(NamedTuple):
    """What is known of the types around a new node.

    Attributes:
        inputs: dtype of each input; None of a number, which takes what the op wants.
        natural: dtype that each number has if nothing wants another; None of other inputs.
        wanted: dtype of the root that an output of the node is to be; None inside.
        port: that output.
    """

    inputs: Sequence[DType | None]
    natural: Sequence[DType | None]
    wanted: DType | None = None
    port: int = 0


def complete_attrs(
    definition: OpDef, given: Mapping[str, AttrValue], typed: Typed
) -> tuple[dict[str, AttrValue], list[DType | None]]:
    """Return all attributes of a new node, and the dtype that each of its inputs has to have.

    Raises:
        UnsupportedError: the inputs are not those of the op, or an attribute has to be said.
    """
    attrs = {name: value for name, value in given.items() if name in definition.attrs or name.startswith("_")}
    lengths = _lengths(definition, attrs, len(typed.inputs))
    place = 0
    for arg, length in zip(definition.inputs, lengths, strict=True):
        _learn(arg, typed.inputs[place : place + length], attrs)
        place += length
    _learn_outputs(definition, attrs, typed)
    _fill(definition, attrs)
    place = 0
    for arg, length in zip(definition.inputs, lengths, strict=True):
        _learn(arg, typed.natural[place : place + length], attrs)
        place += length
    _require_all(definition, attrs)
    expected = definition.input_dtypes(attrs)
    if expected is None or len(expected) != len(typed.inputs):
        raise UnsupportedError(f"the dtypes of the inputs of {definition.name} do not follow")
    for number, (dtype, want) in enumerate(zip(typed.inputs, expected, strict=True)):
        if dtype is not None and dtype.base is not want.base:
            raise UnsupportedError(f"input {number} of {definition.name} is {dtype}, {want} is needed")
    return attrs, [want.base for want in expected]


def _lengths(definition: OpDef, attrs: dict[str, AttrValue], count: int) -> list[int]:
    """Return how many inputs each argument has: those that the attributes do not tell share what is left."""
    known = [_known_length(definition, arg, attrs) for arg in definition.inputs]
    left = count - sum(length for length in known if length is not None)
    open_ones = [arg for arg, length in zip(definition.inputs, known, strict=True) if length is None]
    each = left // len(open_ones) if open_ones else 0
    groups = {arg.number_attr or arg.type_list_attr for arg in open_ones}
    if left < 0 or (open_ones and each * len(open_ones) != left) or (not open_ones and left) or len(groups) > 1:
        wanted = "" if open_ones else f", it takes {count - left}"
        raise UnsupportedError(f"{definition.name} cannot have {plural(count, 'input')}{wanted}")
    for arg in open_ones:
        if arg.number_attr:
            attrs[arg.number_attr] = each
    return [each if length is None else length for length in known]


def _known_length(definition: OpDef, arg: ArgDef, attrs: Mapping[str, AttrValue]) -> int | None:
    if arg.number_attr:
        number = attrs.get(arg.number_attr)
        return number if isinstance(number, int) else None
    if arg.type_list_attr:
        types = attrs.get(arg.type_list_attr)
        return len(types) if isinstance(types, list) else None
    return 1


def _learn(arg: ArgDef, dtypes: Sequence[DType | None], attrs: dict[str, AttrValue]) -> None:
    """Take the type attribute of an argument from its inputs; what was said or learnt before stands."""
    if arg.type_list_attr:
        attrs.setdefault(arg.type_list_attr, [dtype or FLOAT32 for dtype in dtypes])
    elif arg.type_attr and not arg.is_ref:
        first = next((dtype for dtype in dtypes if dtype is not None), None)
        if first is not None:
            attrs.setdefault(arg.type_attr, first)


def _learn_outputs(definition: OpDef, attrs: dict[str, AttrValue], typed: Typed) -> None:
    """Take a type attribute that no input tells from the root that the output is to be."""
    lengths_known = typed.port < len(definition.outputs) and all(
        not (arg.number_attr or arg.type_list_attr) for arg in definition.outputs
    )
    if typed.wanted is not None and lengths_known and definition.outputs[typed.port].type_attr:
        attrs.setdefault(definition.outputs[typed.port].type_attr, typed.wanted.base)


def _fill(definition: OpDef, attrs: dict[str, AttrValue]) -> None:
    """Give what is left its default."""
    for name, attr in definition.attrs.items():
        if name not in attrs and attr.has_default and attr.default is not None:
            attrs[name] = attr.default


def _require_all(definition: OpDef, attrs: Mapping[str, AttrValue]) -> None:
    for name, attr in definition.attrs.items():
        is_limited = name in attrs and attr.allowed is not None and attr.type in ("type", "string")
        if is_limited and attrs[name] not in (attr.allowed or ()):
            value = attrs[name]
            shown = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
            raise UnsupportedError(f"attribute {name!r} of {definition.name} cannot be {shown}")
        if name not in attrs and not attr.has_default:
            raise UnsupportedError(f"attribute {name!r} ({attr.type}) of {definition.name} has to be said")
