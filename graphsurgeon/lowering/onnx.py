"""ONNX's graph into TensorFlow's: inputs become placeholders, outputs a signature, nodes what the table says."""

from __future__ import annotations

from collections.abc import Mapping

from graphsurgeon.errors import UsageError
from graphsurgeon.lowering import Lowered, LoweringOptions, refuse
from graphsurgeon.lowering.builder import Builder, as_ordered, legal_name
from graphsurgeon.lowering.ends import turned_inputs, turned_outputs
from graphsurgeon.lowering.layout import channels_last
from graphsurgeon.lowering.operand import Operand, is_held
from graphsurgeon.lowering.scope import LoweringWork, Refused, Scope
from graphsurgeon.lowering.table import LoweringError
from graphsurgeon.model.format import TENSORFLOW
from graphsurgeon.model.graph import Output, Value
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import MetaGraph, Signature, SignatureEntry
from graphsurgeon.model.shape import UNKNOWN_RANK, Shape
from graphsurgeon.model.traversal import upstream
from graphsurgeon.ops import onnx
from graphsurgeon.shapes.dims import Dim, Dims, Symbol
from graphsurgeon.shapes.fact import Fact

KEY = "serving_default"
METHOD = "tensorflow/serving/predict"
PRODUCER = 1395  # GraphDef version of TensorFlow 2.13: no op that is made here has changed its meaning since


def lower(metagraph: MetaGraph, options: LoweringOptions) -> Lowered:
    """Make a SavedModel's MetaGraph of that of an ONNX model.

    Raises:
        UnsupportedError: nodes, types or versions that nothing is known for; all of them are named.
        UsageError: a shape is given for what is no input.
    """
    target = MetaGraph(vocabulary=TENSORFLOW, tags=["serve"])
    target.producer = {"graph_version": PRODUCER}
    work = LoweringWork(metagraph, target, options.keep_layout)
    _require_known_opset(work)
    scope = Scope(work, metagraph.graph, Builder(target.graph, work.session))
    keys = _Keys(work)
    inputs = _Inputs(scope, options.shapes).add(keys)
    results = scope.run()
    outputs = _outputs(scope, results, keys)
    refuse(work.refused)
    _sweep(target, outputs)
    if work.turned:
        told = ", ".join(work.turned)
        work.notes[f"channels are the last axis of {told}, and were axis 1 (--keep-layout leaves them)"] = None
    target.signatures[KEY] = Signature(KEY, target.graph, inputs, outputs, method=METHOD)
    return Lowered(target, work.names, work.turned, list(work.notes))


def _sweep(target: MetaGraph, outputs: Mapping[str, SignatureEntry]) -> None:
    """Take out what leads to no output, such as shapes that turned out to be known; inputs stay."""
    ends = [entry.mention.node for entry in outputs.values() if entry.mention is not None]
    needed = upstream([node for node in ends if node is not None])
    target.graph.take_out([node for node in target.graph.nodes if node not in needed and node.op != "Placeholder"])


def _require_known_opset(work: LoweringWork) -> None:
    for domain, version in work.opsets.items():
        newest = onnx.newest(domain)
        if newest and version > newest:
            why = f"the model imports version {version} of {domain}, and {newest} is the last one known here"
            work.refused.append(Refused(domain, "opset", why))
    refuse(work.refused)


class _Keys:
    """Keys of the signature: letters, digits and `_`, a letter first, since loaders take others differently."""

    def __init__(self, work: LoweringWork) -> None:
        self.work = work
        self.taken: dict[str, set[str]] = {}

    def key(self, name: str, side: str) -> str:
        """Return the key of an input or output ("input", "output"), and remember where it is another name."""
        found = "".join(c if c.isalnum() and c.isascii() else "_" for c in name)
        found = found if found[:1].isalpha() else f"{side}_{found.lstrip('_')}"
        taken, number, free = self.taken.setdefault(side, set()), 0, found
        while free in taken:
            number += 1
            free = f"{found}_{number}"
        taken.add(free)
        if free != name:
            self.work.names[name] = free
        return free


