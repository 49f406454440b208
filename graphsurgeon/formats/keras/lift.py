"""A Keras configuration as graphs: layers are nodes, models inside models are functions.

Two ways to say who reads whom: Keras 1 and 2 list `[layer, call, output, arguments]` under `inbound_nodes`, Keras 3
the arguments of each call with `__keras_tensor__` objects in them. A layer that is called twice becomes two nodes,
`dense` and `dense#1`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from graphsurgeon.errors import FormatError
from graphsurgeon.formats import registry
from graphsurgeon.formats.keras.settings import settings
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Graph, Node, Output, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.node import FunctionRef
from graphsurgeon.model.shape import Shape

_DEEPEST = 30  # models in models
_MOST_OUTPUTS = 10_000  # of one call; a damaged number claims more


class Layer(NamedTuple):
    """A layer as a configuration has it.

    Attributes:
        calls: for each time it is called, what it reads.
    """

    name: str
    kind: str
    config: Mapping[str, Any]
    raw: Mapping[str, Any]
    calls: list[list[Reference]]


class Reference(NamedTuple):
    """One output of one call of a layer.

    Attributes:
        dtype, shape: where the configuration says them.
    """

    layer: str
    call: int
    output: int
    dtype: str | None = None
    shape: list[Any] | None = None


def lift(model: Mapping[str, Any]) -> MetaGraph:
    """Return the graphs of a model, from the object with `class_name` and `config`.

    Raises:
        FormatError: it is no configuration of a model, or nested too deeply.
    """
    metagraph = MetaGraph(vocabulary=registry.KERAS.vocabulary)
    metagraph.graph = Graph(metagraph, "subgraph")
    _fill(metagraph.graph, model, 0)
    return metagraph


def layers_of(model: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the layers of a model as they stand in its configuration; of one that lists none, nothing."""
    config = model.get("config")
    layers = config.get("layers") if isinstance(config, Mapping) else config
    return [layer for layer in layers if isinstance(layer, Mapping)] if isinstance(layers, list) else []


def is_model(value: Mapping[str, Any]) -> bool:
    """Say whether an object is a model: it has a list of layers."""
    config = value.get("config")
    if isinstance(config, Mapping):
        return isinstance(config.get("layers"), list)
    return isinstance(config, list) and value.get("class_name") == "Sequential"  # before Keras 2.2.3


def _fill(graph: Graph, model: Mapping[str, Any], depth: int) -> None:
    if depth > _DEEPEST:
        raise FormatError("models in models, too many deep")
    layers = [_layer(raw, number) for number, raw in enumerate(layers_of(model))]
    config = model.get("config")
    settings_of_model = config if isinstance(config, Mapping) else {}
    if "input_layers" in settings_of_model or any(layer.calls for layer in layers):
        _fill_functional(graph, layers, settings_of_model, depth)
    elif is_model(model):
        _fill_sequential(graph, layers, settings_of_model, depth)
    else:  # a class of the user's: what it is made of stands in its code
        node = _node(
            graph, Layer(_name_of(model, 0), str(model.get("class_name")), settings_of_model, model, []), depth
        )
        node.set_outputs([_add_value(graph, node.name, None, Shape(None))])


def _layer(raw: Mapping[str, Any], number: int) -> Layer:
    config = raw.get("config")
    calls = raw.get("inbound_nodes")
    return Layer(
        _name_of(raw, number),
        str(raw.get("class_name", "?")),
        config if isinstance(config, Mapping) else {},
        raw,
        [list(references(call)) for call in calls] if isinstance(calls, list) else [],
    )


def _name_of(raw: Mapping[str, Any], number: int) -> str:
    config = raw.get("config")
    name = raw.get("name") or (config.get("name") if isinstance(config, Mapping) else None)
    return name if isinstance(name, str) and name else f"{raw.get('class_name', 'layer')}_{number}"


def references(call: Any, depth: int = 0) -> Iterator[Reference]:
    """Yield the tensors that a call reads, in order, from either way to write it down; other arguments are left out."""
    if depth > _DEEPEST:
        return
    if isinstance(call, Mapping):
        if call.get("class_name") == "__keras_tensor__":
            yield from _keras_tensor(call.get("config"))
        else:
            for value in call.values():
                yield from references(value, depth + 1)
    elif isinstance(call, list):
        if _is_reference(call):
            yield Reference(call[0], call[1], call[2])
            call = call[3:]
        for value in call:
            yield from references(value, depth + 1)


