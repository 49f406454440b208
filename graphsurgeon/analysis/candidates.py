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
from functools import lru_cache
from itertools import islice
from typing import Literal, NamedTuple

from graphsurgeon.analysis.flow.frames import control_flow
from graphsurgeon.analysis.flow.placeholders import internal_inputs, placeholder_role
from graphsurgeon.errors import UsageError, with_article
from graphsurgeon.model.dtype import RESOURCE, VARIANT, DType
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.shape_pattern import shape_matcher
from graphsurgeon.model.traversal import downstream, in_order
from graphsurgeon.ops import kinds
from graphsurgeon.shapes.report import ShapeReport

# Points of an output. Their scale is that of the one fact that nearly decides: what nobody reads is an end. The other
# weights are set by hand, from frozen image, text and detection models and from training graphs of TensorFlow 1;
# `tests/analysis/test_candidates.py` and `test_training_graphs.py` hold what they are for. What matters is their
# order, and which sums pass `ENOUGH` and `OUTSTANDING`.
SIGNED = 100.0  # a signature says so: above all that can be guessed
AN_END = 40.0  # nothing but training or saving reads it
COMPARED = 30.0  # only read together with an input that went through no weights: the labels of a loss
COMPARED_LATER = 10.0  # the same, but a log or an argmax that a loss makes of the answer
LAST_OF_BLOCK = 15.0  # of a top-level scope
TELLING = 12.0  # a name, or an op, such as answers have, at an end
TELLING_INSIDE = 6.0  # inside a network such names and ops are common (attention, gates)
DEEPEST = 10.0  # for its place in the order of computing: the last has all of it
AN_IDENTITY = 5.0  # converters put one at each output
BY_PRODUCT = -25.0  # another output of the node is read
STATISTICS = -30.0  # of a batch, beside the normalized values
OF_CONDITIONAL = -5.0  # the end of one: mostly a helper's
OF_LOOP = -15.0  # a variable of one
OF_TRAINED_FLOW = -25.0  # of either, in a training graph: what an optimizer or a queue decides by
OF_SHAPE = -25.0  # computed from the shape of an input only
WITHOUT_WEIGHTS = -40.0  # in a training graph: the input's own preparation, or the labels'
BESIDE_LABELS = -25.0  # computed with what an answer is compared with: a loss, or a metric
A_SCALAR = -5.0  # a loss or a count, though it may be an answer too
A_TRAINED_SCALAR = -30.0  # in a training graph: a loss, a rate, a counter
ENOUGH = 30.0  # from here on a value is worth listing unasked; half of it where none stands out
OUTSTANDING = AN_END + AN_IDENTITY  # an end that something else speaks for
SURE = AN_END + LAST_OF_BLOCK + AN_IDENTITY  # an end that its name, op or place speaks for too
# Points of an input: what it is, then what speaks for or against it.
FED = 50.0  # by a signature
A_HANDLE = -35.0  # nobody can feed one from outside
UNREAD = -40.0  # nothing would change if it were fed
READ_ASIDE = -30.0  # by saving, loading or training alone
MOST_OPERANDS = 8  # of what compares an answer with labels
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
        return _stored(graph, "outputs")
    judge = _Judge(metagraph, shapes)
    if all_values:
        return judge.rank(graph.nodes)
    found = judge.rank([node for node in graph.nodes if judge.may_stand_out(node)])
    if found and found[0].score >= OUTSTANDING:
        return [candidate for candidate in found if candidate.score >= ENOUGH]
    return [candidate for candidate in judge.rank(graph.nodes) if candidate.score >= ENOUGH / 2]


