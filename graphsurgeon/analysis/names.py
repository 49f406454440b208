"""Names that users type, to objects: MetaGraphs by tags, graphs by name, nodes and values by text.

A name is literal first. What does not exist is refused with the nearest names; what is ambiguous, with the
candidates. Searches (globs) are in `select.py`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase

from graphsurgeon.analysis.flow.calls import reached_functions
from graphsurgeon.analysis.flow.placeholders import internal_inputs
from graphsurgeon.errors import UnsupportedError, UsageError, plural
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph, Signature
from graphsurgeon.model.model import Model
from graphsurgeon.ops import catalog
from graphsurgeon.ops.kinds import CONSTANTS, VALUE_READS, VARIABLES

NO_TAGS = "none"
KEY = "key:"  # stands before the key of a signature where a node has that name too
INTERNAL = "__saved_model"  # beginning of the signatures that name what runs on load
_LISTED = 8  # names that are listed where none is near


def require_graph(model: Model) -> None:
    """Refuse a checkpoint, and say where its graph is.

    Raises:
        UnsupportedError: the model has no graph.
    """
    if not model.metagraphs:
        beside = model.checkpoint.graph_beside if model.checkpoint is not None else ""
        hint = f"its graph is in {beside}" if beside else "gs weights lists its variables"
        raise UnsupportedError("a checkpoint holds variables and no graph", path=model.path or None, hint=hint)


def natural(name: str) -> list[tuple[int, str]]:
    """Return what sorts names with their numbers as numbers: `conv2d` before `conv2d_2` before `conv2d_10`."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def choose_metagraph(model: Model, tags: Sequence[str] | None = None) -> MetaGraph:
    """Return the MetaGraph with exactly these tags; without tags the only one, else the one tagged `serve`.

    Of several with the same tags the first is taken, as loaders do. Where nobody has chosen among several, a note of
    the model says which one was taken.

    Args:
        model: any model; gets the note.
        tags: `["none"]` is the empty set.

    Raises:
        UsageError: there is no such MetaGraph.
        UnsupportedError: the model is a checkpoint.
    """
    require_graph(model)
    wanted = set() if list(tags or ()) == [NO_TAGS] else set(tags or ("serve",))
    found = [metagraph for metagraph in model.metagraphs if set(metagraph.tags or ()) == wanted]
    if found:
        if tags is None and len(model.metagraphs) > 1:
            _tell_choice(model, found[0])
        return found[0]
    if tags is None and len(model.metagraphs) == 1:
        return model.metagraphs[0]
    choices = ", ".join(f"--tags {','.join(metagraph.tags or ()) or NO_TAGS}" for metagraph in model.metagraphs)
    if tags is None:
        raise UsageError("the model has several MetaGraphs and none is tagged just `serve`", hint=f"choose {choices}")
    raise UsageError(f"no MetaGraph is tagged {','.join(wanted) or NO_TAGS}", hint=f"there is {choices}")


def _tell_choice(model: Model, chosen: MetaGraph) -> None:
    others = " or ".join(",".join(one.tags or ()) or NO_TAGS for one in model.metagraphs if one is not chosen)
    tags = ",".join(chosen.tags or ())
    note = f"the MetaGraph tagged {tags}, one of {len(model.metagraphs)}; --tags chooses {others}"
    if note not in model.notes:
        model.notes.append(note)


def choose_graphs(metagraph: MetaGraph, pattern: str | None = None) -> list[Graph]:
    """Return the graphs whose name matches a glob; `main` is the main graph, None means all.

    Raises:
        UsageError: no graph matches.
    """
    if pattern is None or pattern == "*":
        return metagraph.graphs
    if pattern == "main":
        return [metagraph.graph]
    keyed = [(metagraph.graph.name, metagraph.graph), *metagraph.functions.items()]
    found = [graph for key, graph in keyed if key == pattern]
    found = found or [graph for key, graph in keyed if key and fnmatchcase(key, pattern)]
    if not found:
        raise UsageError(f"no function {pattern!r}", hint=near_or_all(pattern, metagraph.functions))
    return found


