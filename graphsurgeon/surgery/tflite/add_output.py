"""Make tensors of a TFLite subgraph outputs of it and of its signatures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from graphsurgeon.analysis.names import choose_graphs, find_value
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.model.dtype import RESOURCE, VARIANT, DType
from graphsurgeon.model.graph import Graph, Output, Value
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import MetaGraph, Signature, SignatureEntry
from graphsurgeon.model.shape import UNKNOWN_RANK, Shape
from graphsurgeon.model.traversal import nearest_first
from graphsurgeon.surgery.tflite.tensors import require_distinct

Added = tuple[str, str, DType, Shape, list[str]]  # name, tensor, dtype, shape, signatures


def add_tflite_outputs(
    metagraph: MetaGraph, outputs: Mapping[str, str], *, signature: str | None, all_tensors: bool, graph: str | None
) -> list[Added]:
    """Append tensors to the outputs of their subgraph and of its signatures.

    Args:
        metagraph: changed in place.
        outputs: tensor -> key in the signatures, empty for its own name. Where the subgraph has no signature the
            tensor takes the name, and where its own is no UTF-8.
        signature: only this signature; None means every signature of the subgraph.
        all_tensors: take every tensor that an operator of the main subgraph yields, under its own name.
        graph: limits the search for tensors.

    Raises:
        UsageError: a tensor is unknown, already an output, or a key is taken.
        UnsupportedError: the tensor is a constant, or its subgraph is run by an operator.
    """
    if all_tensors:
        subgraph = choose_graphs(metagraph, graph)[0]
        pairs = {value: "" for node in subgraph.nodes for value in node.outputs if _can_be_output(value)}
        names = _free_keys(metagraph, list(pairs))
        pairs = {value: names[value] for value in pairs if all(out.value is not value for out in subgraph.outputs)}
    else:
        pairs = {find_value(metagraph, text, graph=graph): name for text, name in outputs.items()}
        if len(pairs) < len(outputs):
            raise UsageError("a tensor is named twice", hint="one name for each tensor")
        pairs |= _free_keys(metagraph, [value for value, name in pairs.items() if not name])
        _require_distinct_keys(pairs)
    for value, name in pairs.items():
        _check(metagraph, value, name, signature)
    return [_add(metagraph, value, name, signature) for value, name in pairs.items()]


def _can_be_output(value: Value) -> bool:
    return value.dtype not in (RESOURCE, VARIANT, None) and not _is_constant(value)


def _is_constant(value: Value) -> bool:
    """Say whether a value is stored, or made of stored ones alone, such as weights that are dequantized first.

    LiteRT's delegate never fills a tensor of the latter kind, also where it is an output.
    """

    def before(one: Value) -> tuple[Value, ...]:
        return () if one.tensor is not None or one.producer is None else one.producer.inputs

    return all(one.tensor is not None or one.is_absent or bool(before(one)) for one in nearest_first([value], before))


def _require_distinct_keys(pairs: Mapping[Value, str]) -> None:
    """Refuse a key that two tensors would have.

    Raises:
        UsageError: it is given twice.
    """
    twice = [name for name, count in Counter(pairs.values()).items() if count > 1]
    if twice:
        raise UsageError(f"two outputs would be named {twice[0]!r}")


def _free_keys(metagraph: MetaGraph, values: list[Value]) -> dict[Value, str]:
    """Return a key for each tensor: its own name, with its number behind it where that is taken."""
    taken = {key for signature in metagraph.signatures.values() for key in signature.outputs}
    names: dict[Value, str] = {}
    for value in values:
        name = value.name if value.name and _is_text(value.name) else f"tensor_{value.port}"
        if name in taken:
            name = f"{name}_{value.port}"
        taken.add(name)
        names[value] = name
    return names


def _is_text(name: str) -> bool:
    """Say whether a name is UTF-8: interpreters fail on signature keys that are not."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "ignore") == name


def _check(metagraph: MetaGraph, value: Value, name: str, signature: str | None) -> None:
    graph = value.graph
    if not name or not _is_text(name):
        raise UsageError(f"{name!r} is no name for an output", hint="use text")
    if _is_constant(value):
        how = "a constant" if value.tensor is not None else "made of constants alone, and not computed at every run"
        raise UnsupportedError(f"{value} is {how}", hint="gs weights prints stored values")
    if not _can_be_output(value):
        raise UnsupportedError(f"{value} is a {value.dtype}, which cannot be an output")
    if _runners(metagraph, graph):
        raise UnsupportedError(
            f"{value} lies in a subgraph that {_runners(metagraph, graph)[0]} runs",
            hint="only tensors of subgraphs that are called from outside can be outputs",
        )
    if _is_output(value) and not _signatures_without(metagraph, value, signature):
        raise UsageError(f"{value} is already an output")
    if _takes_name(metagraph, value):
        require_distinct(graph.values, {value: name} if name != value.name else {})
    for found in _signatures_without(metagraph, value, signature):
        if name in found.outputs:
            raise UsageError(f"signature {found.key!r} already has an output {name!r}")


def _takes_name(metagraph: MetaGraph, value: Value) -> bool:
    """Say whether the tensor itself gets the name of the output: where no signature has a key for it.

    Python's interpreter lists outputs by name, and fails on one that is no text.
    """
    is_unsigned = not any(found.graph is value.graph for found in metagraph.signatures.values())
    return is_unsigned or not _is_text(value.name or "")


def _is_output(value: Value) -> bool:
    return any(output.value is value for output in value.graph.outputs)


def _signatures_without(metagraph: MetaGraph, value: Value, key: str | None) -> list[Signature]:
    """Return the signatures of the value's subgraph that do not yield it."""
    return [
        signature
        for signature in _signatures(metagraph, value.graph, key)
        if not any(entry.mention is not None and entry.mention.target is value for entry in signature.outputs.values())
    ]


def _runners(metagraph: MetaGraph, graph: Graph) -> list[str]:
    return [node.op for other in metagraph.graphs for node in other.nodes if graph in node.functions]


def _signatures(metagraph: MetaGraph, graph: Graph, key: str | None) -> list[Signature]:
    if key is not None and key not in metagraph.signatures:
        raise UsageError(f"the model has no signature {key!r}")
    found = [signature for signature in metagraph.signatures.values() if signature.graph is graph]
    return [signature for signature in found if key in (None, signature.key)]


def _add(metagraph: MetaGraph, value: Value, name: str, signature: str | None) -> Added:
    tensor = str(value)
    signatures = _signatures_without(metagraph, value, signature)
    if not _is_output(value):
        value.graph.outputs.append(Output("", value, value.dtype))
    for found in signatures:
        mention = Mention.of(value, f"signature {found.key}, output {name}")
        found.outputs[name] = SignatureEntry(mention, value.dtype, value.shape)
    if _takes_name(metagraph, value):
        value.name = name
    assert value.dtype is not None
    return name, tensor, value.dtype, value.shape or UNKNOWN_RANK, [found.key for found in signatures]