def _level(candidates: list[Candidate]) -> list[Candidate]:
    """Give the results of a function (`Identity`, `Identity_1` ... of a frozen graph) equal points, in this order."""
    results: dict[str, list[tuple[int, Candidate]]] = {}
    others = []
    for candidate in candidates:
        node = candidate.value.producer
        if node is None or node.op != "Identity" or candidate.value.consumers:
            others.append(candidate)
            continue
        base, _, number = node.name.rpartition("_")
        is_numbered = bool(base) and number.isdecimal()
        results.setdefault(base if is_numbered else node.name, []).append(
            (int(number) if is_numbered else 0, candidate)
        )
    for group in results.values():
        best = max(candidate.score for _, candidate in group)
        others += [candidate._replace(score=best) for _, candidate in sorted(group, key=lambda numbered: numbered[0])]
    return others


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
        return _stored(graph, "inputs")
    fed = {value: key for key, value in _signature_values(metagraph, "inputs")}
    found = []
    internal = internal_inputs(metagraph)
    for node in graph.nodes:
        if node.name in internal:
            continue
        if node.op in kinds.PLACEHOLDERS:
            found.append(_input(node.output(), placeholder_role(node), fed))
        elif node.op in kinds.ELEMENTS:
            found += [_input(value, "iterator", fed) for value in node.outputs]
    return sorted(found, key=lambda candidate: -candidate.score)


def stored_ends(metagraph: MetaGraph, side: Literal["inputs", "outputs"]) -> list[Candidate]:
    """Return what a TFLite model stores as its inputs or outputs: of the first subgraph and of every signature's."""
    graphs = dict.fromkeys([metagraph.graph, *(signature.graph for signature in metagraph.signatures.values())])
    return [candidate for graph in graphs for candidate in _stored(graph, side)]


def _stored(graph: Graph, side: Literal["inputs", "outputs"]) -> list[Candidate]:
    if side == "inputs":
        return [Candidate(value, SIGNED, "feed", ["input of the subgraph"]) for value in graph.inputs]
    return [Candidate(output.value, SIGNED, "", ["output of the subgraph"]) for output in graph.outputs]


_ROLE_POINTS = {"feed": 50.0, "switch": 20.0, "default": 15.0, "iterator": 10.0}
_ROLE_REASONS = {
    "switch": "switches between training and inference",
    "default": "has a default value",
    "iterator": "comes from an input pipeline",
}


def _input(value: Value, role: str, fed: dict[Value, str]) -> Candidate:
    node = value.producer
    assert node is not None
    score = _ROLE_POINTS[role]
    why = [_ROLE_REASONS[role]] if role in _ROLE_REASONS else ["a placeholder"]
    if value in fed:
        score += FED
        why.insert(0, f"fed by signature {fed[value]}")
    elif node.attrs.get("dtype") in (RESOURCE, VARIANT):
        score += A_HANDLE
        why.append("a handle, which cannot be fed from outside")
    if not value.consumers:
        score += UNREAD
        why.append("nothing reads it")
    elif all(_is_auxiliary(user) for user in value.consumers):
        score += READ_ASIDE
        why.append("only saving, loading or training reads it")
    return Candidate(value, score, role, why)


_SERVICE_SCOPES = frozenset((
    "save", "gradients", "init", "report_uninitialized_variables", "train", "training", "optimizer", "adam", "momentum",
    "sgd", "rmsprop", "metrics", "metric", "accuracy", "loss", "losses", "summaries", "summary", "checkpoint", "saver",
    "assignmovingavg", "global_step", "learning_rate", "exponentialmovingaverage", "assert", "evaluation", "eval",
))  # fmt: skip
_GRADIENTS = frozenset({"gradients", "gradients_1", "gradient_tape"})
_NUMBER = re.compile(r"_\d+$")
# One of these is in every name with a scope of `_SERVICE_SCOPES`, or that `_LOSS_SCOPE` finds.
_SERVICE_WORDS = (
    *_SERVICE_SCOPES,
    "crossentropy",
    "cross_entropy",
    "squared_error",
    "absolute_difference",
    "_distance",
)
_LOSS_SCOPE = re.compile(r"\w*(cross_?entropy\w*|_loss(es)?|squared_error|absolute_difference|_distance)\w*")
_ANSWERS = re.compile(  # in lower case: without regard to case it takes five times as long, and every name is asked
    r"logits?|prob(s|abilit(y|ies))?|softmax|sigmoid|embeddings?|predict(ions?|ed)?|outputs?|scores?|(box|bbox)(es)?"
    r"|detection\w*|class(es)?|labels?|landmarks?|features?|result|final\w*|argmax|top_?k|masks?|keypoints?|heatmaps?"
)


