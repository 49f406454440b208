"""One saver of two: it restores what both restore, from one checkpoint, and saves what both save into one.

Restoring is a group of both restore ops, reading one file name. Each saves into a checkpoint of its own beside the
target, and `MergeV2Checkpoints` makes one of them, as it does of the shards of a saver (`merge_v2_checkpoints_op`,
`tensor_bundle.cc`). An object graph is saved once, that of both models.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphsurgeon.model.checkpoint import OBJECT_GRAPH_KEY, Checkpoint
from graphsurgeon.model.dtype import STRING
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import MetaGraph, Saver
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.model.traversal import producers, upstream
from graphsurgeon.ops.kinds import PLACEHOLDERS, SAVES
from graphsurgeon.surgery.stripping.attrs import take_out_with_wishes
from graphsurgeon.surgery.stripping.saver_v1 import shrink_save, texts
from graphsurgeon.surgery.stripping.saver_v2 import TracedSaver

_OBJECTS = OBJECT_GRAPH_KEY.encode()


def join_savers(metagraph: MetaGraph, other: Saver | None, prefix: str, checkpoint: Checkpoint | None) -> list[str]:
    """Make one saver of that of a MetaGraph and that of what it took in; return notes.

    Args:
        metagraph: changed in place.
        other: the second saver, over the graphs of the MetaGraph.
        prefix: in the names of new nodes.
        checkpoint: of both models; where it has an object graph, that is what is saved along.
    """
    own = metagraph.saver
    if own is None or other is None:
        metagraph.saver = own or other
        return []
    restores = [node for saver in (own, other) if (node := saver.restore.node) is not None]
    names = [saver.filename.target for saver in (own, other)]
    saved = [saver.save.target for saver in (own, other)]
    if len(restores) < 2 or not all(isinstance(value, Value) for value in (*names, *saved)):
        return ["the saver of the second model names no nodes and is left out"]
    return _join(metagraph, own, other, prefix, checkpoint)


def _join(metagraph: MetaGraph, own: Saver, other: Saver, prefix: str, checkpoint: Checkpoint | None) -> list[str]:
    graph = metagraph.graph
    notes = []
    (file, second), saved = _values(own.filename, other.filename), _values(own.save, other.save)
    restores = [node for saver in (own, other) if (node := saver.restore.node) is not None]
    if any(node.op in SAVES and node.op != "SaveV2" for node in upstream(producers(saved))):
        notes.append(
            "the result restores the variables of both models, and saves those of the first: its saver is of V1"
        )
    elif _saves_more_than_objects(metagraph, other, checkpoint):
        own.save = Mention.of(_save_both(graph, file, second, saved, restores, prefix), own.save.where)
    else:
        own.save = Mention.of(saved[0], own.save.where)
    for reader in [*second.consumers]:
        reader.inputs = [file if value is second else value for value in reader.inputs]
    if second.producer is not None and second.producer.op in PLACEHOLDERS:
        take_out_with_wishes(graph, [second.producer])
    restore = graph.add_node("NoOp", graph.unique_name(f"{prefix}/restore_all"), controls=restores)
    own.restore = Mention.of(restore, own.restore.where)
    return notes


def _save_both(
    graph: Graph, file: Value, second: Value, saved: list[Value], restores: list[Node], prefix: str
) -> Value:
    """Let both savers save beside the file that is meant, and what they saved become that; return its name."""
    restoring = upstream(restores)
    for number, (value, name) in enumerate(zip(saved, (file, second), strict=True)):
        place = f"{prefix}/part_{number}"
        readers = [one for one in upstream(producers([value])) if name in one.inputs and one not in restoring]
        suffix = {"dtype": STRING, "value": Tensor.of(STRING, (), [f"_{number}".encode()])}
        constant = graph.add_node("Const", graph.unique_name(f"{place}/suffix"), [], suffix)
        part = graph.add_node("StringJoin", graph.unique_name(place), [file, constant.output()]).output()
        for reader in readers:
            reader.inputs = [part if one is name else one for one in reader.inputs]
    parts = graph.add_node("Pack", graph.unique_name(f"{prefix}/parts"), saved)
    merge = graph.add_node(
        "MergeV2Checkpoints",
        graph.unique_name(f"{prefix}/merge"),
        [parts.output(), file],
        {"delete_old_dirs": False},
    )
    return graph.add_node("Identity", graph.unique_name(f"{prefix}/save"), [file], controls=[merge]).output()


def _values(*mentions: Mention) -> list[Value]:
    return [target for mention in mentions if isinstance(target := mention.target, Value)]


def _saves_more_than_objects(metagraph: MetaGraph, other: Saver, checkpoint: Checkpoint | None) -> bool:
    """Let the object graph of both be saved by the first saver alone; say whether the second saves anything else."""
    own = metagraph.saver
    assert own is not None
    if checkpoint is None or checkpoint.objects is None or not any(_object_saves(own)):
        return True
    TracedSaver(metagraph).save_objects(checkpoint.serialized_objects())
    for save, kept in list(_object_saves(other)):
        if not kept:
            return False
        shrink_save(save, kept)
    return True


def _object_saves(saver: Saver) -> Iterator[tuple[Node, list[int]]]:
    """Yield the ops of a saver that save an object graph, with the places of what else they save."""
    for graph in {function for node in _roots(saver) for function in node.functions}:
        for node in graph.nodes:
            names = texts(node.inputs[1]) if node.op == "SaveV2" and len(node.inputs) > 2 else None
            if names and _OBJECTS in names and len(names) == len(node.inputs) - SAVES[node.op].first:
                yield node, [place for place, name in enumerate(names) if name != _OBJECTS]


def _roots(saver: Saver) -> list[Node]:
    return [node for mention in (saver.save, saver.restore) if (node := mention.node) is not None]
