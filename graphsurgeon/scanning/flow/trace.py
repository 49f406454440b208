"""Which texts a value can be: paths are followed back through a graph to constants, assets and what a caller passes.

A text is a row of parts, each a constant or something known by where it comes from; a value can be several texts
(branches, elements of a list, callers of a function). What cannot be followed ends in a part "computed": never in
nothing. Bounded in steps, so that a graph made to be endless ends in "computed" too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple, TypeAlias

from graphsurgeon.analysis.flow.load_path import LoadPath
from graphsurgeon.analysis.flow.restore_map import resource_key
from graphsurgeon.model.graph import FunctionRef, Graph, Node, Value
from graphsurgeon.model.metagraph import Asset, MetaGraph
from graphsurgeon.model.objects import ObjectNode
from graphsurgeon.ops import catalog, kinds
from graphsurgeon.scanning.flow import fold
from graphsurgeon.scanning.flow.exact import Exact
from graphsurgeon.scanning.flow.reach import Reach
from graphsurgeon.scanning.flow.strings import strings_of

MOST_TEXTS = 64  # of one value
_MOST_STEPS = 20_000  # for the texts of one graph's ops; then they count as computed, so as chosen by the caller
_DEEPEST = 100  # steps behind each other; each takes a few frames of Python's stack


class Leaf(NamedTuple):
    """A part of a text that is no constant.

    Attributes:
        kind: "caller" (an input: whoever calls chooses), "asset", "saver" (the name that a loader feeds), "variable",
            or "computed".
        name: of the input, the asset, the variable, or the op that computes it.
    """

    kind: Literal["caller", "asset", "saver", "variable", "computed"]
    name: str


Part: TypeAlias = bytes | Leaf
Text: TypeAlias = tuple[Part, ...]

_PASSING = {**dict.fromkeys(kinds.ELEMENTS_OF_FIRST, 0), "Split": 1, "Fill": 1}
_ELEMENTS = kinds.ITERATED | {"DatasetToSingleElement"}
_SOURCES = ("input_dataset", "another_dataset", "input_datasets")
FLEX = "Flex"  # what the names of TensorFlow's ops begin with in a TFLite model
_CAPTURES = ("other_arguments", "captured_arguments", "captured_inputs", "captured_tensors", "captured", "other_args")


class Tracer:
    """Follows values of one MetaGraph back.

    Args:
        metagraph, reach: what is followed.
        stored: gives the strings that a variable is restored with, none where they are not known.
    """

    def __init__(
        self, metagraph: MetaGraph, reach: Reach, stored: Callable[[MetaGraph, Node], list[bytes]] | None = None
    ) -> None:
        self._metagraph = metagraph
        self._reach = reach
        self._load = LoadPath(metagraph)
        self._assets: dict[Node | None, Asset] = {asset.mention.node: asset for asset in metagraph.assets}
        saver = metagraph.saver
        self._saver = saver.filename.node if saver is not None else None
        self._keys = _signature_keys(metagraph)
        self._inputs = _subgraph_keys(metagraph)
        self._stored = stored
        self._steps = 0
        self._exact = Exact(reach.callers, lambda node: node in self._assets or node is self._saver)

    def texts(self, value: Value) -> list[Text]:
        """Return what a value can be; at least one text."""
        self._steps = 0
        return _few(self._trace(value, ()))

    def alternatives(self, node: Node, argument: str) -> list[Text]:
        """Return what an input argument of a node can be, all its values together; empty if the node lacks it."""
        opdef = catalog.of(node)
        if opdef is None or opdef.input_lengths(node.attrs) is None:  # which input is which is not known
            return [text for value in node.inputs for text in self.texts(value)]
        found: list[Text] = []
        for value in _argument(node, argument):
            found += self.texts(value)
        return found

    def _trace(self, value: Value, behind: tuple[Value, ...]) -> list[Text]:
        self._steps += 1
        if value in behind:
            return []  # round a loop: nothing new
        node = value.producer
        if self._steps > _MOST_STEPS or len(behind) > _DEEPEST:
            return [(Leaf("computed", node.op if node is not None else "argument"),)]
        behind = (*behind, value)
        if node is None:
            return self._input(value, behind)
        known = self._known(node)
        if known is not None:
            return known
        items = self._exact.strings(value)
        if items is not None:
            return [(item,) for item in items]
        found = self._through(node, value, behind)
        return found if found is not None else self._folded(node, behind)

    def _one(self, value: Value) -> bytes | int | None:
        """Return a value that is one constant."""
        items = self._exact.strings(value)
        return items[0] if items is not None and len(items) == 1 else self._exact.number(value)

    def _known(self, node: Node) -> list[Text] | None:
        """Return what a node is by itself: an asset, the saver's file name, an input, a constant."""
        asset = self._assets.get(node)
        if asset is not None:
            return [(Leaf("asset", asset.filename),)]
        if node is self._saver and node is not None:
            return [(Leaf("saver", self._keys.get(node, node.name)),)]
        if node.op in kinds.MUST_BE_FED | {"_Arg"}:
            return [(Leaf("caller", self._keys.get(node, node.name)),)]
        if node.op == "Const":
            tensor = node.attrs.get("value")
            items = strings_of(tensor) if not isinstance(tensor, (int, float, bytes, str, list)) else None  # type: ignore[arg-type]
            if items is None:
                return [(Leaf("computed", "a large constant"),)] if _is_string(tensor) else []
            return [(item,) for item in items]
        return None

    def _through(self, node: Node, value: Value, behind: tuple[Value, ...]) -> list[Text] | None:
        """Follow ops that hand values on; None for an op that makes a new one."""
        if node.op == "PlaceholderWithDefault":
            return [(Leaf("caller", self._keys.get(node, node.name)),), *self._all(node.inputs[:1], behind)]
        if node.op in ("ReadVariableOp", "ResourceGather"):
            return self._variable(node, behind)
        if node.op in ("VariableV2", "Variable"):
            return self._reference(node, behind)
        if node.op in kinds.ELEMENTS_OF_ALL:
            return self._all(node.inputs, behind)
        if node.op in ("Concat", "ConcatV2"):
            return self._all(node.inputs[1:] if node.op == "Concat" else node.inputs[:-1], behind)
        if node.op in kinds.SELECTS:
            return self._all(node.inputs[1:3], behind)
        if node.op in _ELEMENTS:
            return self._element(node.inputs[0], value.port, behind) if node.inputs else None
        if node.op in _PASSING and len(node.inputs) > _PASSING[node.op]:
            at = int(value.port) if node.op == "IdentityN" and isinstance(value.port, int) else _PASSING[node.op]
            return self._all(node.inputs[at : at + 1], behind)
        return self._result(node, value, behind)

    def _result(self, node: Node, value: Value, behind: tuple[Value, ...]) -> list[Text] | None:
        """Follow the result of a call, a branch or a loop into the functions."""
        port = value.port
        is_call = node.callee is not None or node.op.endswith("PartitionedCall") or node.op == "RemoteCall"
        if not (is_call or node.op in kinds.BRANCHES or node.op in kinds.LOOPS) or not isinstance(port, int):
            return None
        functions = node.functions
        if node.op in kinds.LOOPS:
            functions = [ref.graph for ref in (node.attrs.get("body"),) if isinstance(ref, FunctionRef) and ref.graph]
        results = [function.outputs[port].value for function in functions if port < len(function.outputs)]
        passed = node.inputs[port : port + 1] if node.op in kinds.LOOPS else ()
        return self._all([*results, *passed], behind) if results else None

    def _folded(self, node: Node, behind: tuple[Value, ...]) -> list[Text]:
        """Compute what can be computed of constants (joins, above all)."""
        if node.op == "ReduceJoin" and not _is_in_order(node):
            return [(Leaf("computed", node.op),)]
        if node.op in fold.JOINING:
            inputs = [self._trace(value, behind) or [()] for value in node.inputs[: fold.JOINING[node.op]]]
            try:
                return fold.product(node, inputs)[:MOST_TEXTS]
            except ValueError:
                return [(Leaf("computed", "a long text"),)]
        if node.op in fold.OF_ONE and node.inputs:
            others = [self._one(value) for value in node.inputs[1:]]
            computed = fold.fold(node, self._trace(node.inputs[0], behind), others)
            if computed is not None:
                return [(text,) for text in computed]
        return [(Leaf("computed", node.op),)]

    def _all(self, values: Iterable[Value], behind: tuple[Value, ...]) -> list[Text]:
        found: list[Text] = []
        for value in values:
            found += self._trace(value, behind)
            if len(found) > MOST_TEXTS:  # until then one that comes twice counts twice: they may be pieces of a join
                found = list(dict.fromkeys(found))
            if len(found) > MOST_TEXTS:
                return [*found[:MOST_TEXTS], (Leaf("computed", "many texts"),)]
        return found

    def _variable(self, node: Node, behind: tuple[Value, ...]) -> list[Text]:
        """Follow a variable to what is assigned on load, if that is known."""
        handle = self._handle(node.inputs[0]) if node.inputs else None
        place = self._load.assigned.get(resource_key(handle)) if handle is not None else None
        if place is not None:
            return self._trace(place.value, behind)
        values = self._stored(self._metagraph, handle) if handle is not None and self._stored is not None else []
        return [(item,) for item in values] or [(Leaf("variable", handle.name if handle is not None else node.name),)]

    def _reference(self, node: Node, behind: tuple[Value, ...]) -> list[Text]:
        """Follow a variable of TensorFlow 1 to all that is assigned to it, and to what it is restored with."""
        assigned = [user.inputs[1] for user in node.consumers if user.op == "Assign" and user.inputs[1:]]
        given = [value for value in assigned if value.producer is None or value.producer.op not in kinds.RESTORES]
        stored = self._stored(self._metagraph, node) if self._stored is not None else []
        found = [*self._all(given, behind), *((item,) for item in stored)]
        return found or [(Leaf("variable", node.name),)]

    def _handle(self, value: Value) -> Node | None:
        """Return the node that makes a handle, through calls; None where callers differ."""
        for _ in range(_DEEPEST):
            if value.producer is not None:
                node = value.producer
                if node.op not in kinds.ONE_TO_ONE | kinds.SWITCHES or not node.inputs:
                    return node
                value = node.inputs[0]
                continue
            passed = [given for given in self._passed(value) if given is not value]
            if not passed:
                return None
            value = passed[0]
        return None

    # -- arguments of functions ------------------------------------------------------------------------

    def _input(self, value: Value, behind: tuple[Value, ...]) -> list[Text]:
        """Follow an argument of a function to what each caller passes, and to what loading binds it to."""
        if value.is_dangling or not isinstance(value.port, int):
            return [(Leaf("computed", "a missing node"),)]
        if value.tensor is not None:
            items = strings_of(value.tensor)
            return [(item,) for item in items] if items is not None else []
        if value.graph.kind == "subgraph":
            elements = [self._of_elements(node, value, behind) for node in self._reach.callers.get(value.graph, ())]
            if any(elements):
                return [text for texts in elements for text in texts]
            return [(Leaf("caller", self._inputs.get(value, str(value))),)]
        found = self._all(self._passed(value), behind)
        for node in self._reach.callers.get(value.graph, ()):
            found += self._of_elements(node, value, behind)
        bound = self._bound(value)
        if bound is not None:
            found += bound
        return found or [(Leaf("caller", value.name or f"argument {value.port}"),)]

    def _passed(self, value: Value) -> list[Value]:
        """Return what callers pass for an argument."""
        function, port = value.graph, value.port
        assert isinstance(port, int)
        found = []
        for node in self._reach.callers.get(function, ()):
            place = _place_of(node, function, port)
            if place is not None and 0 <= place < len(node.inputs):
                found.append(node.inputs[place])
                if node.op in kinds.LOOPS:
                    body = node.attrs.get("body")
                    results = body.graph.outputs if isinstance(body, FunctionRef) and body.graph else []
                    found += [output.value for output in results[port : port + 1]]
        return found

    def _of_elements(self, node: Node, value: Value, behind: tuple[Value, ...]) -> list[Text]:
        """Follow an argument that is an element of a data set."""
        assert isinstance(value.port, int)
        if not node.inputs or "Dataset" not in node.op or _place_of(node, value.graph, value.port) is not None:
            return []
        return self._element(node.inputs[0], value.port, behind)

    def _element(self, dataset: Value, port: object, behind: tuple[Value, ...]) -> list[Text]:
        """Return what an element of a data set (or of an iterator over one) can be."""
        node = dataset.producer
        self._steps += 1
        if dataset in behind or self._steps > _MOST_STEPS or len(behind) > _DEEPEST:
            return []
        behind = (*behind, dataset)
        if node is None:
            given = self._passed(dataset) if isinstance(dataset.port, int) else []
            return [text for one in given for text in self._element(one, port, behind)] or [
                (Leaf("computed", "a data set"),)
            ]
        if node.op.removeprefix(FLEX) in ("TensorDataset", "TensorSliceDataset"):
            components = node.inputs
            return self._all(components[port : port + 1] if isinstance(port, int) else components, behind)
        return self._element_of(node, port, behind)

    def _element_of(self, node: Node, port: object, behind: tuple[Value, ...]) -> list[Text]:
        functions = [ref.graph for ref in node.function_refs if ref.graph is not None]
        if "Iterator" in node.op and not node.inputs:
            makers = [user for value in node.outputs for user in value.consumers if user.op == "MakeIterator"]
            sources = [user.inputs[0] for user in makers] + [f.outputs[0].value for f in functions if f.outputs]
            return [text for one in sources for text in self._element(one, port, behind)]
        if node.op.removeprefix(FLEX) in ("MatchingFilesDataset", "ExperimentalMatchingFilesDataset"):
            return self._all(node.inputs, behind)
        if functions and isinstance(port, int) and "Filter" not in node.op and "TakeWhile" not in node.op:
            results = [function.outputs[port].value for function in functions if port < len(function.outputs)]
            is_nested = any(word in node.op for word in ("FlatMap", "Interleave"))
            if is_nested:
                return [text for result in results for text in self._element(result, port, behind)]
            return self._all(results, behind) or [(Leaf("computed", node.op),)]
        opdef = catalog.of(node)
        is_source = opdef is None or not any("dataset" in arg.name for arg in opdef.inputs)
        if is_source or not node.inputs:
            return [(Leaf("computed", node.op),)]
        sources = [
            given for arg in ("input_dataset", "another_dataset", "input_datasets") for given in _argument(node, arg)
        ]
        return [text for one in sources for text in self._element(one, port, behind)] or [(Leaf("computed", node.op),)]

    def _bound(self, value: Value) -> list[Text] | None:
        """Return what loading binds an argument to: the last arguments of a function are what it captured."""
        objects = self._metagraph.objects
        entry = objects.concrete(value.graph) if objects is not None else None
        if entry is None:
            return None
        assert isinstance(value.port, int)
        place = value.port - (len(value.graph.inputs) - len(entry.bound_inputs))
        if place < 0:
            is_called = bool(self._reach.callers.get(value.graph))
            return None if is_called else [(Leaf("caller", value.name or f"argument {value.port}"),)]
        return self._captured(entry.bound_inputs[place]) if place < len(entry.bound_inputs) else None

    def _captured(self, captured: ObjectNode) -> list[Text]:
        assets = self._metagraph.assets
        if captured.kind == "asset":
            known = 0 <= captured.asset_index < len(assets)
            return [(Leaf("asset", assets[captured.asset_index].filename if known else "?"),)]
        if captured.kind == "constant" and captured.mention is not None:
            node = captured.mention.node
            return (self._known(node) or []) if node is not None else []
        return [(Leaf("variable", captured.name or captured.kind or "an object"),)]


