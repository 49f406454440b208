"""Change what goes into a model: the shape or dtype of a placeholder, or a constant in its place.

What a constant decides is simplified, in the main graph and in the functions it is passed to. Shapes are
inferred again: those that the file records follow, and what contradicts the new ones is reported with its place.
A signature of TF2 gets a new function for `tf.saved_model.load`; other restored functions stay as they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from graphsurgeon.analysis.flow.attributes import dtype_of
from graphsurgeon.analysis.flow.placeholders import internal_inputs, placeholder_shape
from graphsurgeon.analysis.names import choose_metagraph, near_or_all, suggestion
from graphsurgeon.errors import UnsupportedError, UsageError, plural
from graphsurgeon.model.dtype import BOOL, DTYPE_NAMES, DType
from graphsurgeon.model.finding import Finding
from graphsurgeon.model.graph import AttrValue, Node, Value
from graphsurgeon.model.metagraph import MetaGraph, Signature
from graphsurgeon.model.model import Model
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.model.traversal import downstream
from graphsurgeon.ops.kinds import PLACEHOLDERS
from graphsurgeon.shapes.infer import infer_shapes
from graphsurgeon.shapes.propagate import RECORDS
from graphsurgeon.shapes.report import ShapeReport, signature_findings
from graphsurgeon.surgery.moves import arguments
from graphsurgeon.surgery.moves.branches.bind_constants import bind_constants, constant_inputs, count_users
from graphsurgeon.surgery.moves.branches.fold_predicates import carry_through, check_outputs, decide, folded_selects
from graphsurgeon.surgery.moves.branches.known_scalars import Scalar
from graphsurgeon.surgery.moves.constants import constant_tensor
from graphsurgeon.surgery.moves.default_placeholders import (
    Defaults,
    chosen_defaults,
    default_value,
    let_default_through,
    pass_default_on,
    require_feed,
)
from graphsurgeon.surgery.moves.fixed_modules import fixed_modules
from graphsurgeon.surgery.moves.functions.functionalize import bound_objects, part_between
from graphsurgeon.surgery.moves.known_ops import is_tflite
from graphsurgeon.surgery.moves.prune import (
    collected_nodes,
    forget_removed,
    protected_nodes,
    read_nodes,
    remove_orphans,
)
from graphsurgeon.surgery.moves.recorded_shapes import record_shapes
from graphsurgeon.surgery.moves.reports import Contradiction, InputChange, SetInputReport
from graphsurgeon.surgery.moves.signatures.new_signature import add_to_objects
from graphsurgeon.surgery.moves.signatures.signature_function import signature_map
from graphsurgeon.surgery.tflite.set_input import TypeChanges, refused_contradictions, set_tflite_inputs
from graphsurgeon.surgery.tflite.set_types import scale_of


@dataclass(frozen=True, slots=True)
class _Change:
    """What is asked of one placeholder."""

    node: Node
    dtype: DType
    shape: Shape
    new_dtype: DType | None
    new_shape: Shape | None
    constant: Tensor | None
    has_default: bool = False  # and is to have none

    @property
    def value(self) -> Value:
        return self.node.output(0)


@arguments.takes(shapes=arguments.shapes, dtypes=arguments.dtypes, set_values=arguments.by_name, tags=arguments.names)
def set_input(
    model: Model,
    *,
    shapes: Mapping[str, Shape | Sequence[int | None]] | None = None,
    dtypes: Mapping[str, str | DType] | None = None,
    set_values: Mapping[str, object] | None = None,
    allow_contradictions: bool = False,
    fix_reshapes: bool = False,
    scale: float | None = None,
    zero_point: int | None = None,
    defaults: Defaults | None = None,
    tags: Sequence[str] | None = None,
) -> SetInputReport:
    """Change placeholders of the main graph; of a TFLite model the shapes of inputs.

    Args:
        model: changed in place.
        shapes: placeholder (or signature input key) -> new shape; None for a dimension that may be any.
        dtypes: placeholder -> new dtype; a Cast gives the rest of the graph what it was given before.
        set_values: placeholder -> value that it has from now on; it is no input any more.
        allow_contradictions: change shapes and dtypes although something does not take them; the report tells what.
        fix_reshapes: of a TFLite model: change operators that a batch of 1 was folded into.
        scale, zero_point: of a TFLite model: of integers that a float input is to become.
        defaults: "constants": a placeholder that has a default is that value from now on, but for inputs of signatures;
            "placeholders": it has to be fed, but for what a signature needs and does not feed.
        tags: the MetaGraph with exactly these tags.

    Raises:
        UsageError: there is no such placeholder, or the value does not fit it.
        UnsupportedError: a dtype cannot be cast, something that is needed would lie on a branch never taken, or
            something contradicts the new shapes; nothing has changed then.
    """
    if not (shapes or dtypes or set_values or defaults):
        raise UsageError("nothing to set", hint="give --shape, --dtype, --set or --defaults")
    metagraph = choose_metagraph(model, tags)
    wanted = {name: given if isinstance(given, Shape) else Shape(given) for name, given in (shapes or {}).items()}
    if is_tflite(model, metagraph, "set-input"):
        if defaults is not None:
            raise UnsupportedError("inputs of a TFLite model have no defaults", hint="leave out --defaults")
        types = TypeChanges(dtypes or {}, scale_of(scale, zero_point), allow_contradictions, fix_reshapes)
        return set_tflite_inputs(metagraph, wanted, list(set_values or ()), types)
    changes = _changes(metagraph, wanted, dtypes or {}, set_values or {})
    if defaults is None:
        return _set_placeholders(model, metagraph, changes, allow_contradictions)
    return _set_defaults(model, metagraph, changes, defaults, allow_contradictions)


def _set_defaults(
    model: Model, metagraph: MetaGraph, changes: list[_Change], defaults: str, allow_contradictions: bool
) -> SetInputReport:
    nodes, notes = chosen_defaults(metagraph, defaults)
    named = {change.node for change in changes}
    computed = []
    for node in (node for node in nodes if node not in named):
        dtype, value = dtype_of(node.output(0)), default_value(node)
        if dtype is None:
            raise UsageError(f"the type of {node.name!r} is not known")
        if defaults == "constants" and value is None:
            computed.append(node)
            continue
        given = value if defaults == "constants" else None
        changes.append(_Change(node, dtype, placeholder_shape(node), None, None, given, has_default=given is None))
    report = _set_placeholders(model, metagraph, changes, allow_contradictions)
    for node in computed:
        pass_default_on(node)
        notes.append(f"{node.name} is an Identity now: its default is computed")
    inner = let_default_through(metagraph) if defaults == "constants" else 0
    if inner:
        notes.append(f"{plural(inner, 'placeholder')} of functions, where nobody can feed any, handed on as Identity")
    return replace(report, notes=(*report.notes, *notes))


def _set_placeholders(
    model: Model, metagraph: MetaGraph, changes: Sequence[_Change], allow_contradictions: bool
) -> SetInputReport:
    metagraph.resolve_mentions()
    ahead, before = _look_ahead(metagraph, changes, allow_contradictions)
    affected = _affected(metagraph, {change.node for change in changes})
    bound = _check(metagraph, model, changes, affected)
    defaults = [value.producer for change in changes if change.has_default for value in change.node.inputs]
    for change in changes:
        _apply(change)
    removed, notes = _simplify(metagraph, [change.node for change in changes if change.constant is not None])
    removed += _drop_defaults(metagraph, defaults)
    assume = _assumed(change for change in changes if change.node in metagraph.graph)
    report = ahead or infer_shapes(metagraph, assume=assume)
    recorded = record_shapes([change.value for change in changes if change.value in assume], report)
    if recorded and _told_of_others(metagraph, report, changes):  # what was recorded contradicts nothing any more
        report = infer_shapes(metagraph, assume=assume)
    notes += fixed_modules(metagraph, report) if assume else []
    constants = {change.node for change in changes if change.constant is not None}
    found = _told_of_others(metagraph, report, changes)
    for signature in affected:
        _update_signature(signature, constants, report)
        _rebuild(metagraph, signature, bound)
    found = [
        one
        for one in (*found, *signature_findings(metagraph, report))
        if (one.graph, one.where, one.what) not in before
    ]
    return SetInputReport(
        inputs=tuple(map(_told, changes)),
        signatures=tuple(signature.key for signature in affected),
        contradictions=tuple(map(_contradiction, found)),
        removed_nodes=tuple(removed),
        recorded_shapes=recorded,
        notes=tuple(notes),
    )


def _drop_defaults(metagraph: MetaGraph, defaults: Sequence[Node | None]) -> list[str]:
    """Take out the values that placeholders no longer have, as far as nothing else reads them; return their names."""
    if not defaults:
        return []
    producers = [node for node in defaults if node is not None and node in metagraph.graph]
    protected = {*protected_nodes(metagraph), *collected_nodes(metagraph)}
    return [node.name for node in remove_orphans(metagraph.graph, producers, protected)]


def _look_ahead(
    metagraph: MetaGraph, changes: Sequence[_Change], allow_contradictions: bool
) -> tuple[ShapeReport | None, set[tuple[str, str, str]]]:
    """Return what will be inferred, where that can be known before the change, and the contradictions there are now.

    Inferring is most of the work on a large graph: new shapes alone can be assumed of the graph as it is, and if
    nothing contradicts them, nobody has to know what did before. New contradictions are refused here, while nothing
    has changed; a Cast behind a new dtype takes no other shapes than the input did.
    """
    assume = _assumed(changes)
    is_known = all(change.constant is None and change.new_dtype in (None, change.dtype) for change in changes)
    ahead = infer_shapes(metagraph, assume=assume) if assume or is_known else None
    told = _told_of_others(metagraph, ahead, changes) if ahead is not None else []
    if is_known and not told:
        return ahead, set()
    before = {(one.graph, one.where, one.what) for one in infer_shapes(metagraph).findings}
    if not allow_contradictions:
        _refuse_contradictions(told, before)
    return ahead if is_known else None, before


def _refuse_contradictions(found: Sequence[Finding], before: set[tuple[str, str, str]]) -> None:
    """Refuse what the ops themselves do not take, before anything changes; shapes that are only recorded follow."""
    new = [one for one in found if RECORDS not in one.what and (one.graph, one.where, one.what) not in before]
    if new:
        raise refused_contradictions([_contradiction(one) for one in new])


def _assumed(changes: Iterable[_Change]) -> dict[str | Value, Shape]:
    return {change.value: change.new_shape for change in changes if change.new_shape is not None}


def _told_of_others(metagraph: MetaGraph, report: ShapeReport, changes: Sequence[_Change]) -> list[Finding]:
    """Return the contradictions, but for what signatures and changed placeholders say: both follow the change."""
    left_out = set(signature_findings(metagraph, report))
    names = {change.node.name for change in changes}
    return [one for one in report.findings if one not in left_out and (one.graph or one.where not in names)]


def _contradiction(found: Finding) -> Contradiction:
    return Contradiction(f"{found.graph}: {found.where}" if found.graph else found.where, found.what)


def _changes(
    metagraph: MetaGraph, shapes: Mapping[str, Shape], dtypes: Mapping[str, str | DType], values: Mapping[str, object]
) -> list[_Change]:
    changes: dict[Node, _Change] = {}
    named = [
        (name, node) for name in dict.fromkeys([*shapes, *dtypes, *values]) for node in _placeholders(metagraph, name)
    ]
    for name, node in named:
        if node in changes:
            raise UsageError(f"{node.name!r} is named twice")
        dtype = dtype_of(node.output(0))
        if dtype is None:
            raise UsageError(f"the type of {node.name!r} is not known")
        shape = placeholder_shape(node)
        new_dtype = _dtype(dtypes[name]) if name in dtypes else None
        constant = (
            constant_tensor(values[name], dtype, shapes.get(name, shape), f"{name!r}") if name in values else None
        )
        if constant is not None and new_dtype is not None:
            raise UsageError(f"{name!r} is to be a constant, so that it has no dtype to choose")
        changes[node] = _Change(node, dtype, shape, new_dtype, shapes.get(name), constant)
    return list(changes.values())


def _placeholders(metagraph: MetaGraph, name: str) -> list[Node]:
    """Return a placeholder by its name, else those that signatures have as an input of that key."""
    node = metagraph.graph.node(name.removesuffix(":0"))
    entries = [s.inputs[name] for s in metagraph.signatures.values() if name in s.inputs]
    fed = [entry.mention.node for entry in entries if entry.mention is not None and entry.mention.node is not None]
    found = [node] if node is not None else list(dict.fromkeys(fed))
    if not found:
        internal = internal_inputs(metagraph)
        known = [one.name for one in metagraph.graph.peek(PLACEHOLDERS) if one.name not in internal]
        known += [key for signature in metagraph.signatures.values() for key in signature.inputs]
        raise UsageError(f"the model has no placeholder or signature input {name!r}", hint=near_or_all(name, known))
    for one in found:
        if one.op not in PLACEHOLDERS:
            raise UsageError(f"{one.name!r} ({one.op}) is no placeholder", hint="gs inputs lists them")
    return found


def _dtype(given: str | DType) -> DType:
    if isinstance(given, DType):
        return given
    try:
        return DType.named(given)
    except KeyError:
        raise UsageError(f"there is no dtype {given!r}", hint=suggestion(given, DTYPE_NAMES)) from None


def _affected(metagraph: MetaGraph, nodes: set[Node]) -> list[Signature]:
    """Return the signatures that feed a node, or whose outputs depend on one."""
    behind = downstream(nodes, controls=True)
    return [
        signature
        for signature in metagraph.signatures.values()
        if any(mention.node in behind for entry in signature.entries for mention in entry.mentions)
    ]


def _check(
    metagraph: MetaGraph, model: Model, changes: Sequence[_Change], affected: Sequence[Signature]
) -> dict[str, object]:
    """Refuse what cannot be done; return, by signature key, what binds a new function in the object graph."""
    for change in changes:
        if change.new_dtype is not None and not (_is_number(change.dtype) and _is_number(change.new_dtype)):
            raise UnsupportedError(f"{change.node.name!r}: there is no cast from {change.new_dtype} to {change.dtype}")
        if change.new_dtype is not None and change.node.op == "PlaceholderWithDefault":
            raise UnsupportedError(f"{change.node.name!r} has a default value of type {change.dtype}")
    assumed: dict[Value, Scalar] = {
        change.value: change.constant.items()[0]
        for change in changes
        if change.constant is not None and change.constant.num_elements == 1 and change.constant.dtype.bits
    }
    check_outputs(decide(metagraph.graph, assumed), protected_nodes(metagraph))
    bound: dict[str, object] = {}
    constants = {change.node for change in changes if change.constant is not None}
    for signature in affected:
        left = [key for key, entry in signature.inputs.items() if not any(m.node in constants for m in entry.mentions)]
        partly = [key for key, entry in signature.inputs.items() if entry.mention is None and key not in left]
        if partly:
            raise UnsupportedError(
                f"input {partly[0]!r} of signature {signature.key!r} is a part of a composite tensor"
            )
        if _in_objects(metagraph, signature):
            part = part_between(metagraph.graph, _feeds(signature), _fetches(signature))
            bound[signature.key] = dict(
                zip(part.handles, bound_objects(metagraph, part.handles, model.checkpoint), strict=True)
            )
    return bound


def _is_number(dtype: DType) -> bool:
    return dtype.is_floating or dtype.is_integer or dtype.is_complex or dtype is BOOL


def _apply(change: _Change) -> None:
    node = change.node
    if change.constant is not None:
        node.become("Const", [], {"dtype": change.constant.dtype, "value": change.constant})
        return
    if change.has_default:
        require_feed(node)
    if change.new_shape is not None:
        node.attrs["shape"] = change.new_shape
        if "_output_shapes" in node.attrs:
            node.attrs["_output_shapes"] = [change.new_shape]
    if change.new_dtype is not None and change.new_dtype is not change.dtype:
        graph, value = node.graph, change.value
        node.attrs["dtype"] = change.new_dtype
        attrs: dict[str, AttrValue] = {"SrcT": change.new_dtype, "DstT": change.dtype, "Truncate": False}
        cast = graph.add_node("Cast", graph.unique_name(f"{node.name}/cast"), [value], attrs)
        value.replace_with(cast.output(0), but=[cast])


def _simplify(metagraph: MetaGraph, constants: Sequence[Node]) -> tuple[list[str], list[str]]:
    """Decide what new constants decide; return the nodes that went away, and notes."""
    if not constants:
        return [], []
    graph = metagraph.graph
    names = {node: node.name for node in graph.nodes}
    before = read_nodes(graph)
    protected, collected = protected_nodes(metagraph), collected_nodes(metagraph)
    carry_through(decide(graph))
    folded_selects(graph)
    remove_orphans(graph, before, protected)
    removed = [name for node, name in names.items() if node not in graph]
    users = count_users(metagraph) if any(node.functions for node in graph.nodes) else Counter()
    for node in graph.nodes:
        if node.functions:
            removed += bind_constants(metagraph, node, constant_inputs(node), users)
    dropped = forget_removed(metagraph, {node for node in collected if node not in graph})
    return removed, [f"{plural(dropped, 'element')} of collections dropped, with the removed nodes"] if dropped else []


def _update_signature(signature: Signature, constants: set[Node], report: ShapeReport) -> None:
    for key, entry in list(signature.inputs.items()):
        if any(mention.node in constants for mention in entry.mentions):
            del signature.inputs[key]
            signature.defaults.pop(key, None)
    for entry in signature.entries:
        value = entry.mention.target if entry.mention is not None else None
        if isinstance(value, Value):
            entry.shape = report.shape(value)
            entry.dtype = (report.dtype(value) or entry.dtype or BOOL).base


def _in_objects(metagraph: MetaGraph, signature: Signature) -> bool:
    signatures = signature_map(metagraph.objects)
    return signatures is not None and signatures.child(signature.key) is not None


def _rebuild(metagraph: MetaGraph, signature: Signature, bound: Mapping[str, object]) -> None:
    """Give a signature of the object graph a function of what the main graph now computes."""
    objects, known = metagraph.objects, bound.get(signature.key)
    if objects is None or not isinstance(known, dict):
        return
    part = part_between(metagraph.graph, _feeds(signature), _fetches(signature))
    add_to_objects(metagraph, objects, signature, part, [known[handle] for handle in part.handles])


def _feeds(signature: Signature) -> list[Value]:
    return [target for e in signature.inputs.values() for m in e.mentions if isinstance(target := m.target, Value)]


def _fetches(signature: Signature) -> list[Value]:
    return [target for e in signature.outputs.values() for m in e.mentions if isinstance(target := m.target, Value)]


def _told(change: _Change) -> InputChange:
    constant = None
    if change.constant is not None:
        items = change.constant.items()
        constant = str(items[0] if len(items) == 1 else items[:8])
    new_shape = change.new_shape if change.new_shape is not None else change.shape
    dtype = change.new_dtype or change.dtype
    return InputChange(change.node.name, dtype.name, new_shape, change.dtype.name, change.shape, constant)
