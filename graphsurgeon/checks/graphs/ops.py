"""Rules about nodes and the definitions of their ops."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from graphsurgeon.analysis.flow.calls import Place, origin
from graphsurgeon.checks.graphs.nodes import Running
from graphsurgeon.checks.places import Nodes, every_node, place
from graphsurgeon.checks.signatures import shapes as signature_shapes
from graphsurgeon.formats.graph.nodetypes import Types
from graphsurgeon.formats.graph.values.attrs import has_attr
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.finding import Finding, Severity
from graphsurgeon.model.graph import AttrValue, Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.shape import UNKNOWN_RANK, Shape
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.model.traversal import upstream
from graphsurgeon.ops import catalog
from graphsurgeon.ops.kinds import CONSTANTS, ENTERS, MERGES, PLACEHOLDERS, PYTHON, SWITCHES, TRT_ENGINES, TRT_RESOURCES
from graphsurgeon.ops.libraries import tensorflow_library
from graphsurgeon.ops.opdef import OpDef
from graphsurgeon.shapes import infer_shapes
from graphsurgeon.shapes.propagate import RECORDS


def unknown_ops(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find ops without definition: one finding an op."""
    known: set[str] = set()
    nodes: dict[str, list[Node]] = {}
    for graph in metagraph.graphs:
        for node in graph.nodes:
            op = node.op
            if op in known:
                continue
            if definition(node) is None or op in PYTHON:
                nodes.setdefault(op, []).append(node)
            else:
                known.add(op)
    for op, found in nodes.items():
        where = place(found[0].graph, found[0]) + (f" and {len(found) - 1} more" if len(found) > 1 else "")
        if not op:
            yield Finding("error", where, "it has no op", "get the file again", "no-op-name")
            continue
        if op in PYTHON:
            what = f"needs the Python process that made the graph: {op!r} calls a function of it"
            yield Finding("needs", where, what, "take it out of the graph, or make the graph anew", "python-op")
            continue
        library = tensorflow_library(op) or f"the library that has the op {op!r}"
        what = f"needs {library}: {op!r} is neither one of TensorFlow's ops nor a function of the model"
        plain = "; gs strip --only trt does without" if op in TRT_ENGINES | TRT_RESOURCES else ""
        yield Finding("needs", where, what, f"load it before the model{plain}", "unknown-op")


def nodes_against_definitions(metagraph: MetaGraph, nodes: Nodes = every_node) -> Iterator[Finding]:
    """Find nodes whose inputs or attributes are not those of their op, or that read outputs there are none of."""
    version = metagraph.producer.get("graph_version")
    demands: dict[str, _Demands] = {}
    for graph in metagraph.graphs:
        known = OutputTypes()
        for node in nodes(graph):
            opdef = definition(node)
            if opdef is None:
                continue
            types = known.both_of(node, opdef)
            asked = demands.get(node.op) or demands.setdefault(node.op, _Demands(opdef))
            if not asked.is_met(types):
                yield from asked.attributes(node, types)
            if 0 < opdef.deprecated_since <= (version if isinstance(version, int) else 0):
                what = f"the op {opdef.name} is refused from version {opdef.deprecated_since} of graphs on"
                yield Finding("error", place(graph, node), what, "replace it by its successor", "deprecated-op")
            expected = _expected_types(node, opdef, types)
            if expected is None or not known.are(node.inputs, expected):
                yield from _inputs(node, opdef, expected, known)


class _Demands:
    """What an op asks of the attributes of a node."""

    def __init__(self, opdef: OpDef) -> None:
        self.op = opdef.name
        self.needed = [name for name, attr in opdef.attrs.items() if not attr.has_default]
        self.limited = [(name, attr.allowed) for name, attr in opdef.attrs.items() if attr.allowed is not None]
        self._names = {*self.needed, *(name for name, _ in self.limited)}
        self._sound: dict[int, Types] = {}

    def is_met(self, types: Types) -> bool:
        """Say whether nothing is asked, or nodes with the same telling attributes were found sound."""
        return not self._names or id(types) in self._sound

    def attributes(self, node: Node, types: Types) -> Iterator[Finding]:
        """Find attributes that are missing or not taken."""
        faults = list(self._faults(node))
        yield from faults
        if not faults and types.telling is not None and self._names <= types.telling:
            self._sound[id(types)] = types

    def _faults(self, node: Node) -> Iterator[Finding]:
        for name in self.needed:
            if not has_attr(node, name):
                what = f"its attribute {name!r} is missing, which {self.op} needs"
                yield Finding("error", place(node.graph, node), what, "set it", "missing-attribute")
        for name, allowed in self.limited:
            if has_attr(node, name) and not _is_allowed(node.attrs[name], allowed):
                what = f"its attribute {name!r} is {_shown(node.attrs[name])}, which {self.op} does not take"
                yield Finding("error", place(node.graph, node), what, "set one that it takes", "attribute-value")


