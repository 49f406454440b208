"""A function of the library: arguments, results, and the nodes between, as a Graph and back.

What changes together when arguments or results change is collected in `serialize`: signature, `ret`,
`control_ret`, `arg_attr` and `resource_arg_unique_id` (both keyed by position), `_input_shapes` (dropped when
the arguments change, since a list of the wrong length does not load).
"""

from __future__ import annotations

from typing import Any

from graphsurgeon.encoding import protowire
from graphsurgeon.formats import schema
from graphsurgeon.formats.graph.graphdef import NodeListSource, OpDefs, serialize_nodes
from graphsurgeon.formats.graph.references import References
from graphsurgeon.formats.graph.values import attrs as attr_values
from graphsurgeon.formats.graph.values.attrs import Context
from graphsurgeon.formats.graph.values.tensorproto import read_shape
from graphsurgeon.model.dtype import RESOURCE, DType
from graphsurgeon.model.graph import AttrValue, Graph, Output, Value
from graphsurgeon.model.shape import Shape
from graphsurgeon.ops import catalog
from graphsurgeon.ops.opdef import ArgDef, OpDef

_NODES = 3  # number of the field `node_def`


class RawArg:
    """What a FunctionDef holds about one argument."""

    __slots__ = ("arg", "attrs", "shape", "unique_id")

    def __init__(self, arg: Any, attrs: Any, unique_id: int | None) -> None:
        self.arg = arg
        self.attrs = attrs
        self.unique_id = unique_id
        self.shape: Shape | None = None
        if attrs is not None and "_output_shapes" in attrs.attr and attrs.attr["_output_shapes"].list.shape:
            self.shape = read_shape(attrs.attr["_output_shapes"].list.shape[0])

    @property
    def name(self) -> str:
        """Name at read time."""
        return str(self.arg.name)


class FunctionSource(NodeListSource):
    """GraphSource over a `FunctionDef`."""

    __slots__ = ("_attrs", "_opdef", "message")

    def __init__(self, message: Any, context: Context, opdefs: OpDefs) -> None:
        super().__init__(message.node_def, context, opdefs)
        self.message = message
        self._opdef: OpDef | None = None
        self._attrs: dict[str, AttrValue] = {}

    def lift(self, graph: Graph) -> None:
        """Make arguments, nodes, results and attributes."""
        message = self.message
        graph.inputs = [self._argument(graph, index, arg) for index, arg in enumerate(message.signature.input_arg)]
        graph.original_arguments = {value.name or "": value for value in graph.inputs}
        super().lift(graph)
        references = References(graph, self.layout_of)
        graph.outputs = [self._result(references, arg) for arg in message.signature.output_arg]
        places = {key: place for place, key in enumerate(message.signature.control_output)}
        # protobuf goes over a map in another order in each process.
        for key, name in sorted(message.control_ret.items(), key=lambda item: (places.get(item[0], len(places)), item)):
            if name in graph.originals:
                graph.control_outputs[key] = graph.originals[name]
        self._attrs = {key: attr_values.decode(value, self.context) for key, value in message.attr.items()}
        graph.attrs = dict(self._attrs)

    def opdef(self, graph: Graph) -> OpDef:
        """Return the signature in the form of an op definition, as it is now."""
        if graph.is_lifted and not _signature_is_original(graph, self.message):
            outputs = tuple(ArgDef(o.name, o.dtype.number if o.dtype else 0) for o in graph.outputs)
            inputs = tuple(ArgDef(v.name or "", v.dtype.number if v.dtype else 0) for v in graph.inputs)
            return OpDef(graph.name, inputs, outputs)
        if self._opdef is None:
            self._opdef = catalog.decode(self.message.signature.SerializeToString())
        return self._opdef

    def changed_attrs(self, graph: Graph) -> dict[str, AttrValue]:
        """Return the attributes that were set since the lift; a removed one has the value None."""
        now = graph.attrs
        changed = {key: value for key, value in now.items() if self._attrs.get(key) is not value}
        return changed | {key: None for key in self._attrs if key not in now}

    def _argument(self, graph: Graph, index: int, arg: Any) -> Value:
        message = self.message
        attrs = message.arg_attr.get(index)
        unique_id = message.resource_arg_unique_id.get(index)
        value = Value(graph, None, index, arg.name)
        value.raw = RawArg(arg, attrs, unique_id)
        value.dtype = DType.of(arg.type) if arg.type else None
        value.shape = value.raw.shape
        if arg.handle_data:
            value.extra = {"resource": [(DType.of(h.dtype), read_shape(h.shape)) for h in arg.handle_data]}
        return value

    def _result(self, references: References, arg: Any) -> Output:
        text = self.message.ret.get(arg.name, "")
        found = references.values(text)
        value = found[0] if len(found) == 1 else references.values("")[0]
        return Output(arg.name, value, DType.of(arg.type) if arg.type else None, arg)


def serialize(graph: Graph, context: Context) -> bytes:
    """Return the bytes of a function as a `FunctionDef`."""
    source = graph.raw if isinstance(graph.raw, FunctionSource) else None
    raw: bytes = b"" if source is None else source.message.SerializeToString(deterministic=True)
    if source is not None and not graph.is_lifted:
        return _unlifted(graph, raw, context)
    out = schema.message("tensorflow.FunctionDef").FromString(protowire.without(raw, (_NODES,)))
    if out.signature.name != graph.name:
        out.signature.name = graph.name
    shapes_hold = all(value.raw is not None and value.shape == value.raw.shape for value in graph.inputs)
    if source is None or not shapes_hold or not _signature_is_original(graph, source.message):
        _lower_arguments(graph, out, source)
        _lower_results(graph, out)
    references = References(graph, source.layout_of if source else NodeListSource((), context, OpDefs()).layout_of)
    _lower_returns(graph, out, references, source)
    _lower_control_outputs(graph, out, source)
    _lower_function_attrs(graph, out, context, source)
    return protowire.insert(out.SerializeToString(deterministic=True), _NODES, serialize_nodes(graph, context))


