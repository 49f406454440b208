"""Likely inputs and outputs of a graph that does not say them, ranked, each with its reasons.

A likely output is computed from what users feed, serves no saving, initialization, training, summary, metric,
queue or assertion, and is read by nobody, or only by those; its name or op may say that it is an answer. Of
the other values, those at the end of a block (the last of a top-level scope) rank above inner ones, later
ones above earlier ones: that finds the embedding in a training graph. There, an answer is also what is
computed with weights and only read together with another input: the labels of a loss.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from graphsurgeon.analysis.frames import control_flow
from graphsurgeon.analysis.placeholders import ITERATORS, PLACEHOLDERS, placeholder_role
from graphsurgeon.analysis.select import shape_matcher
from graphsurgeon.errors import UsageError
from graphsurgeon.model.dtype import RESOURCE, VARIANT, DType
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.shape import Shape
from graphsurgeon.shapes.report import ShapeReport

ENOUGH = 30  # points from which a value is worth listing unasked
MOST_FEEDS = 64  # inputs that are told apart when it comes to which of them a value is computed from


class Candidate(NamedTuple):
    """A likely input or output.

    Attributes:
        value: the tensor.
        score: points; higher is likelier. Comparable within one graph only.
        role: of an input: "feed", "switch", "default" or "iterator"; "" for an output.
        why: the reasons, most telling first.
    """

    value: Value
    score: float
    role: str
    why: list[str]


def likely_outputs(
    metagraph: MetaGraph, shapes: ShapeReport | None = None, *, all_values: bool = False
) -> list[Candidate]:
    """Return likely outputs of the main graph, best first. Lifts the main graph.

    Args:
        metagraph: whose main graph; of a TFLite model its stored outputs are the answer.
        shapes: what has been inferred; scalars then count less.
        all_values: rank every value that could be fetched, not just those worth listing.
    """
    graph = metagraph.graph
    if graph.kind == "subgraph":
        return [Candidate(output.value, 100.0, "", ["output of the subgraph"]) for output in graph.outputs]
    judge = _Judge(metagraph, shapes)
    found = [candidate for node in graph.nodes for candidate in judge.candidates(node)]
    found = [candidate for candidate in found if all_values or candidate.score >= ENOUGH]
    return sorted(found, key=lambda candidate: -candidate.score)


def by_shape(metagraph: MetaGraph, pattern: str, shapes: ShapeReport) -> Value:
    """Return the likeliest output of a shape.

    Raises:
        UsageError: no value that could be an output has such a shape.
    """
    matches = shape_matcher(pattern)
    for candidate in likely_outputs(metagraph, shapes, all_values=True):
        if matches(shapes.shape(candidate.value)):
            return candidate.value
    raise UsageError(f"no output of the main graph has the shape {pattern}", hint="gs outputs lists the likely ones")


def likely_inputs(metagraph: MetaGraph) -> list[Candidate]:
    """Return what goes into the main graph, those that matter first: feeds, switches, defaults, iterators."""
    graph = metagraph.graph
    if graph.kind == "subgraph":
        return [Candidate(value, 100.0, "feed", ["input of the subgraph"]) for value in graph.inputs]
    fed = {value: key for key, value in _signature_values(metagraph, "inputs")}
    found = []
    internal = _internal(metagraph)
    for node in graph.nodes:
        if node in internal:
            continue
        if node.op in PLACEHOLDERS:
            found.append(_input(node.output(), placeholder_role(node), fed))
        elif node.op in ITERATORS:
            found += [_input(value, "iterator", fed) for value in node.outputs]
    return sorted(found, key=lambda candidate: -candidate.score)


_ROLE_POINTS = {"feed": 50.0, "switch": 20.0, "default": 15.0, "iterator": 10.0}
_ROLE_REASONS = {
    "switch": "a bool that switches between training and inference",
    "default": "has a default value",
    "iterator": "comes from an input pipeline",
}


def _input(value: Value, role: str, fed: dict[Value, str]) -> Candidate:
    node = value.producer
    assert node is not None
    score = _ROLE_POINTS[role]
    why = [_ROLE_REASONS[role]] if role in _ROLE_REASONS else ["a placeholder"]
    if value in fed:
        score += 50
        why.insert(0, f"fed by signature {fed[value]}")
    if not value.consumers:
        score -= 40
        why.append("nothing reads it")
    elif all(_is_auxiliary(user) for user in value.consumers):
        score -= 30
        why.append("only saving, loading or training reads it")
    return Candidate(value, score, role, why)


# Ops that never yield an answer, and whose consumers are no part of inference either.
_TRAINING = re.compile(
    r"(Resource)?(Sparse)?Apply[A-Z]\w*|\w+Grad(V\d|WithArgmax)?|\w+GradInput\w*|\w*BackpropFilter\w*"
    r"|\w*CrossEntropyWithLogits|L2Loss|CTCLoss\w*|BroadcastGradientArgs|\w+GradV\d"
)
_SERVICE_OPS = re.compile(
    r"Save\w*|Restore\w*|MergeV2Checkpoints|ShardedFilename|\w*Summary(V2)?|\w*Queue\w*|Assign\w*|Scatter(Add|Sub|Update)"
    r"|ResourceScatter\w*|Assert|Print(V2)?|NoOp|\w*Initialized\w*|InitializeTable\w*|LookupTableImport\w*|\w*Iterator\w*"
    r"|\w*Dataset\w*|WriteFile|Const|VarHandleOp|Variable(V2)?|\w*HashTable\w*|Placeholder\w*|Shape(N)?|Rank|Size"
    r"|FIFOQueueV2|Barrier\w*|Stage|Unstage|_Retval|_Arg|ControlTrigger|TensorArray(V\d)?"
)
_SERVICE_SCOPES = frozenset((
    "save", "gradients", "init", "report_uninitialized_variables", "train", "training", "optimizer", "adam", "momentum",
    "sgd", "rmsprop", "metrics", "metric", "accuracy", "loss", "losses", "summaries", "summary", "checkpoint", "saver",
    "global_step", "learning_rate", "exponentialmovingaverage", "assert", "evaluation", "eval",
))  # fmt: skip
_LOSS_SCOPE = re.compile(r"\w*(cross_entropy|_loss(es)?|squared_error|absolute_difference|_distance)\w*")
# What a loss or a metric does to an answer before it meets the labels.
_BEFORE_LABELS = frozenset({
    "ArgMax", "Cast", "ClipByValue", "Log", "Log1p", "Maximum", "Minimum", "Neg", "Reshape", "Round", "TopKV2",
})  # fmt: skip
_WEIGHTS = frozenset({"VariableV2", "Variable", "VarHandleOp"})
_ANSWERS = re.compile(
    r"logits?|prob(s|abilit(y|ies))?|softmax|sigmoid|embeddings?|predict(ions?|ed)?|outputs?|scores?|(box|bbox)(es)?"
    r"|detection\w*|class(es)?|labels?|landmarks?|features?|result|final\w*|argmax|top_?k|masks?|keypoints?|heatmaps?",
    re.IGNORECASE,
)
_LAST_LAYERS = frozenset({"BiasAdd", "LogSoftmax", "MatMul", "Sigmoid", "Softmax"})
_ANSWER_OPS = frozenset({"Softmax", "Sigmoid", "LogSoftmax", "ArgMax", "TopKV2", "CombinedNonMaxSuppression"})


class _Judge:
    """Knows what of a graph depends on feeds and on training, and gives points."""

    def __init__(self, metagraph: MetaGraph, shapes: ShapeReport | None) -> None:
        graph = metagraph.graph
        self.shapes = shapes
        self.signed = {value: key for key, value in _signature_values(metagraph, "outputs")}
        internal = _internal(metagraph)
        feeds = [node for node in graph.nodes if node.op in PLACEHOLDERS | ITERATORS and node not in internal]
        self.fed = _downstream(feeds)
        self.training = _downstream(node for node in graph.nodes if _is_training(node))
        self.flow = control_flow(graph)
        ordered = _ordered(graph)
        self.places = {node: place for place, node in enumerate(ordered)}
        self.weighted = _downstream(node for node in ordered if node.op in _WEIGHTS) if self.training else set()
        self.sources = _sources(ordered, feeds[:MOST_FEEDS]) if self.training else {}
        self.joined = self._joined(ordered) if self.training else {}

    def candidates(self, node: Node) -> list[Candidate]:
        signed = [value for value in (node._outputs or {}).values() if value in self.signed]
        if not signed and (_is_service(node) or node in self.flow.frames or node in self.flow.branches):
            return []
        if not signed and (node in self.training or (self.fed and node not in self.fed)):
            return []
        dtypes = node.output_dtypes()
        values = node.outputs if dtypes is not None else (node.output(),)
        return [
            self._candidate(node, value, dtypes)
            for value in values
            if value in self.signed or self._can_be_answer(value, dtypes)
        ]

    def _can_be_answer(self, value: Value, dtypes: list[DType] | None) -> bool:
        if dtypes is None or not isinstance(value.port, int) or value.port >= len(dtypes):
            return dtypes is None
        dtype = dtypes[value.port]
        return dtype not in (RESOURCE, VARIANT) and not dtype.is_ref

    def _candidate(self, node: Node, value: Value, dtypes: list[DType] | None) -> Candidate:
        depth = self.places[node] / max(len(self.places), 1)
        score, why = 10 * depth, []
        for points, reason in self._reasons(node, value):
            score += points
            if reason:
                why.append(reason)
        return Candidate(value, round(score, 2), "", why or ["computed from the inputs"])

    def _reasons(self, node: Node, value: Value) -> Iterable[tuple[float, str]]:
        if value in self.signed:
            yield 100, f"output of signature {self.signed[value]}"
        users = [user for user in value.consumers if not self._is_aside(user)]
        if not users:
            yield from self._end_reasons(node, value)
        else:
            yield from self._inner_reasons(node, users)
        points = 6 if users else 12  # inside a network such names and ops are common (attention, gates)
        if _ANSWERS.search(node.name.rpartition("/")[2]) or (not users and _ANSWERS.search(node.name)):
            yield points, "named like an answer"
        if node.op in _ANSWER_OPS:
            yield points, f"a {node.op}"
        shape = self.shapes.shape(value) if self.shapes is not None else Shape(None)
        if shape.rank == 0 and value not in self.signed:
            yield -20 if self.training else -5, "a scalar"

    def _inner_reasons(self, node: Node, users: list[Node]) -> Iterable[tuple[float, str]]:
        if _leaves_scope(node, users):
            yield 15, f"the last of its block {node.name.partition('/')[0]}"
        if node in self.weighted and node in self.joined:
            yield (10 if node.op in _BEFORE_LABELS else 30), f"only read together with {self.joined[node]}"

    def _joined(self, ordered: list[Node]) -> dict[Node, Value]:
        """Return the nodes that are only read together with another input, and that input."""
        joined: dict[Node, Value] = {}
        for node in reversed(ordered):
            users = [user for user in node.consumers if not self._is_aside(user)]
            others = [self.sources[user] - self.sources[node] for user in users]
            met = [user for user, other in zip(users, others, strict=True) if not other]
            if users and all(user in joined and user.op in _BEFORE_LABELS for user in met):
                found = [value for other in others for value in other] or [joined[user] for user in met]
                joined[node] = min(found, key=str)
        return joined

    def _end_reasons(self, node: Node, value: Value) -> Iterable[tuple[float, str]]:
        others = [other for other in (node._outputs or {}).values() if other is not value and other.consumers]
        if others:
            yield -10, "a by-product"  # such as the statistics of a batch norm
        elif isinstance(value.port, int) and value.port > 0 and node.op.startswith("FusedBatchNorm"):
            yield -30, "a by-product"
        yield 40, "only training or saving reads it" if value.consumers else "nothing reads it"
        if node.op in ("Merge", "RefMerge", "Switch"):
            yield -25 if self.training or value.port else -5, "the end of a conditional"
        if node.op in ("Exit", "RefExit"):
            yield -15, "a variable of a loop"
        if node.op == "Identity":
            yield 5, "an Identity at the end"

    def _is_aside(self, node: Node) -> bool:
        return node in self.training or _is_service(node)


def _is_training(node: Node) -> bool:
    if _TRAINING.fullmatch(node.op):
        return True
    return any(part.lower() in ("gradients", "gradients_1", "gradient_tape") for part in node.name.split("/")[:-1])


def _is_service(node: Node) -> bool:
    if _SERVICE_OPS.fullmatch(node.op):
        return True
    scopes = [re.sub(r"_\d+$", "", scope) for scope in node.name.lower().split("/")[:-1]]
    if node.op in _LAST_LAYERS:
        scopes = [scope for scope in scopes if scope != "loss"]  # where BERT's classifiers compute their answer
    return any(scope in _SERVICE_SCOPES or _LOSS_SCOPE.fullmatch(scope) is not None for scope in scopes)


def _is_auxiliary(node: Node) -> bool:
    return _is_training(node) or (_is_service(node) and node.op not in ("Shape", "Rank", "Size"))


def _internal(metagraph: MetaGraph) -> set[Node]:
    """Return the placeholders that whatever loads the model feeds: the path of the checkpoint, or of an asset."""
    mentions = [asset.mention for asset in metagraph.assets]
    if metagraph.saver is not None:
        mentions.append(metagraph.saver.filename)
    return {node for mention in mentions if (node := mention.node) is not None}


def _signature_values(metagraph: MetaGraph, side: str) -> list[tuple[str, Value]]:
    found = []
    for signature in metagraph.signatures.values():
        for entry in getattr(signature, side).values():
            found += [(signature.key, m.target) for m in entry.mentions if isinstance(m.target, Value)]
    return found


def _downstream(nodes: Iterable[Node]) -> set[Node]:
    found = set(nodes)
    waiting = list(found)
    while waiting:
        for user in waiting.pop().consumers:
            if user not in found:
                found.add(user)
                waiting.append(user)
    return found


def _sources(ordered: Iterable[Node], feeds: Iterable[Node]) -> dict[Node, frozenset[Value]]:
    """Return for each node the inputs that it is computed from; bools, which only switch, aside."""
    own = {node for node in feeds if placeholder_role(node) == "feed" or node.op in ITERATORS}
    sources: dict[Node, frozenset[Value]] = {}
    shared: dict[frozenset[Value], frozenset[Value]] = {}
    for node in ordered:
        found: frozenset[Value] = frozenset()
        for value in node.inputs:
            if value.producer in own:
                found |= {value}
            elif value.producer is not None:
                found |= sources.get(value.producer, frozenset())
        sources[node] = shared.setdefault(found, found)  # few differ, and there may be many nodes
    return sources


def _leaves_scope(node: Node, users: Iterable[Node]) -> bool:
    scope, slash, _ = node.name.partition("/")
    return bool(slash) and all(user.name.partition("/")[0] != scope for user in users)


def _ordered(graph: Graph) -> list[Node]:
    """Return the nodes so that each follows what it reads, back edges of loops aside; file order breaks ties."""
    missing = {node: len({v.producer for v in node.inputs if v.producer is not None}) for node in graph.nodes}
    for node in graph.nodes:
        if node.op in ("Merge", "RefMerge") and any(
            v.producer and v.producer.op == "NextIteration" for v in node.inputs
        ):
            missing[node] = 1
    ready = [node for node, count in missing.items() if not count]
    done: dict[Node, None] = {}
    for node in ready:
        done[node] = None
        for user in node.consumers:
            missing[user] -= 1
            if not missing[user]:
                ready.append(user)
    return [*done, *(node for node in graph.nodes if node not in done)]