def find_node(
    metagraph: MetaGraph, name: str, *, graph: str | None = None, prefer: Collection[Graph] | None = None
) -> Node:
    """Return the node with a name: from the main graph, else from the only function that has it.

    Args:
        metagraph: where to look.
        name: of the node; a tensor's name will do.
        graph: limits the search to one function or subgraph.
        prefer: where several functions have it, these count before the others; by default those that the main
            graph reaches, before those that only loaded objects know.

    Raises:
        UsageError: no graph has it, or several functions have it.
    """
    node, _, _ = name.partition(":")
    places = choose_graphs(metagraph, graph)
    main = metagraph.graph.node(node) if metagraph.graph in places else None
    if main is not None:
        return main
    found = [match for place in places if (match := place.node(node)) is not None]
    if len(found) > 1:
        first = reached_functions([metagraph.graph]) if prefer is None else prefer
        found = [match for match in found if match.graph in first] or found
    if len(found) == 1:
        return found[0]
    if found:
        choices = ", ".join(f"--graph {match.graph.name}" for match in found)
        raise UsageError(f"{len(found)} functions have a node {node!r}", hint=f"choose {choices}")
    is_main = places == [metagraph.graph]
    inside = [one.name for one in metagraph.functions.values() if is_main and one.node(node) is not None]
    if inside:
        raise UsageError(
            f"{node!r} is a node of function {inside[0]!r}, not of the main graph",
            hint="gs extract --inputs cuts inside functions too",
        )
    internal = internal_inputs(metagraph)  # nobody asks for what a loader feeds
    nodes = [
        match for place in places for match in place.nodes if place is not metagraph.graph or match.name not in internal
    ]
    raise UsageError(f"the model has no node {node!r}", hint=_nodes_like(node, nodes))


def find_value(
    metagraph: MetaGraph, text: str, *, graph: str | None = None, prefer: Collection[Graph] | None = None
) -> Value:
    """Return the tensor that a text names.

    Args:
        metagraph: where to look.
        text: `node` (its output 0), `node:1`, in a function also `node:out_arg:0` or an argument; in TFLite the
            stored name, colons and all, or `#index`. What nothing is called is the key of a signature; `key:NAME`
            always is.
        graph: limits the search to one function or subgraph.
        prefer: where several functions have it, these count before the others.

    Raises:
        UsageError: nothing has that name, or several tensors have it.
    """
    places = choose_graphs(metagraph, graph)
    if graph in (None, "main") and not _is_name(places, text):
        keyed = _keyed_value(metagraph, text)
        if keyed is not None:
            return keyed
    if any(place.kind == "subgraph" for place in places):
        return _stored_value(places, text)
    if metagraph.graph not in places or metagraph.graph.node(text.partition(":")[0]) is None:
        arguments = [value for place in places for value in place.inputs if text in (value.name, f"{value.name}:0")]
        if len(arguments) == 1:
            return arguments[0]
    node = find_node(metagraph, text.partition(":")[0], graph=graph, prefer=prefer)
    port = _port(node, text.partition(":")[2])
    dtypes = node.output_dtypes()  # None if the op is unknown: then any output may be there
    if dtypes is not None and port >= len(dtypes):
        count = plural(len(dtypes), "output") if dtypes else "no outputs"
        raise UsageError(f"{node.name!r} ({node.op}) has {count}, so there is no {text!r}")
    return node.output(port)


def _is_name(places: Sequence[Graph], text: str) -> bool:
    node = text.partition(":")[0]
    return any(
        place.node(node) is not None or any(value.name in (text, node) for value in (*place.inputs, *place.values))
        for place in places
    )


def _keyed_value(metagraph: MetaGraph, text: str) -> Value | None:
    """Return the tensor that signatures have under a key, None if none has.

    Raises:
        UsageError: they have several, or the text says that it is a key and it is none.
    """
    key = text.removeprefix(KEY)
    public = [one for one in metagraph.signatures.values() if not one.key.startswith(INTERNAL)]
    public.sort(key=lambda one: one.key != "serving_default")
    for side in ("outputs", "inputs"):
        values: dict[Value, str] = {}
        for one in public:
            entry = getattr(one, side).get(key)
            target = entry.mention.target if entry is not None and entry.mention is not None else None
            if isinstance(target, Value):
                values.setdefault(target, one.key)
        if len(values) == 1 or "serving_default" in values.values():
            return next(iter(values))
        if values:
            choices = [f"{value} of signature {owner}" for value, owner in values.items()]
            raise UsageError(f"signatures have different tensors {key!r}", hint=f"choose {' or '.join(choices)}")
    if key != text:
        keys = [name for one in public for name in (*one.outputs, *one.inputs)]
        raise UsageError(f"no signature has a key {key!r}", hint=near_or_all(key, keys))
    return None