class _Inputs:
    """Inputs of the source as placeholders."""

    def __init__(self, scope: Scope, shapes: Mapping[str, Shape]) -> None:
        self.scope = scope
        self.shapes = shapes
        self.turned = set() if scope.work.keep_layout else turned_inputs(scope.graph)
        self._named: dict[str, Symbol] = {}
        names = [value.name for value in scope.graph.inputs]
        unknown = [name for name in shapes if name not in names]
        if unknown:
            raise UsageError(
                f"a shape is given for {unknown[0]!r}, which is no input of the model",
                hint=f"one of {', '.join(name for name in names if name)}",
            )

    def add(self, keys: _Keys) -> dict[str, SignatureEntry]:
        """Add a placeholder for each input; return the entries of the signature."""
        entries: dict[str, SignatureEntry] = {}
        for value in self.scope.graph.inputs:
            entry = self._placeholder(value)
            if entry is not None:
                entries[keys.key(value.name or "x", "input")] = entry
        return entries

    def _placeholder(self, value: Value) -> SignatureEntry | None:
        name, dtype = value.name or "x", value.dtype
        if dtype is None or not is_held(dtype):
            self.scope.work.refused.append(Refused(name, "input", f"TensorFlow has no input of type {dtype}"))
            return None
        builder = self.scope.builder
        dims = self._dims(value)
        order = channels_last(len(dims)) if dims is not None and value in self.turned else None
        if dims is not None and order is not None:
            dims = tuple(dims[axis] for axis in order)
            self.scope.work.turned[name] = list(order)
        shape = Shape(None if dims is None else (dim if isinstance(dim, int) else None for dim in dims))
        title = builder.graph.unique_name(legal_name(name))
        node = builder.graph.add_node("Placeholder", title, (), {"dtype": dtype, "shape": shape})
        builder.known.learn(node)
        self.scope.define(value, as_ordered(builder.learn(node.output(0), Fact(dims, dtype=dtype)), order))
        return SignatureEntry(Mention.of(node.output(0), f"signature {KEY}, input {name}"), dtype, shape)

    def _dims(self, value: Value) -> Dims | None:
        """Return the shape of an input; a dimension's name stands for one number wherever it occurs.

        A dimension of -1 or 0 in a file is one that nobody knew.
        """
        given = self.shapes.get(value.name or "")
        shape = given if given is not None else value.shape if value.shape is not None else UNKNOWN_RANK
        if shape.dims is None:
            return None
        names = (value.extra or {}).get("dim_names") or (None,) * len(shape.dims)
        if len(names) != len(shape.dims):
            names = (None,) * len(shape.dims)
        return tuple(self._dim(dim, name) for dim, name in zip(shape.dims, names, strict=True))

    def _dim(self, dim: int | None, name: str | None) -> Dim:
        if dim is not None:
            return dim
        if not name:
            return self.scope.work.session.new_symbol()
        if name not in self._named:
            self._named[name] = self.scope.work.session.new_symbol()
        return self._named[name]


def _outputs(scope: Scope, results: list[Operand | None], keys: _Keys) -> dict[str, SignatureEntry]:
    entries: dict[str, SignatureEntry] = {}
    turned = set() if scope.work.keep_layout else turned_outputs(scope.graph)
    for output, result in zip(scope.graph.outputs, results, strict=True):
        key = keys.key(output.name, "output")
        entry = _entry(scope, output, result, turns=output.value in turned) if result is not None else None
        if entry is not None:
            entries[key] = entry
    return entries


def _entry(scope: Scope, output: Output, result: Operand, *, turns: bool) -> SignatureEntry | None:
    """Return the entry of an output: a node of its name, an Identity where what yields it has another."""
    builder = scope.builder
    builder.scope = name = legal_name(output.name)
    try:
        if result.parts is not None:
            raise LoweringError("a sequence as an output of the model")
        plain = result
        if turns and result.order is not None and result.order == channels_last(len(result.order)):
            scope.work.turned[output.name] = list(result.order)
        else:
            plain = builder.plain(result)
        value = builder.value(plain)
    except LoweringError as error:
        scope.work.refused.append(Refused(output.name, "output", str(error)))
        return None
    node = value.producer
    assert node is not None
    other = builder.graph.node(name)
    if other is not None and other is not node and other.op != "Placeholder":  # what comes before the last step
        other.name = builder.graph.unique_name(f"{name}/{other.op}")
    free = builder.graph.node(name) is None
    if free and value.port == 0 and node.name.startswith(f"{name}/") and node.op not in ("Const", "Placeholder"):
        node.name = name
    elif node.name != name or value.port != 0 or node.op in ("Const", "Placeholder"):
        value = builder.graph.add_node("Identity", builder.graph.unique_name(name), value).output(0)
    return SignatureEntry(
        Mention.of(value, f"signature {KEY}, output {output.name}"), plain.fact.dtype, plain.fact.shape
    )