def _is_reference(item: list[Any]) -> bool:
    """Say whether a list is `[layer, call, output, ...]`; a constant in its place has the call -1."""
    if len(item) < 3 or not isinstance(item[0], str):
        return False
    return all(isinstance(number, int) and not isinstance(number, bool) and number >= 0 for number in item[1:3])


def _keras_tensor(config: Any) -> Iterator[Reference]:
    history = config.get("keras_history") if isinstance(config, Mapping) else None
    if isinstance(history, list) and _is_reference(history):
        shape, dtype = config.get("shape"), config.get("dtype")
        yield Reference(
            history[0], history[1], history[2],
            dtype if isinstance(dtype, str) else None, shape if isinstance(shape, list) else None,
        )  # fmt: skip


# -- the two kinds of models -------------------------------------------------------------------------------


def _fill_functional(graph: Graph, layers: list[Layer], config: Mapping[str, Any], depth: int) -> None:
    inputs, outputs = _ends(config.get("input_layers")), _ends(config.get("output_layers"))
    shifts = shifts_of(layers, [*inputs, *outputs])
    layers = [layer._replace(calls=[_shifted(call, shifts) for call in layer.calls]) for layer in layers]
    inputs, outputs = _shifted(inputs, shifts), _shifted(outputs, shifts)
    calls: dict[tuple[str, int], Node] = {}
    read = [reference for layer in layers for call in layer.calls for reference in call]
    widths = _widths([*read, *inputs, *outputs])
    for layer in layers:
        for number in range(max(1, len(layer.calls))):
            node = _node(graph, layer, depth, number)
            node.set_outputs(_outputs(graph, node, layer, widths.get((layer.name, number), 1)))
            calls.setdefault((layer.name, number), node)
    values = _Values(graph, calls)
    for layer in layers:
        for number, references_of_call in enumerate(layer.calls):
            node = calls[(layer.name, number)]
            node.inputs = [values.get(reference) for reference in references_of_call]
    graph.inputs = [values.get(reference) for reference in inputs]
    graph.outputs = [Output("", value, value.dtype) for value in (values.get(reference) for reference in outputs)]


def shifts_of(layers: list[Layer], ends: list[Reference]) -> dict[str, int]:
    """Return for models inside a model how far the numbers of their calls are off.

    Keras 1 and 2 count the call that made the model itself: its first call by others is number 1.
    """
    most: dict[str, int] = {}
    for reference in [*ends, *(one for layer in layers for call in layer.calls for one in call)]:
        most[reference.layer] = max(most.get(reference.layer, 0), reference.call)
    inside = {layer.name: len(layer.calls) for layer in layers if is_model(layer.raw)}
    return {name: most[name] + 1 - count for name, count in inside.items() if most.get(name, 0) >= count > 0}


def shifts_of_model(model: Mapping[str, Any]) -> dict[str, int]:
    """Return the same from the configuration of a model."""
    config = model.get("config")
    layers = [_layer(raw, number) for number, raw in enumerate(layers_of(model))]
    ends = [config.get("input_layers"), config.get("output_layers")] if isinstance(config, Mapping) else []
    return shifts_of(layers, _ends(ends))


def _shifted(references: list[Reference], shifts: Mapping[str, int]) -> list[Reference]:
    return [one._replace(call=max(0, one.call - shifts.get(one.layer, 0))) for one in references]


def _ends(value: Any) -> list[Reference]:
    return list(references(value))


def _widths(read: list[Reference]) -> dict[tuple[str, int], int]:
    """Return how many outputs of each call somebody reads."""
    widths: dict[tuple[str, int], int] = {}
    for layer, call, output, *_ in read:
        if output < _MOST_OUTPUTS:
            widths[(layer, call)] = max(widths.get((layer, call), 1), output + 1)
    return widths


class _Values:
    """Values by layer, call and output; one that does not exist dangles under the name that names it."""

    def __init__(self, graph: Graph, calls: Mapping[tuple[str, int], Node]) -> None:
        self._graph = graph
        self._calls = calls
        self._dangling: dict[str, Value] = {}

    def get(self, reference: Reference) -> Value:
        node = self._calls.get((reference.layer, reference.call))
        if node is None or reference.output >= len(node.outputs):
            return self._missing(reference)
        value = node.outputs[reference.output]
        if reference.shape is not None and value.shape is not None and value.shape.dims is None:
            value.shape = _shape(reference.shape)
        if reference.dtype is not None and value.dtype is None:
            value.dtype = _dtype(reference.dtype)
        return value

    def _missing(self, reference: Reference) -> Value:
        name = f"{reference.layer}:{reference.call}:{reference.output}"
        if name not in self._dangling:
            value = self._dangling[name] = Value(self._graph, None, len(self._dangling) + (1 << 30), name)
            value.is_dangling = True
        return self._dangling[name]