def _is_in_order(node: Node) -> bool:
    """Say whether a join's parts come in the order of what they are put together of."""
    while (maker := node.inputs[0].producer if node.inputs else None) is not None and maker.op in kinds.IDENTITIES:
        node = maker
    return maker is not None and maker.op in ("Pack", "Const")


def _is_string(tensor: object) -> bool:
    return getattr(getattr(tensor, "dtype", None), "name", "") == "string"


def _signature_keys(metagraph: MetaGraph) -> dict[Node, str]:
    """Return the key of each node that a signature takes as input."""
    keys: dict[Node, str] = {}
    for signature in metagraph.signatures.values():
        if signature.graph.kind == "subgraph":
            continue
        for key, entry in signature.inputs.items():
            for mention in entry.mentions:
                if mention.node is not None:
                    keys.setdefault(mention.node, key)
    return keys


def _subgraph_keys(metagraph: MetaGraph) -> dict[Value, str]:
    """Return the key of each TFLite tensor that a signature takes as input."""
    keys: dict[Value, str] = {}
    for signature in metagraph.signatures.values() if metagraph.graph.kind == "subgraph" else ():
        for key, entry in signature.inputs.items():
            target = entry.mention.target if entry.mention is not None else None
            if isinstance(target, Value):
                keys.setdefault(target, key)
    return keys


