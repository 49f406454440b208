"""What a shell is offered for the word that is being typed: names of the model on the line, kinds, dtypes, rules.

Only a process that answers a shell gets here. What cannot be read is no error: nothing is offered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from graphsurgeon.errors import GraphSurgeonError

if TYPE_CHECKING:
    from graphsurgeon.model.metagraph import MetaGraph, Signature
    from graphsurgeon.model.model import Model

MOST = 200  # words: of more a shell shows none, and the names of a large graph take seconds to print
_Words = Callable[[Any, str], Iterable[str]]  # the context of the command and what is typed, to all words that may be


class Offered(NamedTuple):
    """A word, as click (of which typer may have its own) wants it."""

    value: str
    type: str = "plain"
    help: str | None = None


def attach(command: Any) -> None:
    """Give the parameters of a command what completes them."""
    for parameter in command.params:
        words = _words_of(command.name, parameter)
        if words is not None:
            parameter.shell_complete = partial(_complete, words)


def _words_of(command: str, parameter: Any) -> _Words | None:
    for option in parameter.opts:
        found = _BY_COMMAND.get((command, option)) or _BY_OPTION.get(option)
        if found is not None:
            return found
    return None


def _complete(words: _Words, context: Any, typed: str) -> list[Offered]:
    """Return the words that begin with what is typed; where none does, with what follows the last comma of a list."""
    before, comma, last = typed.rpartition(",")
    try:
        found = dict.fromkeys(word for word in words(context, typed) if word.startswith(typed) and word != typed)
        if comma and not found:
            found = dict.fromkeys(f"{before},{word}" for word in words(context, last) if word.startswith(last))
    except GraphSurgeonError:
        return []
    return [Offered(word) for word, _ in zip(found, range(MOST), strict=False)]


def _model(context: Any) -> Model | None:
    from graphsurgeon.formats import read

    # An option whose value is being typed ends the parsing before any argument has got its place.
    words = [word for word in context.meta.get("arguments", ()) if not word.startswith("-")]
    path = next((word for word in words if _is_model(Path(word))), None)
    return None if path is None else read(path)


def _is_model(path: Path) -> bool:
    from graphsurgeon.formats.recognise.locate import locate

    try:
        locate(path)
    except GraphSurgeonError:
        return False
    return True


def _of_model(names: Callable[[Model], Iterable[str | None]]) -> _Words:
    def words(context: Any, typed: str) -> Iterator[str]:
        model = _model(context)
        yield from (name for name in names(model) if name) if model is not None else ()

    return words


def _pair(first: _Words, second: _Words | None = None) -> _Words:
    """Complete `NAME=`, then what stands behind it."""

    def words(context: Any, typed: str) -> Iterator[str]:
        name, equals, rest = typed.rpartition("=")
        if not equals:
            yield from (f"{word}=" for word in first(context, typed))
        elif second is not None:
            yield from (f"{name}={word}" for word in second(context, rest))

    return words


def _tensors(model: Model) -> Iterator[str | None]:
    for metagraph in model.metagraphs:
        graph = metagraph.graph
        yield from (value.name for value in graph.values)
        yield from (str(value) for node in graph.nodes if graph.kind != "subgraph" for value in node.outputs)


def _nodes(model: Model) -> Iterator[str | None]:
    for metagraph in model.metagraphs:
        yield from (node.name for node in metagraph.graph.nodes)
    if not model.metagraphs:
        yield from _variables(model)


def _inputs(model: Model) -> Iterator[str | None]:
    from graphsurgeon.ops.kinds import PLACEHOLDERS

    for metagraph in model.metagraphs:
        yield from (key for signature in _public(metagraph) for key in signature.inputs)
        yield from (value.name for value in metagraph.graph.inputs)
        yield from (node.name for node in metagraph.graph.nodes if node.op in PLACEHOLDERS)


def _outputs(model: Model) -> Iterator[str | None]:
    for metagraph in model.metagraphs:
        yield from (key for signature in _public(metagraph) for key in signature.outputs)


def _variables(model: Model) -> Iterator[str]:
    if model.checkpoint is not None:
        yield from model.checkpoint.variables


def _public(metagraph: MetaGraph) -> list[Signature]:
    """Return the signatures that somebody may ask for: not those that name what runs on load."""
    from graphsurgeon.analysis.names import INTERNAL

    return [signature for key, signature in metagraph.signatures.items() if not key.startswith(INTERNAL)]


def _signatures(model: Model) -> Iterator[str]:
    for metagraph in model.metagraphs:
        yield from (signature.key for signature in _public(metagraph))


def _tags(model: Model) -> Iterator[str]:
    for metagraph in model.metagraphs:
        yield ",".join(metagraph.tags or ()) or "none"


def _graphs(model: Model) -> Iterator[str]:
    for metagraph in model.metagraphs:
        yield "main"
        yield from metagraph.functions


def _ops(model: Model) -> Iterator[str]:
    for graph in model.graphs:
        yield from graph.op_counts


def _dtypes(context: Any, typed: str) -> Iterator[str]:
    from graphsurgeon.model.dtype import DTYPE_NAMES

    yield from (name for name in DTYPE_NAMES if not name.endswith("_ref"))


def _kinds(context: Any, typed: str) -> Iterable[str]:
    from graphsurgeon.surgery.stripping.kinds import KINDS

    return KINDS


def _passes(context: Any, typed: str) -> Iterable[str]:
    from graphsurgeon.surgery.optimize import PASSES

    return (*PASSES, "all")


def _rules(context: Any, typed: str) -> Iterable[str]:
    from graphsurgeon.patterns.rules import rule_names

    return rule_names()


def _formats(context: Any, typed: str) -> Iterable[str]:
    from graphsurgeon.formats import registry

    return registry.options()


def _renamed(context: Any, typed: str) -> Iterable[str]:
    """Return what `--what` says is renamed, with its `=`."""
    what = getattr(context.params.get("what"), "value", context.params.get("what"))
    kinds: dict[str | None, Callable[[Model], Iterable[str | None]]] = {
        "variables": _variables,
        "signatures": _signatures,
        "functions": _graphs,
        "tags": _tags,
        "keys": _keys,
    }
    return _pair(_of_model(kinds.get(what, _nodes)))(context, typed)


def _keys(model: Model) -> Iterator[str]:
    for metagraph in model.metagraphs:
        for signature in _public(metagraph):
            yield from (f"{signature.key}.{key}" for key in (*signature.inputs, *signature.outputs))


def _ends(model: Model) -> Iterator[str | None]:
    yield from _outputs(model)
    yield from _tensors(model)


_BY_OPTION: dict[str, _Words] = {
    "--tags": _of_model(_tags),
    "--signature": _of_model(_signatures),
    "--graph": _of_model(_graphs),
    "--function": _of_model(_graphs),
    "--outputs": _of_model(_ends),
    "--inputs": _of_model(_tensors),
    "--name": _of_model(_nodes),
    "--op": _of_model(_ops),
    "--consumers-of": _of_model(_nodes),
    "--producers-of": _of_model(_nodes),
    "--focus": _of_model(_nodes),
    "--from": _of_model(_nodes),
    "--to": _of_model(_nodes),
    "--highlight": _of_model(_nodes),
    "--match": _of_model(_variables),
    "--values": _of_model(_variables),
    "--set": _pair(_of_model(_inputs)),
    "--shape": _pair(_of_model(_inputs)),
    "--assume": _pair(_of_model(_inputs)),
    "--feed": _pair(_of_model(_inputs)),
    "--dtype": _pair(_of_model(_inputs), _dtypes),
    "--rule": _rules,
    "--format": _formats,
}
_BY_COMMAND: dict[tuple[str, str], _Words] = {
    ("strip", "--only"): _kinds,
    ("strip", "--keep"): _kinds,
    ("optimize", "--only"): _passes,
    ("optimize", "--keep"): _passes,
    ("set-output", "--dtype"): _pair(_of_model(_outputs), _dtypes),
    ("find", "--dtype"): _dtypes,
    ("inputs", "--dtype"): _dtypes,
    ("outputs", "--dtype"): _dtypes,
    ("add-signature", "--name"): _of_model(_signatures),
    ("remove-signature", "names"): _of_model(_signatures),
    ("rename", "pairs"): _renamed,
    ("add-output", "pairs"): _pair(_of_model(_tensors)),
    ("rewire", "tensors"): _pair(_of_model(_tensors), _of_model(_tensors)),
}
for _command in ("find", "inputs", "outputs"):  # a shape alone: nothing to offer
    _BY_COMMAND[_command, "--shape"] = lambda context, typed: ()