def _fill_sequential(graph: Graph, layers: list[Layer], config: Mapping[str, Any], depth: int) -> None:
    current: Value | None = None
    for layer in layers:
        node = _node(graph, layer, depth)
        if current is None and layer.kind != "InputLayer":
            current = _sequential_input(graph, layer, config)
        if current is not None:
            node.inputs = [current]
        (current,) = _outputs(graph, node, layer, 1)
        node.set_outputs([current])
        if layer.kind == "InputLayer" and not graph.inputs:
            graph.inputs = [current]
        build = layer.raw.get("build_config")
        shape = build.get("input_shape") if isinstance(build, Mapping) else None
        if isinstance(shape, list) and node.inputs and node.inputs[0].shape == Shape(None):
            node.inputs[0].shape = _shape(shape)
    graph.outputs = [Output("", current, current.dtype)] if current is not None else []


def _sequential_input(graph: Graph, first: Layer, config: Mapping[str, Any]) -> Value:
    """Return the input of a model without an InputLayer, under the name that Keras gives it."""
    shape = first.config.get("batch_input_shape")
    shape = shape if isinstance(shape, list) else config.get("build_input_shape")
    value = _add_value(graph, f"{first.name}_input", _layer_dtype(first.config), _shape(shape))
    graph.inputs = [value]
    return value


# -- parts -------------------------------------------------------------------------------------------------


def _node(graph: Graph, layer: Layer, depth: int, call: int = 0) -> Node:
    name = layer.name if not call else f"{layer.name}#{call}"
    free = name if graph.node(name) is None else graph.unique_name(name)

    def nested(value: Mapping[str, Any], setting: str) -> FunctionRef | None:
        return _function(graph, value, f"{layer.name}.{setting}", depth) if is_model(value) else None

    attrs = settings({key: value for key, value in layer.config.items() if key not in _MODEL}, nested)
    if is_model(layer.raw):
        attrs = {"model": _function(graph, layer.raw, layer.name, depth)}
    return graph.add_node(layer.kind, free, (), attrs)


_MODEL = frozenset({"layers", "input_layers", "output_layers"})


def _function(graph: Graph, model: Mapping[str, Any], name: str, depth: int) -> FunctionRef:
    """Return a reference to the function of a model inside a model; a second call of it has the same."""
    metagraph = graph.metagraph
    full = f"{graph.name}/{name}" if graph.name else name
    function = metagraph.functions.get(full)
    if function is None:
        function = Graph(metagraph, "subgraph", full)
        metagraph.functions[full] = function
        _fill(function, model, depth + 1)
    return FunctionRef(function)


def _outputs(graph: Graph, node: Node, layer: Layer, count: int) -> list[Value]:
    is_input = layer.kind == "InputLayer"
    dtype = _layer_dtype(layer.config) if is_input else None
    shape = _shape(layer.config.get("batch_shape", layer.config.get("batch_input_shape"))) if is_input else Shape(None)
    names = [node.name, *(f"{node.name}:{number}" for number in range(1, count))]
    return [_add_value(graph, name, dtype, shape) for name in names]


def _shape(dims: Any) -> Shape:
    """Return a shape from JSON, of unknown rank if it is none."""
    if not isinstance(dims, list) or not all(dim is None or isinstance(dim, int) for dim in dims):
        return Shape(None)
    return Shape(dims)


def _add_value(graph: Graph, name: str, dtype: DType | None, shape: Shape) -> Value:
    value = graph.add_value(name, dtype or DType.of(0), shape)
    value.dtype = dtype
    return value


def _layer_dtype(config: Mapping[str, Any]) -> DType | None:
    """Return what a layer says its dtype is; float32 where it says nothing, as in Keras 1 and 2."""
    found = config.get("dtype")
    if isinstance(found, Mapping):
        inner = found.get("config")
        found = inner.get("name") if isinstance(inner, Mapping) else None
    return _dtype(found) if isinstance(found, str) else DType.named("float32")


def _dtype(name: str) -> DType | None:
    try:
        return DType.named(name.removeprefix("mixed_"))
    except KeyError:
        return None
