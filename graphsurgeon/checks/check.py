"""Say whether a model is sound: whether loaders take it, and whether what its parts say of each other is true.

Rules are small functions in the folders beside this file, by what they look at; each yields findings. An error means
that a loader refuses the model, or that a part of it cannot be used; faults of the source are found here, not while
reading.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial

from graphsurgeon.checks import keras, modules, onnx
from graphsurgeon.checks.graphs import (
    attributes,
    calls,
    collections,
    edges,
    lengths,
    library,
    loops,
    mentions,
    nodes,
    ops,
    resources,
    runs,
)
from graphsurgeon.checks.graphs import kernels as graph_kernels
from graphsurgeon.checks.places import Nodes, NodesOfEdit, OneOfAKind, ReadersOfEdit, every_node
from graphsurgeon.checks.saved import captures, files, object_functions, objects, savers, tables, variables
from graphsurgeon.checks.signatures import entries, keys
from graphsurgeon.checks.signatures import serving as serving_rules
from graphsurgeon.checks.tflite import kernel_shapes, kernels, operators, tensors
from graphsurgeon.checks.tflite import model as tflite
from graphsurgeon.disk.files import Progress
from graphsurgeon.formats import registry
from graphsurgeon.model.calls import checked_call
from graphsurgeon.model.collector import collector_off
from graphsurgeon.model.finding import Finding, Severity
from graphsurgeon.model.format import ONNX, TENSORFLOW, TFLITE, Vocabulary
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model, require_read_model

MetaGraphRule = Callable[[MetaGraph], Iterable[Finding]]
NodeRule = Callable[[MetaGraph, Nodes], Iterable[Finding]]

GRAPH_RULES: tuple[MetaGraphRule, ...] = (
    edges.dangling_inputs,
    edges.duplicate_names,
    edges.illegal_names,
    edges.cycles,
    edges.colocation,
    nodes.names_inside,
    ops.unknown_ops,
    ops.nodes_against_definitions,
    attributes.left_to_callers,
    library.versions,
    library.functions,
    calls.missing_functions,
    calls.recursion,
    calls.call_arguments,
    calls.call_attributes,
    calls.results,
    resources.table_types,
    loops.frames,
    mentions.dangling_mentions,
    collections.collections,
    entries.tensors,
    keys.spelling,
    entries.both_worlds,
    mentions.object_graph_functions,
    objects.objects,
    object_functions.object_functions,
    modules.modules,
)
# Of these, those that look at a node and what it reads: an edit cannot have broken others than what it has changed and
# what reads that.
EDGE_RULES: dict[MetaGraphRule, NodeRule] = {
    rule: rule for rule in (ops.nodes_against_definitions, resources.table_types)
}
# Rules that look at a node alone: an edit cannot have broken other nodes than those it has changed.
NODE_RULES: tuple[NodeRule, ...] = (
    nodes.places,
    nodes.input_order,
    nodes.empty_functions,
    ops.constants,
    attributes.kinds,
    lengths.lengths,
    resources.resource_names,
    graph_kernels.kernels,
)
# Of these, those that find nothing at a node if they find nothing at one of its kind: not the order of its inputs.
KIND_RULES = frozenset(NODE_RULES) - {nodes.input_order}
TFLITE_RULES: tuple[MetaGraphRule, ...] = (
    tflite.subgraphs,
    tflite.dangling_tensors,
    tflite.operators,
    tflite.recursion,
    tflite.order,
    operators.kinds,
    operators.tensors,
    kernels.types,
    kernels.quantization,
    kernels.shapes,
    operators.results,
    operators.sources,
    operators.signature_results,
    operators.runners,
    operators.tables,
    operators.variables,
    tflite.signatures,
    tflite.support_metadata,
    tensors.sizes,
    tensors.types,
    tensors.names,
    tensors.quantization,
    tensors.sparsity,
    tflite.custom_operators,
    tflite.external_buffers,
)
KERAS_RULES: tuple[MetaGraphRule, ...] = (
    tflite.dangling_tensors,
    tflite.recursion,
    keras.repeated_names,
    keras.nested_names,
    keras.lambdas,
    keras.releases,
)
ANY: Vocabulary = ""
# What is true of a graph whatever its ops mean: the rules for every vocabulary that has none of its own.
STORED_RULES: tuple[MetaGraphRule, ...] = (tflite.dangling_tensors, tflite.recursion)
RULES: dict[Vocabulary, tuple[MetaGraphRule, ...]] = {
    TENSORFLOW: GRAPH_RULES,
    TFLITE: TFLITE_RULES,
    ONNX: onnx.ONNX_RULES,
    registry.KERAS.vocabulary: KERAS_RULES,
    ANY: STORED_RULES,
}
SHAPE_RULES: dict[Vocabulary, tuple[MetaGraphRule, ...]] = {
    TENSORFLOW: (ops.contradictions, captures.captures),
    TFLITE: (kernel_shapes.shapes,),
    ONNX: (onnx.contradictions,),
}
MODEL_RULES: tuple[Callable[[Model], Iterable[Finding]], ...] = (
    keys.keys,
    collections.init_ops,
    collections.plain_variables,
    savers.savers,
    mentions.assets,
    runs.runs,
    tables.tables,
    variables.of_model,
    files.of_model,
)
_SEVERITIES: tuple[Severity, ...] = ("error", "needs", "warning", "note")
MOST_OF_ONE_RULE = 50  # findings that are listed; the rest is counted


@checked_call
def check(
    model: Model,
    *,
    shapes: bool = True,
    checksums: bool = False,
    serving: bool = False,
    progress: Progress | None = None,
    only_changed: bool = False,
) -> list[Finding]:
    """Return what is wrong with a model, errors first.

    Args:
        model: as read, or changed since; it is not changed.
        shapes: also infer shapes and report contradictions, which takes longer than all other rules together.
        checksums: also compare the stored weights with their checksums, which reads them all.
        serving: also say what TensorFlow Serving would refuse.
        progress: called with the bytes read and the bytes in all.
        only_changed: let rules that look at single nodes, or at a node and what it reads, pass over what is as it was
            read.
    """
    require_read_model("check", model)
    found: list[Finding] = []
    changed = NodesOfEdit(model) if only_changed else None
    readers = ReadersOfEdit(changed) if changed is not None else every_node
    rules: list[Callable[[Model], Iterable[Finding]]] = [partial(_structure, readers=readers), *MODEL_RULES]
    with collector_off():
        found += _of_nodes(model, changed or every_node)
        for rule in [*rules, serving_rules.of_model] if serving else rules:
            found += rule(model)
        if shapes:
            # A signature against the recorded shape, for instance, has been told.
            told = {(finding.where, severity) for finding in found for severity in _no_worse_than(finding.severity)}
            contradictions = _of_metagraphs(model, SHAPE_RULES)
            found += [finding for finding in contradictions if (finding.where, finding.severity) not in told]
    if checksums:
        found += variables.checksums(model, progress)
    told_once = dict.fromkeys(found)  # two MetaGraphs may have the same fault
    return sorted(_limited(told_once), key=lambda finding: _SEVERITIES.index(finding.severity))


def _no_worse_than(severity: Severity) -> tuple[Severity, ...]:
    return _SEVERITIES[_SEVERITIES.index(severity) :]


def is_refused(finding: Finding) -> bool:
    """Say whether an edit must not lead to this: an error, or what fails when it is run."""
    return finding.severity == "error" or finding.rule == calls.CALL_TYPES


def _structure(model: Model, readers: Nodes) -> Iterator[Finding]:
    yield from entries.repeated_tags(model)
    of_graphs = [
        partial(_of_readers, EDGE_RULES[rule], readers) if rule in EDGE_RULES else rule for rule in RULES[TENSORFLOW]
    ]
    yield from _of_metagraphs(model, {**RULES, TENSORFLOW: of_graphs})


def _of_readers(rule: NodeRule, readers: Nodes, metagraph: MetaGraph) -> Iterable[Finding]:
    return rule(metagraph, readers)


def _of_nodes(model: Model, looked_at: Nodes) -> Iterator[Finding]:
    def look(metagraph: MetaGraph) -> Iterator[Finding]:
        some = OneOfAKind(looked_at)
        for rule in NODE_RULES:
            if rule not in KIND_RULES or any(True for _ in rule(metagraph, some)):
                yield from rule(metagraph, looked_at)

    return _of_metagraphs(model, {TENSORFLOW: (look,), ANY: ()})


def _of_metagraphs(model: Model, rules_of: Mapping[Vocabulary, Iterable[MetaGraphRule]]) -> Iterator[Finding]:
    for metagraph in model.metagraphs:
        rules = rules_of.get(metagraph.vocabulary, rules_of.get(ANY, ()))
        prefix = f"tags {','.join(metagraph.tags or ()) or 'none'}, " if len(model.metagraphs) > 1 else ""
        for rule in rules:
            for finding in rule(metagraph):
                yield _under(finding, prefix)


def _under(finding: Finding, prefix: str) -> Finding:
    if not prefix:
        return finding
    return replace(finding, where=prefix + finding.where)


def _limited(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Pass on the first findings of each rule, then say how many more there are: a list of thousands helps nobody."""
    counts: dict[tuple[str, str], int] = {}
    for finding in findings:
        key = (finding.rule, finding.severity)
        counts[key] = counts.get(key, 0) + 1
        if counts[key] <= MOST_OF_ONE_RULE:
            yield finding
    for (rule, severity), count in counts.items():
        if count > MOST_OF_ONE_RULE:
            more = count - MOST_OF_ONE_RULE
            yield Finding(severity, "model", f"{more} more findings of the kind {rule!r}", "", rule)  # type: ignore[arg-type]