class _Judge:
    """Knows what of a graph depends on feeds and on training, and gives points."""

    def __init__(self, metagraph: MetaGraph, shapes: ShapeReport | None) -> None:
        graph = metagraph.graph
        self.shapes = shapes
        self._asked: tuple[Node | None, tuple[Value, ...]] = (None, ())
        self.signed = {value: key for key, value in _signature_values(metagraph, "outputs")}
        internal = internal_inputs(metagraph)
        fed = kinds.PLACEHOLDERS | kinds.ELEMENTS
        feeds = [node for node in graph.nodes if node.op in fed and node.name not in internal]
        data = [node for node in feeds if node.op in kinds.ELEMENTS or placeholder_role(node) != "switch"]
        self.fed = downstream(data or feeds, controls=False)
        counts = graph.op_counts
        has_sizes = not kinds.SHAPE_SOURCES.isdisjoint(counts)
        self.from_data = downstream(data or feeds, controls=False, through=_takes_elements) if has_sizes else self.fed
        names = "\n".join([node.name for node in graph.nodes]).lower()
        trains, self._has_service = _occurs(_GRADIENTS, names), _occurs(_SERVICE_WORDS, names)
        ops = frozenset(op for op in counts if kinds.is_training(op))
        is_training = _is_training if trains else lambda node: node.op in ops
        training = filter(is_training, graph.nodes) if trains or ops else ()
        self.training = downstream(training, controls=False)
        self.flow = control_flow(graph)
        ordered = in_order(graph.nodes, controls=False, back_edges=kinds.BACK_EDGES)
        self.places = {node: place for place, node in enumerate(ordered)}
        weights = [node for node in ordered if node.op in kinds.VARIABLES] if self.training else []
        self.weighted = downstream(weights, controls=False)
        self.feeds = _told_apart(feeds[:MOST_FEEDS])
        self.sources = _sources(ordered, self.feeds) if self.training else {}
        self.joined = self._joined(ordered) if self.training else {}
        self.compared = self._compared(ordered) if self.joined else set()
        self.labels = {self.joined[node] for node in self.compared if self.joined[node] not in self.sources[node]}

    def rank(self, nodes: Iterable[Node]) -> list[Candidate]:
        """Return the values of nodes that could be fetched, best first."""
        found = [candidate for node in nodes for candidate in self.candidates(node)]
        return sorted(_level(found), key=lambda candidate: -candidate.score)

    def may_stand_out(self, node: Node) -> bool:
        """Say whether a value of a node may get `ENOUGH` points, without counting them.

        With no telling name or op, what is read gets `DEEPEST` at most and `LAST_OF_BLOCK`; an output that nothing
        reads, beside one that is read, no more.
        """
        return (
            node.op in kinds.ANSWERS
            or node in self.compared
            or _is_named_like_answer(node.name)
            or all(self._is_aside(user) for user in node.consumers)
            or (bool(self.signed) and any(value in self.signed for value in node.known_outputs.values()))
        )

    def candidates(self, node: Node) -> list[Candidate]:
        signed = [value for value in node.known_outputs.values() if value in self.signed]
        if not signed and (_is_service(node) or node in self.flow.frames or node in self.flow.branches):
            return []
        if not signed and (node in self.training or (self.fed and node not in self.fed)):
            return []
        dtypes = node.output_dtypes()
        values = [node.output(port) for port in range(len(dtypes))] if dtypes is not None else [node.output()]
        return [
            self._candidate(node, value, dtypes)
            for value in values
            if value in self.signed or self._can_be_answer(value, dtypes)
        ]

    def _can_be_answer(self, value: Value, dtypes: list[DType] | None) -> bool:
        if dtypes is None or not isinstance(value.port, int) or value.port >= len(dtypes):
            return dtypes is None
        if value.port and value.producer is not None and value.producer.op in kinds.BY_PRODUCTS:
            return False
        dtype = dtypes[value.port]
        return dtype not in (RESOURCE, VARIANT) and not dtype.is_ref

    def _candidate(self, node: Node, value: Value, dtypes: list[DType] | None) -> Candidate:
        depth = self.places[node] / max(len(self.places), 1)
        score, why = DEEPEST * depth, []
        for points, reason in self._reasons(node, value):
            score += points
            if reason:
                why.append(reason)
        return Candidate(value, round(score, 2), "", why or ["computed from the inputs"])

    def _reasons(self, node: Node, value: Value) -> Iterable[tuple[float, str]]:
        if value in self.signed:
            yield SIGNED, f"output of signature {self.signed[value]}"
        users = [user for user in value.consumers if not self._is_aside(user)]
        if not users:
            yield from self._end_reasons(node, value)
        else:
            yield from self._inner_reasons(node, users)
        points = TELLING_INSIDE if users else TELLING
        if _is_named_like_answer(node.name.rpartition("/")[2]) or (not users and _is_named_like_answer(node.name)):
            yield points, "named like an answer"
        if node.op in kinds.ANSWERS:
            # The logarithm is what a loss takes; beside it there is mostly an answer for people.
            yield points / 2 if node.op == "LogSoftmax" else points, with_article(node.op)
        if node in self.fed and node not in self.from_data:
            yield OF_SHAPE, "computed from the shape of an input only"
        if self.weighted and value not in self.signed:
            yield from self._training_reasons(node)
        shape = self.shapes.shape(value) if self.shapes is not None else Shape(None)
        if shape.rank == 0 and value not in self.signed:
            yield A_TRAINED_SCALAR if self.training else A_SCALAR, "a scalar"

    def _training_reasons(self, node: Node) -> Iterable[tuple[float, str]]:
        if node not in self.weighted:
            yield WITHOUT_WEIGHTS, "computed without weights"
        elif node not in self.compared and self.sources[node] & self.labels:
            yield BESIDE_LABELS, "computed with what an answer is compared with"

    def _inner_reasons(self, node: Node, users: list[Node]) -> Iterable[tuple[float, str]]:
        block = self._block(node)
        if block and all(user.name.partition("/")[0] != block for user in users):
            yield LAST_OF_BLOCK, f"the last of its block {block}"
        if node in self.compared:
            yield (
                (COMPARED_LATER if node.op in kinds.BEFORE_LABELS else COMPARED),
                f"only read together with {self.joined[node]}",
            )

    def _block(self, node: Node) -> str:
        """Return the top-level scope that a node belongs to; what several ops compute has the scope's name."""
        scope, slash, _ = node.name.partition("/")
        parts = (value.producer for value in node.inputs)
        is_result = any(part in self.from_data and part.name.startswith(f"{scope}/") for part in parts if part)
        return scope if slash or is_result else ""

    def _joined(self, ordered: list[Node]) -> dict[Node, Value]:
        """Return the nodes that are only read together with an input that went through no weights, and that input."""
        joined: dict[Node, Value] = {}
        for node in reversed(ordered):
            users = self._users(node)
            met = [self._met(user, node) for user in users]
            through = [user for user, values in zip(users, met, strict=True) if not values]
            if users and all(user in joined and user.op in kinds.BEFORE_LABELS for user in through):
                found = [value for values in met for value in values] or [joined[user] for user in through]
                joined[node] = min(found, key=str)
        return joined

    def _met(self, user: Node, node: Node) -> list[Value]:
        """Return the inputs that the other operands of a user come from, if they went through no weights."""
        met: list[Value] = []
        for value in user.inputs[:MOST_OPERANDS]:
            other = value.producer
            if other is not None and other is not node and other in self.from_data and other not in self.weighted:
                met += self.sources.get(other) or ([value] if other in self.feeds else [])
        return met

    def _compared(self, ordered: list[Node]) -> set[Node]:
        """Return the joined nodes computed with weights, but those (masked, say) whose result goes into a layer."""
        followed: set[Node] = set()
        for node in reversed(ordered):
            for user in self._users(node):
                is_joined = user in self.joined and self._may_be_compared(user)
                is_layer = user.op in kinds.LAYERS and user in self.weighted
                if user in followed or is_layer or (is_joined and user.op not in kinds.BEFORE_LABELS):
                    followed.add(node)
                    break
        return {node for node in self.joined if node not in followed and self._may_be_compared(node)}

    def _may_be_compared(self, node: Node) -> bool:
        """Say whether a value is computed with weights, and not from the labels, unless these are the input itself."""
        own = self.sources[node]
        return bool(own) and node in self.weighted and (self.joined[node] not in own or len(own) == 1)

    def _users(self, node: Node) -> list[Node]:
        return [user for user in node.consumers if not self._is_aside(user)]

    def _end_reasons(self, node: Node, value: Value) -> Iterable[tuple[float, str]]:
        if self._is_read(node, value):
            yield BY_PRODUCT, "a by-product"  # such as the statistics of a batch norm
        elif isinstance(value.port, int) and value.port > 0 and node.op in kinds.BATCH_NORMS:
            yield STATISTICS, "a by-product"
        yield AN_END, "only training or saving reads it" if value.consumers else "nothing reads it"
        if node.op in kinds.MERGES | kinds.SWITCHES:
            yield OF_TRAINED_FLOW if self.training or value.port else OF_CONDITIONAL, "the end of a conditional"
        if node.op in kinds.EXITS:
            yield OF_TRAINED_FLOW if self.training else OF_LOOP, "a variable of a loop"
        if node.op == "Identity":
            yield AN_IDENTITY, "an Identity at the end"

    def _is_read(self, node: Node, value: Value) -> bool:
        """Say whether an output of a node other than this one is read."""
        if node is not self._asked[0]:  # the outputs of a node are asked about one after the other; there may be many
            read = islice((other for other in node.known_outputs.values() if other.consumers), 2)
            self._asked = node, tuple(read)
        return any(other is not value for other in self._asked[1])

    def _is_aside(self, node: Node) -> bool:
        if node in self.training or kinds.is_service(node.op):
            return True
        return self._has_service and _is_service(node)