def find_signature(metagraph: MetaGraph, key: str | None = None) -> Signature:
    """Return a signature; without a key `serving_default`, or the only one that is not for initialization.

    Raises:
        UsageError: there is no such signature, or no single one to choose.
    """
    signatures = metagraph.signatures
    if key is not None:
        if key not in signatures:
            there_is = ", ".join(f"--signature {one}" for one in signatures if not one.startswith(INTERNAL))
            hint = suggestion(key, signatures) or (there_is and f"there is {there_is}")
            raise UsageError(f"the model has no signature {key!r}", hint=hint)
        return signatures[key]
    public = [signature for signature in signatures.values() if not signature.key.startswith(INTERNAL)]
    chosen = [signature for signature in public if signature.key == "serving_default"] or public
    if len(chosen) == 1:
        return chosen[0]
    if not public:
        raise UsageError("the model has no signature")
    choices = ", ".join(f"--signature {signature.key}" for signature in public)
    raise UsageError("the model has several signatures", hint=f"choose {choices}")


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return `did you mean 'a' or 'b'?` for the names nearest to one that does not exist, empty if none is near."""
    names = list(dict.fromkeys(known))[:20000]  # difflib is quadratic; more names than that help nobody
    inside = [other for other in names if name and name in other]
    last = [other for other in inside if other.endswith(f"/{name}")]
    near = difflib.get_close_matches(name, names, n=3) if len(names) <= 2000 else []
    best = list(dict.fromkeys([*sorted(last, key=len), *near, *sorted(inside, key=len)]))[:3]
    return f"did you mean {' or '.join(map(repr, best))}?" if best else ""


def near_or_all(name: str, known: Iterable[str]) -> str:
    """Return the names nearest to one that does not exist, else what there is: the first few, and how many more."""
    names = list(dict.fromkeys(one for one in known if one))
    if not names or (near := suggestion(name, names)):
        return near if names else "there is none"
    more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    return f"there is {', '.join(names[:_LISTED])}{more}"


def _nodes_like(name: str, nodes: Sequence[Node]) -> str:
    """Return a hint: nodes whose op was named, else those of like names, those that compute before variables."""
    of_op = list(dict.fromkeys(node.name for node in nodes if node.op == name))
    if of_op and not any(node.name.endswith(f"/{name}") for node in nodes):
        return f"did you mean {' or '.join(map(repr, of_op[:3]))}?"
    holding = CONSTANTS | VARIABLES | VALUE_READS
    computing = [node.name for node in nodes if node.op not in holding]
    return suggestion(name, computing) or near_or_all(name, (node.name for node in nodes))


def _stored_value(places: Sequence[Graph], text: str) -> Value:
    found = [value for place in places for value in place.values if value.name == text]
    if not found and text.startswith("#") and text[1:].isdecimal():
        index = int(text[1:])
        found = [place.values[index] for place in places[:1] if index < len(place.values)]
    if len(found) == 1:
        return found[0]
    if found:
        choices = ", ".join(f"#{value.port} in {value.graph.name or 'the first subgraph'}" for value in found[:8])
        raise UsageError(f"{len(found)} tensors are named {text!r}", hint=f"name one by its index: {choices}")
    known = [value.name or "" for place in places for value in place.values]
    raise UsageError(f"the model has no tensor {text!r}", hint=_of_several(text, known) or near_or_all(text, known))


def _of_several(text: str, known: Iterable[str]) -> str:
    """Return a hint where several names were joined by commas, which names of TFLite tensors may hold themselves."""
    parts = [part.strip() for part in text.split(",")]
    names = set(known)
    if len(parts) < 2 or not any(part in names or (part[:1] == "#" and part[1:].isdecimal()) for part in parts):
        return ""
    return "names of TFLite tensors may hold commas: repeat the option for each"


def _port(node: Node, text: str) -> int:
    if not text:
        return 0
    if text.isdecimal():
        return int(text)
    name, _, index = text.partition(":")
    start = 0
    for arg, length in _layout(node):
        if arg == name and (not index or index.isdecimal()) and int(index or 0) < length:
            return start + int(index or 0)
        start += length
    raise UsageError(f"{node.name!r} ({node.op}) has no output {text!r}")


def _layout(node: Node) -> list[tuple[str, int]]:
    if node.callee is not None:
        return [(output.name, 1) for output in node.callee.outputs]
    opdef = catalog.of(node)
    lengths = opdef.output_lengths(node.attrs) if opdef is not None else None
    return (
        [(arg.name, n) for arg, n in zip(opdef.outputs, lengths, strict=True)] if opdef and lengths is not None else []
    )