def _unlifted(graph: Graph, raw: bytes, context: Context) -> bytes:
    """Respell only what the names of functions touch: nothing else can have changed."""
    names = context.renamed_functions
    if not names:
        return raw
    out = schema.message("tensorflow.FunctionDef").FromString(raw)
    out.signature.name = graph.name
    attr_values.rename_functions(out.attr, names)
    for node in out.node_def:
        if node.op in names:
            node.op = names[node.op]
        attr_values.rename_functions(node.attr, names)
    data: bytes = out.SerializeToString(deterministic=True)
    return data


def _signature_is_original(graph: Graph, message: Any) -> bool:
    args, results = message.signature.input_arg, message.signature.output_arg
    return (
        len(args) == len(graph.inputs)
        and len(results) == len(graph.outputs)
        and all(v.raw is not None and _arg_holds(v, a) for v, a in zip(graph.inputs, args, strict=True))
        and all(
            o.raw is not None and o.name == r.name and (o.dtype is None or o.dtype.number == r.type)
            for o, r in zip(graph.outputs, results, strict=True)
        )
    )


def _arg_holds(value: Value, arg: Any) -> bool:
    return bool(value.name == arg.name and (value.dtype is None or value.dtype.number == arg.type))


def _lower_arguments(graph: Graph, out: Any, source: FunctionSource | None) -> None:
    before = [] if source is None else [arg.name for arg in source.message.signature.input_arg]
    del out.signature.input_arg[:]
    out.arg_attr.clear()
    out.resource_arg_unique_id.clear()
    for index, value in enumerate(graph.inputs):
        raw: RawArg | None = value.raw
        arg = out.signature.input_arg.add()
        if raw is not None:
            arg.CopyFrom(raw.arg)
        arg.name = value.name or ""
        _lower_arg_type(arg, value.dtype)
        is_same = raw is not None and (value.dtype is None or value.dtype.number == raw.arg.type)
        if raw is not None and is_same and raw.attrs is not None:
            out.arg_attr[index].CopyFrom(raw.attrs)
        if value.shape is not None and (raw is None or not is_same or value.shape != raw.shape):
            out.arg_attr[index].attr["_output_shapes"].Clear()
            attr_values.encode([value.shape], out.arg_attr[index].attr["_output_shapes"], [])
        if raw is not None and is_same and raw.unique_id is not None:
            out.resource_arg_unique_id[index] = raw.unique_id
    if [value.name for value in graph.inputs] != before:
        out.attr.pop("_input_shapes", None)


def _lower_arg_type(arg: Any, dtype: DType | None) -> None:
    if dtype is None or dtype.number == arg.type:
        return
    arg.type = dtype.number
    arg.type_attr = ""
    if dtype is not RESOURCE:
        del arg.handle_data[:]
    arg.ClearField("experimental_full_type")


def _lower_results(graph: Graph, out: Any) -> None:
    del out.signature.output_arg[:]
    for output in graph.outputs:
        arg = out.signature.output_arg.add()
        if output.raw is not None:
            arg.CopyFrom(output.raw)
        arg.name = output.name
        _lower_arg_type(arg, output.dtype)


def _lower_returns(graph: Graph, out: Any, references: References, source: FunctionSource | None) -> None:
    before = {} if source is None else dict(source.message.ret.items())
    after = {}
    for output in graph.outputs:
        text = before.get(output.raw.name if output.raw is not None else "", "")
        found = references.values(text) if text else []
        if len(found) == 1 and found[0] is output.value:
            after[output.name] = references.current(text)
        elif output.value.is_dangling:
            if text or output.value.name:
                after[output.name] = text or output.value.name or ""
        else:
            after[output.name] = references.spell(output.value)
    if source is not None and len(graph.outputs) == len(source.message.signature.output_arg):
        listed = {arg.name for arg in source.message.signature.output_arg}
        after |= {key: text for key, text in before.items() if key not in listed}
    if dict(out.ret.items()) != after:
        out.ret.clear()
        out.ret.update(after)


def _lower_control_outputs(graph: Graph, out: Any, source: FunctionSource | None) -> None:
    before = {} if source is None else dict(source.message.control_ret.items())
    after = {key: node.name for key, node in graph.control_outputs.items()}
    after |= {key: name for key, name in before.items() if name not in graph.originals}
    if dict(out.control_ret.items()) != after:
        out.control_ret.clear()
        out.control_ret.update(after)
    kept = [key for key in out.signature.control_output if key in after or key not in before]
    kept += [key for key in after if key not in kept and key not in before]
    if list(out.signature.control_output) != kept:
        del out.signature.control_output[:]
        out.signature.control_output.extend(kept)


def _lower_function_attrs(graph: Graph, out: Any, context: Context, source: FunctionSource | None) -> None:
    attr_values.rename_functions(out.attr, context.renamed_functions)
    changed = source.changed_attrs(graph) if source is not None else graph.attrs
    for key, value in changed.items():
        out.attr.pop(key, None)
        if value is not None:
            attr_values.encode(value, out.attr[key], context.payloads)
