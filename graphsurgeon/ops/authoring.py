"""Nodes as people write them, made whole by the op's definition and checked before anything changes.

`graph.add_node("Relu", "r", ["x:0"])` is enough: inputs may be values, nodes, names, numbers and arrays; types are
names, numpy's or TensorFlow's; shapes are text or lists. What follows from the inputs (`T`, `N`, `Tin` ...) is filled
in, what TensorFlow would refuse is refused here: another number of inputs, another type, an unknown attribute.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from graphsurgeon.errors import UsageError, plural
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.format import TENSORFLOW
from graphsurgeon.model.graph import AttrValue, Graph, Node, Output, Value
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.ops import catalog
from graphsurgeon.ops.coerce import coerce_attr, coerce_plain, coerce_tensor
from graphsurgeon.ops.kinds import CONSTANTS
from graphsurgeon.ops.opdef import ArgDef, OpDef

_NAME = re.compile(r"[A-Za-z0-9._][A-Za-z0-9_.\\/>-]*")  # of `node_def.proto`, and inner names of functions


class Completed(NamedTuple):
    """What a new node will have; a Tensor among the inputs becomes a constant called `NAME/ARGUMENT`."""

    inputs: list[Value | Tensor]
    names: list[str]
    attrs: dict[str, AttrValue]
    controls: list[Node]


def complete(graph: Graph, op: Any, name: Any, inputs: Any, attrs: Any, controls: Any) -> Completed:
    """Return inputs, attributes and controls of a node that is to be added to a graph. Changes nothing.

    Raises:
        UsageError: the name is taken, an input is not in the graph, or the op's definition allows no such node.
    """
    if not isinstance(op, str | Graph) or not isinstance(name, str):
        hint = 'as add_node("Relu", "name", ["x:0"])'
        raise UsageError(f"a node has an op and a name, not {op!r} and {name!r}", hint=hint)
    if attrs is not None and not isinstance(attrs, Mapping):
        raise UsageError(f"attributes are a mapping from names, not {attrs!r}", hint='attrs={"T": "float32"}')
    where = f"{op if isinstance(op, str) else op.name} {name!r}"
    if name and graph.node(name) is not None:
        raise UsageError(f"{graph.title} already has a node {name!r}", hint="graph.unique_name gives a free name")
    given = [_input(graph, item, where) for item in _several(inputs, where)]
    waits = [_control(graph, item, where) for item in _several(controls, where)]
    opdef = catalog.get(op) if isinstance(op, str) and graph.vocabulary == TENSORFLOW else None
    if opdef is None or op in graph.metagraph.functions:
        plain = {key: coerce_plain(where, key, item) for key, item in (attrs or {}).items()}
        values = [item if isinstance(item, Value) else coerce_tensor(where, "an input", item) for item in given]
        return Completed(values, [str(place) for place in range(len(values))], plain, waits)
    return _by_definition(graph, opdef, where, given, attrs or {}, waits)


def output_dtypes(node: Node) -> list[DType] | None:
    """Return the types of a node's outputs as the op's definition gives them, None if it is unknown."""
    if node.callee is not None:
        results = [output.dtype for output in node.callee.outputs]
        return None if None in results else [dtype for dtype in results if dtype is not None]
    opdef = catalog.of(node)
    return None if opdef is None else opdef.output_dtypes(node.attrs)


def named_value(graph: Graph, item: Any, reader: Node | Value | None = None) -> Value:
    """Return the value of a graph that a node or name stands for, which a node is to read, or takes a value's place.

    Raises:
        UsageError: the graph has no such value.
    """
    found = graph.value(item) if isinstance(item, str) else item.output() if isinstance(item, Node) else item
    if isinstance(found, Value) and found.graph.metagraph is graph.metagraph:
        return found
    where = f"for the readers of {reader}" if reader is not None else "to be a result"
    where = f"for {reader.op} {reader.name!r} to read" if isinstance(reader, Node) else where
    shown = str(item) if isinstance(item, Node | Value) else item
    hint = _near(graph, item) if isinstance(item, str) else "print(graph) lists what there is"
    raise UsageError(f"{graph.title} has no value {shown!r} {where}", hint=hint)


def require_name(graph: Graph, name: object) -> None:
    """Refuse what no node can be called; a function's may begin with `_`, operators of TFLite have no names.

    Raises:
        UsageError: no importer would take it.
    """
    if isinstance(name, str) and (_NAME.fullmatch(name) or graph.kind == "subgraph"):
        return
    raise UsageError(f"a node cannot be called {name!r}", hint="its name has letters, digits and _ . / - > in it")


def results(graph: Graph, given: Any) -> list[Output]:
    """Return the results of a function or subgraph that values, nodes and names stand for.

    Raises:
        UsageError: the graph has no such value, or is a main graph, which has no results.
    """
    several = [given] if isinstance(given, str | Node | Value | Output) else list(given)
    if several and graph.kind == "main":
        what = "a main graph has no outputs of its own: signatures name them"
        raise UsageError(what, hint='graphsurgeon.surgery.add_signature(model, outputs={"key": "node:0"})')
    values = [item if isinstance(item, Output) else named_value(graph, item) for item in several]
    return [item if isinstance(item, Output) else Output("", item, item.dtype) for item in values]


def coerced(op: str, key: str, value: Any, dtype: object = None) -> AttrValue:
    """Return the value that an attribute of a node gets when somebody assigns one; a constant keeps its `dtype`.

    Raises:
        UsageError: it is not of the kind that the op's definition says.
    """
    opdef = catalog.get(op)
    attr = opdef.attrs.get(key) if opdef is not None else None
    if key == "value" and op in CONSTANTS and isinstance(dtype, DType) and not isinstance(value, Tensor):
        return coerce_tensor(op, key, value, dtype)
    if isinstance(value, list) and attr is None and not _is_of_one_kind(value):
        raise UsageError(f"{op}: the attribute {key} cannot be a list of several kinds: {value!r}")
    return coerce_plain(op, key, value) if attr is None else coerce_attr(op, attr, value)


def _is_of_one_kind(items: list[Any]) -> bool:
    kinds = set(map(type, items))
    return len(kinds) < 2 or kinds == {int, float}


def dtype_of(value: Value) -> DType | None:
    """Return the type of a value as recorded, or as the definition of its op gives it."""
    if value.dtype is not None:
        return value.dtype
    dtypes = value.producer.output_dtypes() if value.producer is not None else None
    if dtypes is None or not isinstance(value.port, int) or value.port >= len(dtypes):
        return None
    return dtypes[value.port] if dtypes[value.port].number else None


def _by_definition(
    graph: Graph, opdef: OpDef, where: str, given: list[Any], attrs: Mapping[str, Any], controls: list[Node]
) -> Completed:
    _require_known_attrs(opdef, where, attrs)
    found: dict[str, AttrValue] = {}
    is_function = graph.kind == "function"
    for key, item in attrs.items():
        if item is not None:
            attr = opdef.attrs.get(key)
            found[key] = (
                coerce_plain(where, key, item)
                if attr is None
                else coerce_attr(where, attr, item, in_function=is_function)
            )
    if isinstance(found.get("value"), Tensor) and "dtype" in opdef.attrs:
        found.setdefault("dtype", found["value"].dtype)  # type: ignore[union-attr]
    lengths = _lengths(opdef, where, len(given), found)
    values: list[Value | Tensor] = []
    names: list[str] = []
    for arg, length in zip(opdef.inputs, lengths, strict=True):
        part = given[len(values) : len(values) + length]
        values += _argument(arg, where, part, found)
        names += [arg.name if length == 1 else f"{arg.name}_{place}" for place in range(length)]
    for key, attr in opdef.attrs.items():
        if key not in found and not attr.has_default:
            raise UsageError(f"{where}: the attribute {key} ({attr.type}) is missing", hint=f'give {{"{key}": ...}}')
    return Completed(values, names, found, controls)


def _require_known_attrs(opdef: OpDef, where: str, attrs: Mapping[str, Any]) -> None:
    for key in attrs:
        if key not in opdef.attrs and not key.startswith("_"):
            near = get_close_matches(key, opdef.attrs, n=1)
            known = ", ".join(opdef.attrs) or "none"
            hint = f"did you mean {near[0]!r}?" if near else f"it has {known}"
            raise UsageError(f"{where}: {opdef.name} has no attribute {key!r}", hint=hint)


def _lengths(opdef: OpDef, where: str, count: int, attrs: dict[str, AttrValue]) -> list[int]:
    """Return how many inputs each argument takes; enters the number of the one argument that takes what is left."""
    lengths: list[int | None] = []
    for arg in opdef.inputs:
        number = attrs.get(arg.number_attr) if arg.number_attr else None
        types = attrs.get(arg.type_list_attr) if arg.type_list_attr else None
        is_open = bool(arg.number_attr or arg.type_list_attr)
        lengths.append(
            number if isinstance(number, int) else len(types) if isinstance(types, list) else None if is_open else 1
        )
    unknown = [place for place, length in enumerate(lengths) if length is None]
    rest = count - sum(length for length in lengths if length is not None)
    same = {opdef.inputs[place].number_attr for place in unknown}
    if unknown and rest >= 0 and rest % len(unknown) == 0 and (len(unknown) == 1 or (len(same) == 1 and same != {""})):
        for place in unknown:
            lengths[place] = rest // len(unknown)
            if opdef.inputs[place].number_attr:
                attrs[opdef.inputs[place].number_attr] = rest // len(unknown)
        rest = 0
    if rest or None in lengths:
        wanted = ", ".join(
            f"{arg.name}{'...' if arg.number_attr or arg.type_list_attr else ''}" for arg in opdef.inputs
        )
        raise UsageError(f"{where}: {plural(count, 'input')} given, {opdef.name} takes ({wanted})")
    return [length or 0 for length in lengths]


def _argument(arg: ArgDef, where: str, part: Sequence[Any], attrs: dict[str, AttrValue]) -> list[Value | Tensor]:
    """Return the inputs of one argument; enters the attribute that tells its type."""
    types = attrs.get(arg.type_list_attr) if arg.type_list_attr else None
    if arg.type_list_attr and not isinstance(types, list):
        types = [_required(where, arg, item) for item in part]
        attrs[arg.type_list_attr] = list(types)
    elif arg.type_attr and attrs.get(arg.type_attr) is None and part:
        known = [dtype for dtype in (_dtype(item) for item in part) if dtype is not None]
        attrs[arg.type_attr] = (known[0] if known else _required(where, arg, part[0])).base
    wanted = (
        types
        if isinstance(types, list)
        else [attrs.get(arg.type_attr) if arg.type_attr else DType.of(arg.type)] * len(part)
    )
    return [_fitting(where, arg, item, dtype) for item, dtype in zip(part, wanted, strict=True)]


def _dtype(item: Any) -> DType | None:
    return dtype_of(item) if isinstance(item, Value) else item.dtype if isinstance(item, Tensor) else None


def _required(where: str, arg: ArgDef, item: Any) -> DType:
    dtype = _dtype(item if isinstance(item, Value) else coerce_tensor(where, arg.name, item))
    if dtype is None:
        name = arg.type_attr or arg.type_list_attr
        raise UsageError(f"{where}: the type of its input {item} is not known", hint=f'give {{"{name}": ...}}')
    return dtype.base


def _fitting(where: str, arg: ArgDef, item: Any, wanted: AttrValue) -> Value | Tensor:
    dtype = wanted if isinstance(wanted, DType) and wanted.number else None
    if not isinstance(item, Value):
        return coerce_tensor(where, arg.name, item, dtype.base if dtype else None)
    found = dtype_of(item)
    if found is not None and dtype is not None and found.base is not dtype.base:
        raise UsageError(
            f"{where}: its input {arg.name}, {item}, is {found}, and {dtype} is wanted", hint="put a Cast between"
        )
    return item


def _input(graph: Graph, item: Any, where: str) -> Any:
    """Return a Value of the graph, or what becomes a constant."""
    if isinstance(item, Node):
        item = item.output()
    elif isinstance(item, str):
        value = graph.value(item)
        if value is None:
            raise UsageError(f"{where}: {graph.title} has no value {item!r}", hint=_near(graph, item))
        return value
    if isinstance(item, Value):
        if item.graph.metagraph is not graph.metagraph:
            raise UsageError(f"{where}: its input {item} is in another model", hint="name a value of this graph")
        return item
    if item is None:
        raise UsageError(f"{where}: None is no input", hint="graph.node and graph.value give None for unknown names")
    return item


def _control(graph: Graph, item: Any, where: str) -> Node:
    node = graph.node(item.removeprefix("^")) if isinstance(item, str) else item
    if isinstance(node, Value) and node.producer is not None:
        node = node.producer
    if not isinstance(node, Node):
        raise UsageError(f"{where}: {graph.title} has no node {item!r} to wait for", hint=_near(graph, str(item)))
    return node


def _near(graph: Graph, name: str) -> str:
    near = get_close_matches(name.partition(":")[0], [node.name for node in graph.nodes], n=1)
    return f"did you mean {near[0]!r}?" if near else "print(graph) lists what there is"


def _several(items: Any, where: str) -> list[Any]:
    if isinstance(items, Value | Node | str | bytes | int | float):
        return [items]
    if not isinstance(items, Iterable) or isinstance(items, Graph | Mapping | MutableMapping):
        raise UsageError(f"{where}: a list of inputs is needed, not {items!r}")
    return [items] if hasattr(items, "__array__") else list(items)