def _argument(node: Node, name: str) -> list[Value]:
    """Return the values of one input argument."""
    at = span(node, name)
    return list(node.inputs[at[0] : at[0] + at[1]]) if at is not None else []


def span(node: Node, name: str) -> tuple[int, int] | None:
    """Return where the values of an input argument begin, and how many there are; None if the op lacks it."""
    opdef = catalog.of(node)
    lengths = opdef.input_lengths(node.attrs) if opdef is not None else None
    if opdef is None or lengths is None:
        return None
    start = 0
    for argument, length in zip(opdef.inputs, lengths, strict=True):
        if argument.name == name:
            return start, length
        start += length
    return None


def _place_of(node: Node, function: Graph, port: int) -> int | None:
    """Return which input of a node a function that it runs gets as an argument; None if it is none."""
    if node.op in kinds.BRANCHES or node.op == "RemoteCall":
        return port + 1
    if node.callee is not None or node.op in kinds.LOOPS or node.op.endswith("PartitionedCall"):
        return port
    captures = next(
        (at for at in (span(node, name) for name in _capture_names(node, function)) if at is not None), None
    )
    if captures is not None:
        first = len(function.inputs) - captures[1]
        if port >= first:
            return captures[0] + port - first
    if "Dataset" in node.op:
        return None
    return port if len(function.inputs) <= len(node.inputs) else None


def _capture_names(node: Node, function: Graph) -> list[str]:
    names = [key for key, value in node.attrs.items() if isinstance(value, FunctionRef) and value.graph is function]
    own = [f"{name}{end}" for name in names for end in ("_other_arguments", "_other_args")]
    return [*own, *_CAPTURES]


def _few(texts: list[Text]) -> list[Text]:
    unique = list(dict.fromkeys(texts))
    if len(unique) > MOST_TEXTS:
        return [*unique[:MOST_TEXTS], (Leaf("computed", "many texts"),)]
    return unique or [(Leaf("computed", "nothing"),)]