def definition(node: Node) -> OpDef | None:
    """Return the definition of a node's op, or the signature of the function that it calls; None if unknown."""
    source: Any = node.graph.raw
    if source is not None:
        found: OpDef | None = source.opdef_of(node)
        return found
    return catalog.of(node) if node.callee is None else None


class OutputTypes:
    """The types of the outputs of nodes, each worked out once."""

    def __init__(self) -> None:
        self._known: dict[Node, list[DType] | None] = {}

    def of(self, value: Value) -> DType | None:
        """Return the type of a value as definitions or the file give it; None if nothing says."""
        node = value.producer
        if node is None:
            return value.dtype
        types = self.all_of(node)
        if types is None or not isinstance(value.port, int) or value.port >= len(types):
            return None
        return types[value.port] if types[value.port].number else None

    def are(self, values: Sequence[Value], expected: Sequence[DType]) -> bool:
        """Say whether values are outputs of nodes, of just the types expected."""
        if len(values) != len(expected):
            return False
        for value, wanted in zip(values, expected, strict=True):
            types = self.all_of(value.producer) if value.producer is not None else None
            if types is None or not isinstance(value.port, int) or value.port >= len(types):
                return False
            if types[value.port] is not wanted:
                return False
        return True

    def all_of(self, node: Node) -> list[DType] | None:
        """Return the types of all outputs of a node, None if unknown."""
        if node not in self._known:
            self._known[node] = node.output_dtypes()
        return self._known[node]

    def both_of(self, node: Node, opdef: OpDef) -> Types:
        """Return the types that a node's op takes and gives."""
        source: Any = node.graph.raw
        if source is None or node.callee is not None:
            types = Types(opdef.input_dtypes(node.attrs), opdef.output_dtypes(node.attrs))
        else:
            types = source.types_of(node)
        self._known[node] = types.outputs
        return types


def _is_allowed(value: AttrValue, allowed: tuple[bytes | DType, ...]) -> bool:
    if isinstance(value, list):
        return all(_is_allowed(item, allowed) for item in value)
    if isinstance(value, DType):
        return value.base in allowed or value in allowed
    return value in allowed if isinstance(value, bytes) else True  # a placeholder, in the body of a generic function


def _shown(value: AttrValue) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def _inputs(node: Node, opdef: OpDef, expected: list[DType] | None, known: OutputTypes) -> Iterator[Finding]:
    if expected is not None and len(expected) != len(node.inputs):
        what = f"it has {len(node.inputs)} inputs, {opdef.name} takes {len(expected)}"
        yield Finding("error", place(node.graph, node), what, "give it the inputs that it takes", "input-count")
        expected = None
    for index, value in enumerate(node.inputs):
        producer, port = value.producer, value.port
        outputs = known.all_of(producer) if producer is not None else None
        if outputs is None or not isinstance(port, int):
            found = value.dtype if producer is None else None
        elif port < len(outputs):
            found = outputs[port]
        else:
            what = f"it reads output {port} of {producer}, which has {len(outputs)}"
            yield Finding("error", place(node.graph, node), what, "read an output that there is", "output-number")
            continue
        if expected is not None and found is not None and found is not expected[index]:
            yield from _type_mismatch(node, opdef, index, found, expected[index])


def _type_mismatch(node: Node, opdef: OpDef, index: int, found: DType, wanted: DType) -> Iterator[Finding]:
    if wanted.number and found.number and not _fits(found, wanted):
        what = f"its input {index}, {node.inputs[index]}, is {found}, {opdef.name} takes {wanted}"
        yield Finding("error", place(node.graph, node), what, _type_hint(node, index, wanted), "input-type")


def _type_hint(node: Node, index: int, wanted: DType) -> str:
    """Say what helps; a constant that freezing has left in a training branch, for a variable, is no matter of casts."""
    producer = node.inputs[index].producer
    if not wanted.is_ref or producer is None or producer.op not in CONSTANTS:
        return "put a Cast between, or set its types"
    if node.op not in SWITCHES:
        return "a variable became a constant here: gs strip takes the write out, where nothing needs it"
    decides = origin(Place(node.inputs[1])).value.producer if len(node.inputs) > 1 else None
    flag = decides.name if decides is not None and decides.op in PLACEHOLDERS else "PLACEHOLDER"
    return f"gs set-input --set {flag}=false takes the training branch out, where a variable became a constant"


def _expected_types(node: Node, opdef: OpDef, types: Types) -> list[DType] | None:
    if node.callee is not None and any(arg.type_attr or arg.type_list_attr or arg.number_attr for arg in opdef.inputs):
        return None  # a generic function of TensorFlow 1: its types are attributes of the caller
    return types.inputs


