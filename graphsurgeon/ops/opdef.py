"""What an op is: its arguments, its attributes, and how many values of which type a node of it has.

The terms are those of `tensorflow/core/framework/op_def.proto`. An *argument* stands for one value, for as
many as an integer attribute says (`number_attr`), or for one per entry of a type list (`type_list_attr`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import AttrValue


@dataclass(frozen=True, slots=True)
class ArgDef:
    """One input or output argument.

    Attributes:
        name: unique among the op's arguments.
        type: the `DataType` number of a fixed type, 0 if an attribute tells it.
        type_attr: the attribute that holds the type, "" if none.
        number_attr: the attribute that holds how many values there are, "" if none.
        type_list_attr: the attribute that holds one type per value, "" if none.
        is_ref: whether the values are references (`VariableV2`).
    """

    name: str
    type: int = 0
    type_attr: str = ""
    number_attr: str = ""
    type_list_attr: str = ""
    is_ref: bool = False


@dataclass(frozen=True, slots=True)
class AttrDef:
    """One attribute.

    Attributes:
        name: unique among the op's attributes.
        type: `string`, `int`, `float`, `bool`, `type`, `shape`, `tensor`, `func`, or `list(...)` of one of these.
        default: the value of a node that does not say; `None` without default, and for tensors and functions.
        has_default: whether a node may leave the attribute out.
        allowed: the only values (bytes or types) there may be; `None` for any.
        minimum: the smallest integer, or the shortest list, where `has_minimum`.
        has_minimum: whether there is a minimum.
    """

    name: str
    type: str
    default: AttrValue = None
    has_default: bool = False
    allowed: tuple[bytes | DType, ...] | None = None
    minimum: int = 0
    has_minimum: bool = False


@dataclass(frozen=True, slots=True)
class OpDef:
    """One op, or the signature of a function, which has the same form.

    Attributes:
        name: the op's name.
        inputs: arguments in the order of a node's data inputs.
        outputs: arguments in the order of a node's outputs.
        attrs: attributes by name, in the order of definition.
        control_outputs: names of a function's control outputs; none for an op.
        is_stateful: whether it has side effects or state, so that it is neither folded nor merged nor dropped.
        is_commutative: whether its inputs may be exchanged.
        is_aggregate: whether it only sums its inputs.
        allows_uninitialized_input: whether it takes a reference that holds no value yet.
        is_distributed_communication: whether it waits for other processes.
        deprecated_since: the GraphDef version from which on it is refused; 0 if never.
    """

    name: str
    inputs: tuple[ArgDef, ...] = ()
    outputs: tuple[ArgDef, ...] = ()
    attrs: Mapping[str, AttrDef] = field(default_factory=dict)
    control_outputs: tuple[str, ...] = ()
    is_stateful: bool = False
    is_commutative: bool = False
    is_aggregate: bool = False
    allows_uninitialized_input: bool = False
    is_distributed_communication: bool = False
    deprecated_since: int = 0

    def input_lengths(self, attrs: Mapping[str, AttrValue]) -> list[int] | None:
        """Return how many values each input argument stands for; `None` if the attributes do not tell."""
        return self._lengths(self.inputs, attrs)

    def output_lengths(self, attrs: Mapping[str, AttrValue]) -> list[int] | None:
        """Return how many values each output argument stands for; `None` if the attributes do not tell."""
        return self._lengths(self.outputs, attrs)

    def input_dtypes(self, attrs: Mapping[str, AttrValue]) -> list[DType] | None:
        """Return the type of each input value, flat; `None` if the attributes do not tell."""
        return self._dtypes(self.inputs, attrs)

    def output_dtypes(self, attrs: Mapping[str, AttrValue]) -> list[DType] | None:
        """Return the type of each output value, flat; `None` if the attributes do not tell."""
        return self._dtypes(self.outputs, attrs)

    def attr(self, attrs: Mapping[str, AttrValue], name: str) -> AttrValue:
        """Return an attribute of a node, or its default if the node leaves it out."""
        value = attrs.get(name)
        if value is None and name in self.attrs:
            return self.attrs[name].default
        return value

    def _lengths(self, args: tuple[ArgDef, ...], attrs: Mapping[str, AttrValue]) -> list[int] | None:
        lengths = []
        for arg in args:
            length = self._length(arg, attrs)
            if length is None:
                return None
            lengths.append(length)
        return lengths

    def _length(self, arg: ArgDef, attrs: Mapping[str, AttrValue]) -> int | None:
        if arg.number_attr:
            number = self.attr(attrs, arg.number_attr)
            return number if isinstance(number, int) and number >= 0 else None
        if arg.type_list_attr:
            types = self.attr(attrs, arg.type_list_attr)
            return len(types) if isinstance(types, list) else None
        return 1

    def _dtypes(self, args: tuple[ArgDef, ...], attrs: Mapping[str, AttrValue]) -> list[DType] | None:
        dtypes: list[DType] = []
        for arg in args:
            types = self._arg_dtypes(arg, attrs)
            if types is None:
                return None
            dtypes += [dtype.ref for dtype in types] if arg.is_ref else types
        return dtypes

    def _arg_dtypes(self, arg: ArgDef, attrs: Mapping[str, AttrValue]) -> list[DType] | None:
        if arg.type_list_attr:
            types = self.attr(attrs, arg.type_list_attr)
            known = [dtype for dtype in types if isinstance(dtype, DType)] if isinstance(types, list) else None
            return known if known is not None and len(known) == self._length(arg, attrs) else None
        dtype = self.attr(attrs, arg.type_attr) if arg.type_attr else DType.of(arg.type)
        length = self._length(arg, attrs)
        # A hostile count must not become a list of that length; no node has as many inputs or outputs as that.
        if not isinstance(dtype, DType) or length is None or length > MOST_VALUES:
            return None
        return [dtype] * length


MOST_VALUES = 1 << 16  # of one argument whose number an attribute says
