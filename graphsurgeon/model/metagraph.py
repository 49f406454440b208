"""A MetaGraph: a main graph, its functions, and everything that belongs to them.

One SavedModel holds one MetaGraph per set of tags; a frozen GraphDef, a `.meta` file and a TFLite model
are read as one MetaGraph each, so that everything above `formats/` knows one container.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from graphsurgeon.errors import UsageError
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.format import TENSORFLOW, Vocabulary
from graphsurgeon.model.graph import Graph, GraphSource, Node
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.shape import Shape

if TYPE_CHECKING:
    from typing import Any

    from graphsurgeon.model.objects import ObjectGraph
    from graphsurgeon.model.tensor import Tensor


class SignatureEntry:
    """An input or output of a signature.

    Attributes:
        mention: the tensor (or, for an init op, the node); None for a composite or sparse tensor.
        components: mentions of a composite (ragged, sparse) tensor's parts, in stored order.
        dtype, shape: as the signature records them.
        index: TFLite: the tensor itself is named by index in the signature's subgraph; `value` gives it.
    """

    __slots__ = ("components", "dtype", "mention", "raw", "shape")

    def __init__(
        self,
        mention: Mention | None,
        dtype: DType | None,
        shape: Shape | None,
        *,
        components: list[Mention] | None = None,
        raw: Any = None,
    ) -> None:
        self.mention = mention
        self.dtype = dtype
        self.shape = shape
        self.components = components or []
        self.raw = raw

    @property
    def mentions(self) -> list[Mention]:
        """All mentions of the entry."""
        return [self.mention] if self.mention is not None else self.components


class Signature:
    """A named set of inputs and outputs. Keys of `inputs` and `outputs` are in sorted order for GraphDef families.

    Attributes:
        key: such as `serving_default`.
        method: such as `tensorflow/serving/predict`; empty if none.
        graph: the graph whose tensors it names.
        defaults: values for inputs that a caller leaves out.
    """

    __slots__ = ("defaults", "graph", "inputs", "key", "method", "outputs", "raw")

    def __init__(
        self,
        key: str,
        graph: Graph,
        inputs: Mapping[str, SignatureEntry],
        outputs: Mapping[str, SignatureEntry],
        *,
        method: str = "",
        defaults: Mapping[str, Tensor] | None = None,
        raw: Any = None,
    ) -> None:
        self.key = key
        self.graph = graph
        self.inputs = dict(inputs)
        self.outputs = dict(outputs)
        self.method = method
        self.defaults = dict(defaults or {})
        self.raw = raw

    @property
    def entries(self) -> Iterator[SignatureEntry]:
        """All inputs, then all outputs."""
        yield from self.inputs.values()
        yield from self.outputs.values()


class Collection:
    """A named list kept beside a graph (`trainable_variables`, `saved_model_main_op`, ...).

    Attributes:
        key: name of the collection.
        kind: "node_list", "bytes_list", "int64_list", "float_list" or "any_list".
        items: one per element, in order; remove one to drop it from the file.
    """

    __slots__ = ("items", "key", "kind", "raw")

    def __init__(self, key: str, kind: str, items: list[CollectionItem], raw: Any = None) -> None:
        self.key = key
        self.kind = kind
        self.items = items
        self.raw = raw


class CollectionItem:
    """One element of a collection.

    Attributes:
        type: name of the message that bytes hold (`VariableDef`, `CondContextDef`, ...), empty for plain values.
        mentions: what the element names, by field (`variable_name`, `initializer_name`, ...; a field that
            repeats has one entry per value, as `field[0]`).
        value: the plain value (int, float, bytes), or the bytes of the message.
    """

    __slots__ = ("mentions", "raw", "type", "value")

    def __init__(self, type: str, mentions: dict[str, Mention], value: object, raw: Any = None) -> None:
        self.type = type
        self.mentions = mentions
        self.value = value
        self.raw = raw


class Saver:
    """How the session-style loaders save and restore (`SaverDef`)."""

    __slots__ = ("filename", "raw", "restore", "save", "version")

    def __init__(self, filename: Mention, save: Mention, restore: Mention, version: int, raw: Any = None) -> None:
        self.filename = filename
        self.save = save
        self.restore = restore
        self.version = version
        self.raw = raw

    @property
    def mentions(self) -> list[Mention]:
        """The mentions that say something."""
        return [mention for mention in (self.filename, self.save, self.restore) if mention.text]


class Asset:
    """A file under `assets/` and the tensor that takes its path.

    Attributes:
        filename: its name below `assets/`.
        mention: the tensor that a loader feeds the path to.
        source: a file to be copied there; None for one that the model's folder has already.
        content: reads the file that the model's folder has; None where there is no folder.
        in_collection: it stands in the collection `saved_model_assets` alone, as in SavedModels of early TensorFlow 1.
    """

    __slots__ = ("content", "filename", "in_collection", "mention", "raw", "source")

    def __init__(self, filename: str, mention: Mention, raw: Any = None, *, source: str | None = None) -> None:
        self.filename = filename
        self.mention = mention
        self.raw = raw
        self.source = source
        self.content: Callable[[], bytes] | None = None
        self.in_collection = False


class MetaGraphSource(Protocol):
    """What a format offers about a MetaGraph; each is asked once, when somebody looks."""

    def signatures(self, metagraph: MetaGraph) -> dict[str, Signature]:
        """Return the signatures by key, sorted."""

    def collections(self, metagraph: MetaGraph) -> dict[str, Collection]:
        """Return the collections by key."""

    def saver(self, metagraph: MetaGraph) -> Saver | None:
        """Return the saver, None if there is none."""

    def assets(self, metagraph: MetaGraph) -> list[Asset]:
        """Return the assets."""

    def objects(self, metagraph: MetaGraph) -> ObjectGraph | None:
        """Return the object graph, None if the file has none."""

    def drop_debug_info(self, metagraph: MetaGraph) -> dict[str, int]:
        """Write no debug info any more; return graph name -> number of nodes that had some."""

    def drop_unused_codes(self, metagraph: MetaGraph) -> list[str]:
        """Write no operator codes (TFLite) that no operator has; return the operators that they stand for."""

    def function_source(self) -> GraphSource | None:
        """Return the GraphSource of an empty new function, None if the format has no functions."""

    def function_names(self) -> frozenset[str]:
        """Return the names that functions had when they were read."""

    def take_in(self, metagraph: MetaGraph, other: MetaGraph) -> TakenIn:
        """Enter nodes and functions of another MetaGraph of the same family of formats, whose names are free here."""

    def beside(self, metagraph: MetaGraph, other: MetaGraph) -> MetaGraph:
        """Return another MetaGraph of the same family of formats as one of this file."""


class TakenIn(NamedTuple):
    """What another MetaGraph has, over the graphs of the one that took it in; nodes and functions are entered there.

    Attributes:
        nodes: of the main graph.
        functions: of the library.
        signatures, collections, saver, assets, objects: as MetaGraph has them, entered nowhere yet.
        tell: lets the MetaGraph say of its inputs and outputs what both said, once they are those of both, with a
            prefix for names that are taken; returns notes. None where the format has nothing to say of them.
    """

    nodes: list[Node]
    functions: list[Graph]
    signatures: dict[str, Signature]
    collections: dict[str, Collection]
    saver: Saver | None
    assets: list[Asset]
    objects: ObjectGraph | None
    tell: Callable[[MetaGraph, str], list[str]] | None = None


class MetaGraph:
    """A main graph with its functions, signatures, collections, saver, assets and object graph.

    Attributes:
        vocabulary: what its ops mean: those of TensorFlow, or of the framework whose file it was read from.
        tags: such as ["serve"]; None where the format has none.
        graph: the main graph; for TFLite subgraph 0 (the default entry).
        functions: name -> function; for TFLite the other subgraphs by `#index`. In file order.
        gradients: function name -> name of its gradient function; either may be of a function that there is not.
        registered_gradients: value of `_gradient_op_type` -> the function that computes that custom gradient.
        producer: facts about the maker: "tensorflow" (version text), "graph_version", "min_consumer", "description".
        inside: the nodes that hold it, where it is a program inside another graph; empty otherwise.
        raw: the format's MetaGraphSource.
    """

    __slots__ = (
        "_assets",
        "_collections",
        "_modules",
        "_objects",
        "_saver",
        "_signatures",
        "functions",
        "gradients",
        "graph",
        "inside",
        "producer",
        "raw",
        "registered_gradients",
        "tags",
        "vocabulary",
    )  # fmt: skip

    def __init__(
        self,
        raw: MetaGraphSource | None = None,
        tags: list[str] | None = None,
        *,
        vocabulary: Vocabulary = TENSORFLOW,
    ) -> None:
        self.raw = raw
        self.vocabulary = vocabulary
        self.tags = tags
        self.graph = Graph(self, "main")
        self.functions: dict[str, Graph] = {}
        self.gradients: dict[str, str] = {}
        self.registered_gradients: dict[str, Graph | str] = {}
        self.producer: dict[str, Any] = {}
        self._signatures: dict[str, Signature] | None = None
        self._collections: dict[str, Collection] | None = None
        self._saver: list[Saver | None] | None = None
        self._assets: list[Asset] | None = None
        self._objects: list[ObjectGraph | None] | None = None
        self._modules: list[MetaGraph] | None = None
        self.inside: list[str] = []

    @property
    def graphs(self) -> list[Graph]:
        """The main graph, then every function or further subgraph."""
        return [self.graph, *self.functions.values()]

    @property
    def signatures(self) -> dict[str, Signature]:
        """Signatures by key; change the mapping and its entries to change the file."""
        if self._signatures is None:
            self._signatures = self.raw.signatures(self) if self.raw else {}
        return self._signatures

    @property
    def collections(self) -> dict[str, Collection]:
        """Collections by key."""
        if self._collections is None:
            self._collections = self.raw.collections(self) if self.raw else {}
        return self._collections

    @property
    def saver(self) -> Saver | None:
        """The saver, None if there is none."""
        if self._saver is None:
            self._saver = [self.raw.saver(self) if self.raw else None]
        return self._saver[0]

    @saver.setter
    def saver(self, saver: Saver | None) -> None:
        self._saver = [saver]

    @property
    def assets(self) -> list[Asset]:
        """Assets, in file order."""
        if self._assets is None:
            self._assets = self.raw.assets(self) if self.raw else []
        return self._assets

    @assets.setter
    def assets(self, assets: list[Asset]) -> None:
        self._assets = assets

    @property
    def objects(self) -> ObjectGraph | None:
        """The object graph that `tf.saved_model.load` follows; None where there is none."""
        if self._objects is None:
            self._objects = [self.raw.objects(self) if self.raw else None]
        return self._objects[0]

    @objects.setter
    def objects(self, objects: ObjectGraph | None) -> None:
        self._objects = [objects]

    @property
    def made_parts(self) -> frozenset[str]:
        """Names of the parts that somebody has asked for or set; the others are as the format has them."""
        parts = ("signatures", "collections", "saver", "assets", "objects")
        return frozenset(part for part in parts if getattr(self, f"_{part}") is not None)

    @property
    def modules(self) -> list[MetaGraph]:
        """Programs of another vocabulary that nodes hold: StableHLO in `XlaCallModule`. Each once; read only."""
        if self._modules is None:
            read = getattr(self.raw, "modules", None)
            self._modules = read(self) if read is not None else []
        return self._modules

    def module_of(self, node: Node) -> MetaGraph | None:
        """Return the program that a node holds, None if it holds none, or none that can be read."""
        import hashlib

        data = node.attrs.get("module")
        if not isinstance(data, bytes) or not self.modules:
            return None
        digest = hashlib.sha256(data).hexdigest()
        return next((module for module in self.modules if module.producer.get("sha256") == digest), None)

    def mentions(self) -> Iterator[Mention]:
        """Every mention of a node or tensor outside the edges: signatures, collections, saver, assets, objects."""
        for signature in self.signatures.values():
            for entry in signature.entries:
                yield from entry.mentions
        for collection in self.collections.values():
            for item in collection.items:
                yield from item.mentions.values()
        if self.saver is not None:
            yield from self.saver.mentions
        for asset in self.assets:
            yield asset.mention
        if self.objects is not None:
            yield from self.objects.mentions()

    def resolve_mentions(self) -> None:
        """Look every mention up, so that it follows its target even if the target's port changes."""
        for mention in self.mentions():
            _ = mention.target

    def drop_debug_info(self) -> dict[str, int]:
        """Write without the names and source lines that nodes keep for messages; return graph name -> how many had any.

        What the main graph keeps for all (a table of source lines, the folder `debug` of a SavedModel) counts as one.
        """
        return self.raw.drop_debug_info(self) if self.raw is not None else {}

    def add_function(self, function: Graph) -> None:
        """Enter a function into the library.

        Raises:
            UsageError: the name is taken.
        """
        if function.name in self.functions:
            raise UsageError(f"the library already has a function {function.name!r}")
        self.functions[function.name] = function

    def new_function(self, name: str) -> Graph:
        """Enter an empty function into the library.

        Raises:
            UsageError: the name is taken.
        """
        function = Graph(self, "function", name)
        function.raw = self.raw.function_source() if self.raw is not None else None
        self.add_function(function)
        return function

    def rename_functions(self, names: Mapping[Graph, str]) -> None:
        """Rename functions, all at once; every mention follows.

        Raises:
            UsageError: a new name is taken or given twice.
        """
        after = [names.get(function, function.name) for function in self.functions.values()]
        if len(set(after)) < len(after):
            twice = next(name for name, count in Counter(after).items() if count > 1)
            raise UsageError(f"two functions would be named {twice!r}")
        functions = list(self.functions.values())
        changed = {function.name: name for function, name in zip(functions, after, strict=True)}
        changed |= {name: name for function, name in zip(functions, after, strict=True) if function.name == name}
        self.gradients = {changed.get(one, one): changed.get(other, other) for one, other in self.gradients.items()}
        for function, name in zip(functions, after, strict=True):
            function._name = name
        self.functions = {function.name: function for function in functions}

    def keep_subgraphs(self, graphs: Sequence[Graph]) -> None:
        """TFLite: leave only some subgraphs, the first one as the main graph.

        A subgraph without a name of its own is called by its number, so its name here may change; what the file
        stores as its name does not.
        """
        untouched = [graph.name == getattr(graph.raw, "name", None) for graph in graphs]
        stored = [
            getattr(graph.raw, "stored_name", graph.name) if same else graph.name
            for graph, same in zip(graphs, untouched, strict=True)
        ]
        for graph, same, name in zip(graphs, untouched, subgraph_names(stored), strict=True):
            graph._name = name
            if same:
                graph.raw.name = name  # type: ignore[union-attr]
        self.graph, *others = graphs
        self.functions = {graph.name: graph for graph in others}

    def unique_function_name(self, base: str) -> str:
        """Return `base`, or `base_1`, ... : a name that no function of the library has."""
        name, number = base, 0
        while name in self.functions:
            number += 1
            name = f"{base}_{number}"
        return name


def subgraph_names(stored: Sequence[str]) -> list[str]:
    """Return what the subgraphs of a TFLite model are called: their names, or numbers where these are none.

    Args:
        stored: their names in the file, in its order.
    """
    counts = Counter(stored)
    return [name if number == 0 or (name and counts[name] == 1) else f"#{number}" for number, name in enumerate(stored)]