def _fits(found: DType, wanted: DType) -> bool:
    """A reference stands for its value, not the other way round."""
    return found is wanted or (found.is_ref and found.base is wanted)


_MOST_ELEMENTS = 1 << 60  # what is larger overflows the 64 bits of its number of bytes


_NO_SHAPE = "its value has the shape"  # which importers look at, whether anything runs the node or not


def constants(metagraph: MetaGraph, nodes: Nodes = every_node) -> Iterator[Finding]:
    """Find constants that no loader can make a tensor of; where nothing runs them, only importers look at them."""
    running = Running(metagraph)
    for graph in metagraph.graphs:
        for node in nodes(graph):
            value = node.attrs.get("value") if node.op in CONSTANTS else None
            if isinstance(value, Tensor):
                for what in _faults(node, value):
                    severity: Severity = "error" if what.startswith(_NO_SHAPE) else running.severity(node)
                    yield Finding(severity, place(graph, node), what, "the file is damaged: get it again", "constant")


def _faults(node: Node, tensor: Tensor) -> Iterator[str]:
    dtype = node.attrs.get("dtype")
    if isinstance(dtype, DType) and dtype is not tensor.dtype:
        yield f"its value is {tensor.dtype}, its dtype says {dtype}"
    count = tensor.shape.num_elements
    if count is None or count >= _MOST_ELEMENTS:
        yield f"{_NO_SHAPE} {tensor.shape}"
        return
    stored = getattr(tensor.source, "content_size", None)
    if stored is not None and tensor.dtype.bits and stored != tensor.nbytes:
        yield f"{stored} bytes are stored for {tensor.dtype} of shape {tensor.shape}, which takes {tensor.nbytes}"


_SIGNATURE = "signature "
_OF_THE_TENSOR = "set the signature's dtype and shape to those of the tensor"
OUTPUT_SHAPES = "_output_shapes"


def contradictions(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find nodes whose inputs their op cannot take, recorded shapes that cannot be, and signatures that say other."""
    recording: set[str] | None = None
    report = infer_shapes(metagraph)
    in_loops = _in_loops(metagraph) if any(RECORDS in found.what for found in report.findings) else frozenset()
    for found in report.findings:
        if found.where.startswith(_SIGNATURE):
            yield Finding("warning", found.where, found.what, _OF_THE_TENSOR, "signature-shape")
        else:
            recording = _recording(metagraph) if recording is None else recording
            is_refused = _is_refused(metagraph, found) or (not found.graph and found.where in in_loops)
            yield _of_node(found, is_refused=is_refused, is_recorded=found.graph in recording)
    yield from signature_shapes.outputs(metagraph, report)
    yield from signature_shapes.sparse(metagraph, report)


def _recording(metagraph: MetaGraph) -> set[str]:
    """Return the names of the graphs whose nodes record shapes, `""` for the main one."""
    graphs = [graph for graph in metagraph.graphs if any(OUTPUT_SHAPES in node.attrs for node in graph.nodes)]
    return {"" if graph is metagraph.graph else graph.name for graph in graphs}


def _in_loops(metagraph: MetaGraph) -> frozenset[str]:
    """Return the nodes whose records contradict what an importer knows in loops: what is recorded of their heads."""
    heads = [node for node in metagraph.graph.nodes if node.op in ENTERS | MERGES]
    if not heads:
        return frozenset()
    known: dict[str | Value, Shape | Sequence[int | None]] = {}
    for node in heads:
        shapes = node.attrs.get(OUTPUT_SHAPES)
        recorded = shapes[0] if isinstance(shapes, list) and shapes else None
        known[node.outputs[0]] = recorded if isinstance(recorded, Shape) else UNKNOWN_RANK
    report = infer_shapes(metagraph.graph, assume=known)
    return frozenset(found.where for found in report.findings if RECORDS in found.what)


def _of_node(found: Finding, *, is_refused: bool, is_recorded: bool) -> Finding:
    where = f"function {found.graph}, node {found.where}" if found.graph else f"node {found.where}"
    hint = "the input is not what the op wants"
    if is_recorded:
        hint = f"gs strip --only recorded-shapes takes recorded shapes out; else {hint}"
    return Finding("error" if is_refused else "warning", where, found.what, hint, "shape")


def _is_refused(metagraph: MetaGraph, found: Finding) -> bool:
    """Say whether an importer infers the shape too: of functions only that of tf.saved_model.load.

    Behind the head of a loop importers know less than what is inferred here, so they see no contradiction.
    """
    if found.graph:
        return metagraph.objects is not None and bool(metagraph.objects.nodes)
    node = metagraph.graph.node(found.where)
    return RECORDS not in found.what or node is None or all(one.op not in ENTERS for one in upstream([node]))
