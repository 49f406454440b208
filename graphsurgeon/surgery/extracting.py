"""Extract the part of a GraphDef family's graph between some tensors into a new main graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from graphsurgeon.analysis.flow.attributes import dtype_of
from graphsurgeon.analysis.flow.calls import needed_functions, reached_functions
from graphsurgeon.analysis.flow.captures import captured_keys
from graphsurgeon.analysis.flow.load_path import LoadPath
from graphsurgeon.analysis.flow.placeholders import placeholder_shape
from graphsurgeon.analysis.flow.restore_map import Restored, resource_key, resource_name, restore_map
from graphsurgeon.analysis.names import find_value
from graphsurgeon.analysis.tensors import TensorFact
from graphsurgeon.errors import FileError, UnsupportedError, UsageError
from graphsurgeon.model.dtype import STRING, DType
from graphsurgeon.model.graph import AttrValue, Graph, Node, Value
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import Asset, MetaGraph, Signature, SignatureEntry
from graphsurgeon.model.model import Model
from graphsurgeon.model.shape import UNKNOWN_RANK, Shape
from graphsurgeon.model.traversal import producers, upstream
from graphsurgeon.ops.kinds import PLACEHOLDERS, TABLES, VARIABLES
from graphsurgeon.shapes import infer_shapes
from graphsurgeon.surgery.freezing.filled import check_filled
from graphsurgeon.surgery.freezing.saver import add_saver, keep_entries
from graphsurgeon.surgery.freezing.table_contents import TableContents
from graphsurgeon.surgery.freezing.tables import fill_tables
from graphsurgeon.surgery.moves.copy_part import CopiedPart, copy_part, needed_nodes
from graphsurgeon.surgery.moves.fetchable import check_fetchable
from graphsurgeon.surgery.moves.functions.carry_in import legal_name
from graphsurgeon.surgery.moves.inlining.inline_on_the_way import OpenedGraph, open_graph
from graphsurgeon.surgery.moves.reports import Extracted
from graphsurgeon.surgery.moves.signatures.feature_inputs import feature_inputs, parsing_signature, signature_outputs
from graphsurgeon.surgery.moves.signatures.signature_keys import METHODS, signature_key
from graphsurgeon.surgery.rename import LEGAL_NODE
from graphsurgeon.surgery.stripping.attrs import clear_stale_colocation

SIGNATURE = "serving_default"

_Tensors: TypeAlias = dict[str, tuple[Value, DType, Shape]]


@dataclass(frozen=True)
class _End:
    """A tensor at an end of the part.

    Attributes:
        value: in the source.
        name: that it is to have; empty for its own.
        key: of the signature.
        suggested: name for a placeholder, if nothing else is called so.
    """

    value: Value
    name: str
    key: str
    dtype: DType
    shape: Shape
    suggested: str = ""


@dataclass(frozen=True)
class _Ends:
    inputs: list[_End]
    outputs: list[_End]


def extract_graph(
    model: Model,
    metagraph: MetaGraph,
    outputs: Mapping[str, str],
    inputs: Mapping[str, str],
    *,
    calls: Sequence[str],
    graph: str | None,
    past_parser: bool = False,
    signature: Signature | None = None,
) -> Extracted:
    """Make the part between some tensors the only graph of a model.

    Args:
        model: changed in place, with its MetaGraph.
        metagraph: holds the tensors.
        outputs, inputs: tensor -> new name, empty for its own.
        calls: nodes that call functions, to choose among several ways to a function.
        graph: limits the search for the tensors.
        signature: whose keys are meant first, and which the part is called by; without outputs it is what they are.

    Raises:
        UsageError: a name is unknown, taken or illegal, or an input is not needed.
        UnsupportedError: a tensor cannot be fed or fetched, or the part needs something that cannot be cut out.
    """
    keys = _signature_keys([*([signature] if signature is not None else []), *metagraph.signatures.values()])
    notes: list[str] = []
    if past_parser:
        ends, notes = _ends_past_parser(metagraph, outputs, graph, signature, keys)
    else:
        if signature is not None:
            inputs = _by_key(inputs, signature.inputs) if inputs or outputs else _cut_at(signature)
            outputs = _by_key(outputs or dict.fromkeys(signature.outputs, ""), signature.outputs)
        ends = _find_ends(metagraph, outputs, inputs, graph, keys)
    opened = open_graph(metagraph, [end.value for end in (*ends.inputs, *ends.outputs)], calls)
    built = _Builder(metagraph, opened, ends, keys).run()
    built.notes += notes
    kept, tables = _keep_state(model, metagraph, built)
    return _commit(model, metagraph, built, kept, tables, SIGNATURE if signature is None else signature.key)


# -- what is asked for ---------------------------------------------------------------------------------


def _by_key(names: Mapping[str, str], entries: Mapping[str, SignatureEntry]) -> dict[str, str]:
    """Return the tensors behind keys of a signature; other names stay."""
    found: dict[str, str] = {}
    for text, name in names.items():
        mentions = entries[text].mentions if text in entries else []
        values = [mention.target for mention in mentions if isinstance(mention.target, Value)]
        found |= {str(value): name for value in values} or {text: name}
    return found


def _cut_at(signature: Signature) -> dict[str, str]:
    """Return the inputs of a signature that something computes: it is fed in their place, so the part begins there."""
    fed = {mention.target for entry in signature.inputs.values() for mention in entry.mentions}
    wanted = [mention.target for entry in signature.outputs.values() for mention in entry.mentions]
    values = [value for value in wanted if isinstance(value, Value)]
    needed = upstream(producers(values, fed), fed=fed)
    given = [(value, value.producer) for value in fed if isinstance(value, Value)]
    computed = [value for value, node in given if node is not None and node.op not in PLACEHOLDERS]
    used = (value for value in computed if value in values or any(user in needed for user in value.consumers))
    return {str(value): "" for value in used}


def _find_ends(
    metagraph: MetaGraph,
    outputs: Mapping[str, str],
    inputs: Mapping[str, str],
    graph: str | None,
    keys: Mapping[Value, str],
) -> _Ends:
    shapes = infer_shapes(metagraph)

    def end(text: str, name: str) -> _End:
        value = find_value(metagraph, text, graph=graph)
        dtype = check_fetchable(value, shapes.dtype(value))
        own = value.producer.name if value.producer is not None else value.name or ""
        return _End(value, name, name or keys.get(value) or signature_key(own), dtype.base, shapes.shape(value))

    found = _Ends([end(*item) for item in inputs.items()], [end(*item) for item in outputs.items()])
    _check_names(found)
    for group in (found.inputs, found.outputs):
        group[:] = _with_own_keys(group)
    return found


def _with_own_keys(ends: Sequence[_End]) -> list[_End]:
    """Return ends of which no two have one key: outputs of one node get the number of theirs behind it."""
    counts, seen = Counter(end.key for end in ends), set[str]()
    kept = []
    for end in ends:
        key = end.key if counts[end.key] == 1 else f"{end.key}_{end.value.port}"
        while key in seen or (key != end.key and key in counts):
            key += "_"
        seen.add(key)
        kept.append(replace(end, key=key) if key != end.key else end)
    return kept


def _ends_past_parser(
    metagraph: MetaGraph,
    outputs: Mapping[str, str],
    graph: str | None,
    signature: Signature | None,
    keys: Mapping[Value, str],
) -> tuple[_Ends, list[str]]:
    """Return the parsed features and the outputs, those of a signature if none are given; and what is to be told."""
    ends = _find_ends(metagraph, outputs, {}, graph, keys)
    shapes = infer_shapes(metagraph)
    if not ends.outputs:
        values = signature_outputs(parsing_signature(metagraph, None if signature is None else signature.key))
        dtypes = {key: check_fetchable(value, shapes.dtype(value)) for key, value in values.items()}
        ends.outputs.extend(_End(one, "", key, dtypes[key].base, shapes.shape(one)) for key, one in values.items())
    inside = next((end.value for end in ends.outputs if end.value.graph is not metagraph.graph), None)
    if inside is not None:
        raise UnsupportedError(f"{inside} lies in a function", hint="name an output of the main graph")
    found = feature_inputs(metagraph, [end.value for end in ends.outputs], shapes)
    for one in found.fed:
        check_fetchable(one.value, one.dtype)
    ends.inputs.extend(_End(one.value, "", one.name, one.dtype, one.shape, legal_name(one.name)) for one in found.fed)
    return ends, found.notes


def _signature_keys(signatures: Iterable[Signature]) -> dict[Value, str]:
    """Return the keys by which signatures know tensors; the first counts."""
    found: dict[Value, str] = {}
    for signature in signatures:
        for entries in (signature.inputs, signature.outputs):
            for key, entry in entries.items():
                for number, mention in enumerate(entry.mentions):
                    part = key if entry.mention is not None else f"{key}.{number}"  # of a ragged or sparse tensor
                    if isinstance(mention.target, Value):
                        found.setdefault(mention.target, part)
    return found


def _check_names(ends: _Ends) -> None:
    for group, noun in ((ends.inputs, "inputs"), (ends.outputs, "outputs")):
        values = [end.value for end in group]
        if len(set(values)) < len(values):
            twice = next(value for value, count in Counter(values).items() if count > 1)
            raise UsageError(f"{twice} is among the {noun} twice")
    names = Counter(end.name for end in (*ends.inputs, *ends.outputs) if end.name)
    for name, count in names.items():
        if not LEGAL_NODE.fullmatch(name):
            raise UsageError(f"{name!r} is no legal name of a node", hint="use A-Z a-z 0-9 _ . / > -")
        if count > 1:
            raise UsageError(f"two tensors would be named {name!r}")


# -- the new graph -------------------------------------------------------------------------------------


@dataclass
class _Built:
    """The new graph.

    Attributes:
        graph: the graph.
        nodes: node of the source's main graph -> its copy.
        inputs, outputs: signature key -> value of the new graph, with dtype and shape.
        notes: what the user should know.
    """

    graph: Graph
    nodes: dict[Node, Node]
    inputs: _Tensors
    outputs: _Tensors
    notes: list[str]


class _Builder:
    """Builds the new main graph."""

    def __init__(self, metagraph: MetaGraph, opened: OpenedGraph, ends: _Ends, keys: Mapping[Value, str]) -> None:
        self._opened = opened
        self._ends = ends
        self._graph = metagraph.graph.blank()
        self._keys = {value.producer.name: key for value, key in keys.items() if value.producer is not None}

    def run(self) -> _Built:
        """Copy what the outputs need up to the inputs."""
        source, values = self._opened.graph, self._opened.values
        wanted = [values[end.value] for end in self._ends.outputs]
        cut = {values[end.value]: self._add_placeholder(end) for end in self._ends.inputs}
        inputs = {end.key: (cut[values[end.value]], end.dtype, end.shape) for end in self._ends.inputs}
        inputs |= self._cut_arguments(source, wanted, cut)
        part = copy_part(source, self._graph, wanted, cut=cut, name=self._name)
        self._check_names(part)
        self._check_needed(cut)
        inputs |= self._open_placeholders({value.producer for value in cut.values()})
        outputs = {end.key: self._output(end, part.value(values[end.value])) for end in self._ends.outputs}
        origins = self._opened.origins
        nodes = {origins.get(node, node): copy for node, copy in part.nodes.items() if not origins or node in origins}
        clear_stale_colocation(self._graph)
        return _Built(self._graph, nodes, inputs, outputs, [])

    def _name(self, name: str) -> str:
        return name.removeprefix(self._opened.prefix) or name

    def _add_placeholder(self, end: _End) -> Value:
        free = end.suggested and self._opened.graph.unique_name(end.suggested)
        name = end.name or free or self._own_name(self._opened.values[end.value])
        attrs: dict[str, AttrValue] = {"dtype": end.dtype, "shape": end.shape}
        return self._graph.add_node("Placeholder", self._graph.unique_name(name), [], attrs).output(0)

    def _own_name(self, value: Value) -> str:
        """Return the name for what takes a tensor's place: its node's, or where that has more outputs one like it."""
        node = value.producer
        if node is None:
            return value.name or "input"
        name = self._name(node.name)
        is_only = len(node.output_dtypes() or (0,)) == 1
        return name if is_only else self._opened.graph.unique_name(f"{name}_{value.port}")

    def _cut_arguments(self, source: Graph, wanted: Sequence[Value], cut: dict[Value, Value]) -> _Tensors:
        """Let placeholders stand for the arguments of a function that is extracted by itself."""
        entries: _Tensors = {}
        for value in _needed_arguments(wanted, cut) if source.kind == "function" else ():
            if value.dtype is None or not (value.dtype.bits or value.dtype is STRING):
                raise UnsupportedError(
                    f"function {source.name!r} gets {value.name!r}, a {value.dtype}, from whoever calls it",
                    hint="choose inputs behind what reads it",
                )
            if self._ends.inputs:
                raise _left_out([str(value)])
            shape = value.shape or UNKNOWN_RANK
            attrs: dict[str, AttrValue] = {"dtype": value.dtype, "shape": shape}
            cut[value] = self._graph.add_node("Placeholder", self._graph.unique_name(str(value)), [], attrs).output(0)
            entries[signature_key(str(value))] = (cut[value], value.dtype, shape)
        return entries

    def _check_names(self, part: CopiedPart) -> None:
        """Refuse names for the ends that nodes of the part have already."""
        names = {self._name(node.name) for node in part.nodes}
        taken = [end.name for end in (*self._ends.inputs, *self._ends.outputs) if end.name in names]
        same = {end.name for end in self._ends.outputs if _is_called(self._opened.values[end.value], end.name)}
        for name in taken:
            if name not in same:
                raise UsageError(f"the part already has a node {name!r}", hint="choose another name")

    def _check_needed(self, cut: Mapping[Value, Value]) -> None:
        wanted = {self._opened.values[end.value] for end in self._ends.outputs}
        for end in self._ends.inputs:
            value = self._opened.values[end.value]
            if not cut[value].consumers and value not in wanted:
                raise UsageError(f"the outputs do not need {end.value}", hint="leave it out of --inputs")

    def _output(self, end: _End, value: Value) -> tuple[Value, DType, Shape]:
        if not end.name or _is_called(value, end.name):
            return value, end.dtype, end.shape
        identity = self._graph.add_node("Identity", end.name, [value], {"T": end.dtype})
        return identity.output(0), end.dtype, end.shape

    def _open_placeholders(self, fed: set[Node | None]) -> _Tensors:
        """Return the placeholders that came along, which are inputs too; with inputs given they must be among them."""
        found = [node for node in self._graph.nodes if node.op in PLACEHOLDERS and node not in fed]
        bare = [node.name for node in found if node.op != "PlaceholderWithDefault"]
        if bare and self._ends.inputs:
            raise _left_out(bare)
        entries: _Tensors = {}
        for node in found:
            dtype = dtype_of(node.output())
            if dtype is not None:
                entries[self._keys.get(node.name) or signature_key(node.name)] = (
                    node.output(),
                    dtype.base,
                    placeholder_shape(node),
                )
        return entries


def _left_out(names: Sequence[str]) -> UsageError:
    return UsageError(f"the outputs also need {', '.join(names[:5])}", hint=f"add {names[0]} to --inputs")


def _is_called(value: Value, name: str) -> bool:
    node = value.producer
    return node is not None and node.name == name and value.port == 0


def _needed_arguments(wanted: Sequence[Value], cut: Mapping[Value, Value]) -> list[Value]:
    """Return the arguments that some values need, not looking behind what is cut."""
    nodes = needed_nodes(wanted, (), cut)
    read = {*wanted, *(value for node in nodes for value in node.inputs)}
    return [value for value in wanted[0].graph.inputs if value in read and value not in cut]


# -- what loading needs --------------------------------------------------------------------------------


def _keep_state(model: Model, metagraph: MetaGraph, built: _Built) -> tuple[dict[Node, Restored], list[str]]:
    """Let tables fill themselves; return the variables that are left, and where their values are stored."""
    restored, load_path = restore_map(metagraph), LoadPath(metagraph)
    check_filled(load_path, built.graph, built.nodes)
    contents = TableContents(restored, load_path, model.checkpoint, [metagraph.graph])
    variables = {old: new for old, new in built.nodes.items() if old.op in VARIABLES}
    for table in [new for old, new in built.nodes.items() if old.op in TABLES]:
        table.attrs.pop("_output_shapes", None)  # of the reference that the first versions of these ops yielded
    tables = fill_tables(built.graph, reached_functions([built.graph]), contents)
    if not model.traits.variables:
        return {}, tables
    lacks = any(variable not in restored.variables for variable in variables)
    captured = captured_keys(metagraph, model.checkpoint) if lacks and model.checkpoint is not None else {}
    kept: dict[Node, Restored] = {}
    for old, new in variables.items():
        key = captured.get(old)
        source = restored.variables.get(old) or (Restored(key) if key is not None else None)
        if source is None and resource_key(old) in load_path.assigned:
            raise UnsupportedError(
                f"variable {resource_name(old)!r} is set when the model is loaded, not from the checkpoint",
                hint="gs freeze makes a constant of it",
            )
        if model.checkpoint is None:
            continue  # a graph beside which there is none: its variables go with it
        if source is None or source.key not in model.checkpoint.variables:
            raise FileError(f"the checkpoint has no value for variable {resource_name(old)!r}", path=model.path)
        kept[new] = source
    return kept, tables


def _commit(
    model: Model, metagraph: MetaGraph, built: _Built, kept: Mapping[Node, Restored], tables: list[str], key: str
) -> Extracted:
    """Make the new graph the model's only one."""
    functions = set(needed_functions(metagraph, built.graph))
    assets = [
        Asset(asset.filename, Mention.of(built.nodes[node].output(), asset.mention.where), asset.raw)
        for asset in metagraph.assets
        if (node := asset.mention.node) is not None and node in built.nodes
    ]
    metagraph.graph = built.graph
    metagraph.functions = {name: function for name, function in metagraph.functions.items() if function in functions}
    metagraph.signatures.clear()
    metagraph.collections.clear()
    metagraph.assets = assets
    metagraph.objects = None
    metagraph.saver = add_saver(built.graph, kept) if kept else None
    model.metagraphs = [metagraph]
    if model.traits.holds_signatures:
        metagraph.signatures[key] = _signature(built, key)
    if not kept:
        model.checkpoint = None
    elif model.checkpoint is not None and model.checkpoint.version != 1:
        keep_entries(model.checkpoint, kept)
    return Extracted(
        [TensorFact(str(value), dtype, shape) for value, dtype, shape in built.inputs.values()],
        [TensorFact(str(value), dtype, shape) for value, dtype, shape in built.outputs.values()],
        list(metagraph.functions),
        list(dict.fromkeys(resource_name(node) for node in kept)),
        tables,
        built.notes,
    )


def _signature(built: _Built, key: str) -> Signature:
    def entries(found: _Tensors, role: str) -> dict[str, SignatureEntry]:
        return {
            name: SignatureEntry(Mention.of(value, f"signature {key}, {role} {name}"), dtype.base, shape)
            for name, (value, dtype, shape) in sorted(found.items())
        }

    inputs, outputs = entries(built.inputs, "input"), entries(built.outputs, "output")
    return Signature(key, built.graph, inputs, outputs, method=METHODS["predict"])