def _occurs(words: Iterable[str], names: str) -> bool:
    """Say whether one of some words is in any of the names: where none is, no name needs to be taken apart."""
    return any(word in names for word in words)


def _is_named_like_answer(name: str) -> bool:
    return _ANSWERS.search(name.lower()) is not None


def _takes_elements(node: Node) -> bool:
    return node.op not in kinds.SHAPE_SOURCES


def _is_training(node: Node) -> bool:
    return kinds.is_training(node.op) or _is_of_training(node.name.rpartition("/")[0])


def _is_service(node: Node) -> bool:
    return kinds.is_service(node.op) or _is_of_service(node.name.rpartition("/")[0], node.op in kinds.LAST_LAYERS)


# The nodes of one scope follow each other.
@lru_cache(maxsize=4096)
def _is_of_training(scope: str) -> bool:
    return not _GRADIENTS.isdisjoint(scope.lower().split("/"))


@lru_cache(maxsize=4096)
def _is_of_service(scope: str, is_last_layer: bool) -> bool:
    return any(_scope_serves(part, is_last_layer) for part in scope.lower().split("/"))


@lru_cache(maxsize=4096)
def _scope_serves(part: str, is_last_layer: bool) -> bool:
    part = _NUMBER.sub("", part)
    if is_last_layer and part == "loss":  # where BERT's classifiers compute their answer
        return False
    return part in _SERVICE_SCOPES or _LOSS_SCOPE.fullmatch(part) is not None


def _is_auxiliary(node: Node) -> bool:
    return _is_training(node) or (_is_service(node) and node.op not in kinds.SHAPE_SOURCES)


def _signature_values(metagraph: MetaGraph, side: str) -> list[tuple[str, Value]]:
    found = []
    for signature in metagraph.signatures.values():
        for entry in getattr(signature, side).values():
            found += [(signature.key, m.target) for m in entry.mentions if isinstance(m.target, Value)]
    return found


def _told_apart(feeds: Iterable[Node]) -> set[Node]:
    """Return the inputs that are data, each by itself; what only switches is none."""
    return {node for node in feeds if node.op in kinds.ELEMENTS or placeholder_role(node) == "feed"}


def _sources(ordered: Iterable[Node], own: set[Node]) -> dict[Node, frozenset[Value]]:
    """Return for each node the inputs that it is computed from."""
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
