"""Judge the nodes of one MetaGraph by the table of ops: what runs when, on what, and how bad that is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from graphsurgeon.model.graph import Graph, Node
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.ops import catalog, kinds
from graphsurgeon.scanning.finding import Severity, Threat
from graphsurgeon.scanning.flow import saver
from graphsurgeon.scanning.flow.constants import is_evaluated
from graphsurgeon.scanning.flow.reach import Label, Reach, Stage
from graphsurgeon.scanning.flow.strings import texts_of
from graphsurgeon.scanning.flow.trace import Leaf, Text, Tracer
from graphsurgeon.scanning.flow.training import is_training_input
from graphsurgeon.scanning.table import ACTS, FILES, OpRule, rules
from graphsurgeon.scanning.words import ActsOn, named, targets_of

_MOST_SIGNATURES = 20  # of one node, that get a finding each
_INFO = frozenset({"terminal", "bomb"})
_MODERATE = frozenset({"device", "accelerator", "shared", "handle", "memory"})


@dataclass
class Case:
    """What is known of one node while it is judged.

    Attributes:
        node, rule: the node, and its row of the table.
        labels: the ways on which it runs, the worst first.
        kind: of the rule, as the node's attributes narrow it.
        what: what it does.
        texts: what its paths and addresses can be.
        targets: the same as a report names it.
    """

    node: Node
    rule: OpRule
    labels: list[Label]
    kind: str
    what: str
    texts: list[Text] = field(default_factory=list)
    targets: list[ActsOn] = field(default_factory=list)


class Judge:
    """Judges one MetaGraph.

    Args:
        metagraph: its graphs are lifted.
        is_bare: it was no SavedModel: any node may be fetched.
        outside: assets that lead out of the model's folder: name -> where to.
        fetched: nodes that a run asks for.
        stored: gives the strings that a variable is restored with.
    """

    def __init__(
        self,
        metagraph: MetaGraph,
        *,
        is_bare: bool,
        outside: Mapping[str, str] | None = None,
        fetched: Iterable[Node] = (),
        stored: Callable[[MetaGraph, Node], list[bytes]] | None = None,
    ) -> None:
        self.metagraph = metagraph
        self.is_bare = is_bare
        self.outside = dict(outside or {})
        self.reach = Reach(metagraph, is_bare=is_bare, fetched=fetched)
        self.tracer = Tracer(metagraph, self.reach, stored)

    def threats(self) -> Iterator[Threat]:
        """Yield what each node of the table could do."""
        table = rules()
        for graph in self.metagraph.graphs:
            for node in graph.nodes:
                rule = table.get(node.op)
                if rule is not None:
                    yield from self.of_node(node, rule)

    def of_node(self, node: Node, rule: OpRule) -> Iterator[Threat]:
        """Yield what one node could do, once for each signature that runs it."""
        case = self.case(node, rule)
        if case is None:
            return
        if self._is_evaluated(case):
            severity: Severity = "high" if case.kind == "read" else "critical"
            if all(target.is_inside for target in case.targets) and case.targets:
                severity = "info"
            what = f"{case.what}, when the graph is imported: a shape depends on it"
            yield self._threat(case, severity, Label(Stage.LOAD, "load"), what)
            return
        severity, what = self.severity(case)
        for label in _told(case.labels):
            yield self._threat(case, severity, label, what)

    def as_if(self, node: Node, place: Node, rule: OpRule, texts: list[Text]) -> Iterator[Threat]:
        """Yield what a node could do that stands elsewhere than its attributes: a TensorFlow op in a TFLite operator.

        Args:
            node: what has the attributes.
            place: where it stands.
            rule: of the table.
            texts: what its paths can be.
        """
        kind, what, urls = _narrowed(node, rule)
        if kind:
            texts = texts if urls is None else [(url,) for url in urls]
            labels = self.reach.labels(place)
            case = Case(place, rule, labels, kind, what, texts, targets_of(texts, self.outside))
            severity, what = self.severity(case)
            threat = self._threat(case, severity, labels[0] if labels else None, what)
            yield replace(threat, op=rule.op)

    def case(self, node: Node, rule: OpRule) -> Case | None:
        """Return what is known of a node; None if its attributes make it harmless."""
        kind, what, urls = _narrowed(node, rule)
        if not kind:
            return None
        texts = [text for name in rule.inputs for text in self.tracer.alternatives(node, name)]
        if kind not in _INFO:
            texts += [text for name in rule.attrs for text in _in_attr(node, name)]
        if urls is not None:
            texts = [(url,) for url in urls]
        texts += self._queued(node)
        if node.op.startswith("CacheDataset") and texts and all(text in ((b"",), ()) for text in texts):
            return None  # in memory
        labels, texts = saver.called(node, self.reach.labels(node), texts)
        return Case(node, rule, labels, kind, what, texts, targets_of(texts, self.outside))

    def severity(self, case: Case) -> tuple[Severity, str]:
        """Return how bad it is, and what it does as far as that depends on the rest of the graph."""
        node, labels, what = case.node, case.labels, case.what
        stage = labels[0].stage if labels else None
        of_saver = _as_saver(case) if node.op in kinds.RESTORES | saver.SAVES else None
        if of_saver is not None:
            return of_saver
        if case.kind in _INFO:
            return "info", what
        if case.kind in FILES and case.targets and all(target.is_inside for target in case.targets):
            return "info", f"{what}: an asset of the model"
        if case.kind in _MODERATE:
            return _moderate(case), what
        if not case.rule.has_cpu_kernel:
            return "medium", what
        if case.kind == "summary" and stage in (None, Stage.FETCH):
            return "info", f"{what}, in a part that training uses"
        if stage is Stage.FETCH and is_training_input(node):
            return "medium", f"{what}, as input of training"
        return severity_at(stage), what

    def _is_evaluated(self, case: Case) -> bool:
        return case.rule.at_import and case.kind in ACTS and is_evaluated(case.node)

    def _threat(self, case: Case, severity: Severity, label: Label | None, what: str) -> Threat:
        where = " > ".join(self.reach.path(case.node, label))
        when = label.when if label is not None else "unknown"
        outside = tuple(target.text for target in case.targets if not target.is_inside)
        target = named(case.targets) if case.kind != "graph" else None
        return Threat(severity, case.node.op, what, where, when, target, case.kind, targets=outside)

    def _queued(self, node: Node) -> list[Text]:
        """Return the names of files that come to a reader by a queue."""
        reads = [node] if node.op.startswith("ReaderRead") else []
        if node.op.endswith(("Reader", "ReaderV2")):
            reads = [user for user in node.consumers if user.op.startswith("ReaderRead")]
        found: list[Text] = []
        for read in reads:
            queue = read.inputs[1].producer if len(read.inputs) > 1 else None
            for user in queue.consumers if queue is not None else ():
                if user.op.startswith("QueueEnqueue"):
                    found += [text for value in user.inputs[1:] for text in self.tracer.texts(value)]
        return found


def _as_saver(case: Case) -> tuple[Severity, str] | None:
    """Judge an op that saves or restores; None if it does so elsewhere than a saver would."""
    if saver.is_own(case.node, case.labels, case.texts):
        return "info", f"{case.what}: the model's own saver"
    if saver.is_unused(case.labels, case.texts):
        return "info", f"{case.what}: a saver that nothing uses"
    if saver.is_warm_start(case.node, case.labels):
        return "medium", "restores variables from another checkpoint, when training begins"
    return None


def _told(labels: list[Label]) -> list[Label | None]:
    """Return the ways that get a finding each: all signatures, else the worst one; None where there is no way."""
    if not labels:
        return [None]
    worst = [label for label in labels if label.stage is labels[0].stage]
    return [*worst[: _MOST_SIGNATURES if labels[0].stage is Stage.SIGNATURE else 1]]


def severity_at(stage: Stage | None) -> Severity:
    """Return how bad it is that something acts, by when it does."""
    if stage in (Stage.LOAD, Stage.RESTORE):
        return "critical"
    return "medium" if stage is None else "high"


def _moderate(case: Case) -> Severity:
    is_remote = any(
        b"/job:" in (t.constant or b"") and b"/job:localhost" not in (t.constant or b"") for t in case.targets
    )
    if case.kind == "device" and is_remote and case.labels:
        return "high"
    return "medium" if case.labels else "info"


def _narrowed(node: Node, rule: OpRule) -> tuple[str, str, list[bytes] | None]:
    """Return kind and words for a node, and the URLs that an attribute holds; no kind for a harmless one."""
    if node.op == "XlaCallModule":
        return "", "", None  # what its module calls decides: see `modules`
    if node.op == "PrintV2":
        stream = texts_of(node.attrs.get("output_stream"))
        if _is_open(node, "output_stream"):
            return "write", rule.what, None
        return ("write", rule.what, stream) if stream and b"://" in stream[0] else ("terminal", "prints", None)
    if rule.kind == "debug":
        return _debug(node, rule)
    if node.op in ("EncodeProto", "DecodeProtoV2"):
        source = b"".join(texts_of(node.attrs.get("descriptor_source"))[:1])
        is_own = source in (b"", b"local://") or source.startswith((b"local://", b"bytes://"))
        is_own = is_own and not _is_open(node, "descriptor_source")
        return ("", "", None) if is_own else (rule.kind, rule.what, None)
    if node.op == "FixedUnigramCandidateSampler" and not _in_attr(node, "vocab_file"):
        return "", "", None
    if rule.kind == "handle":
        is_handle = any(getattr(node.attrs.get(name), "name", "") in ("resource", "variant") for name in ("out_type",))
        return ("handle", rule.what, None) if is_handle else ("", "", None)
    return rule.kind, rule.what, None


def _is_open(node: Node, name: str) -> bool:
    """Say whether an attribute is filled in by whoever calls the function that the node stands in."""
    value = node.attrs.get(name)
    return any(isinstance(item, str) for item in (value if isinstance(value, list) else [value]))


def _in_attr(node: Node, name: str) -> list[Text]:
    texts: list[Text] = [(item,) for item in texts_of(node.attrs.get(name)) if item]
    return [*texts, (Leaf("computed", f"attribute {name}"),)] if _is_open(node, name) else texts


def _debug(node: Node, rule: OpRule) -> tuple[str, str, list[bytes] | None]:
    if _is_open(node, "debug_urls") or _is_open(node, "debug_ops_spec"):
        return "network", rule.what, None
    urls = texts_of(node.attrs.get("debug_urls"))
    for spec in texts_of(node.attrs.get("debug_ops_spec")):  # op;url;gated
        urls += spec.split(b";")[1:2]
    urls = [url for url in urls if url]
    outer = [url for url in urls if not url.startswith(b"memcbk://")]
    if not outer:
        return "", "", None
    if any(not url.startswith(b"file://") for url in outer):
        return "network", "sends tensors over the network", urls
    return "write", "writes tensors to a folder", urls


def unknown_ops(metagraph: MetaGraph) -> dict[str, list[Graph]]:
    """Return ops that neither TensorFlow nor the table nor the library knows, and the graphs that hold them."""
    found: dict[str, list[Graph]] = {}
    known = catalog.names()
    table = rules()
    for graph in metagraph.graphs:
        for op in graph.op_counts:
            if op not in known and op not in table and op not in metagraph.functions:
                found.setdefault(op, []).append(graph)
    return found
