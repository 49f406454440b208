"""Kinds of changes to what lies around a graph in a MetaGraphDef: signatures, collections, savers, objects."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from benchmarks.soundness_kinds import META, drawn, kind_in


def entry_drawn(meta: Any, chance: random.Random) -> tuple[str, Any] | None:
    """Return an input or output of a public signature, and where it stands."""
    found = (
        (f"{key} {side} {name}", getattr(meta.signature_def[key], side)[name])
        for key in sorted(meta.signature_def)
        for side in ("inputs", "outputs")
        for name in sorted(getattr(meta.signature_def[key], side))
        if not key.startswith("__")
    )
    return drawn(found, chance)


@kind_in(META)
def _signature_tensor(meta: Any, chance: random.Random) -> str | None:
    found = entry_drawn(meta, chance)
    if found is None:
        return None
    found[1].name = chance.choice(("", "no_such:0", found[1].name.partition(":")[0], found[1].name + "9"))
    return f"{found[0]} {found[1].name}"


@kind_in(META)
def _signature_shape(meta: Any, chance: random.Random) -> str | None:
    found = entry_drawn(meta, chance)
    if found is None:
        return None
    how = chance.choice(("absent", "rank", "size"))
    if how == "absent":
        found[1].ClearField("tensor_shape")
    elif how == "rank" or not found[1].tensor_shape.dim:
        found[1].tensor_shape.dim.add().size = 3
    else:
        found[1].tensor_shape.dim[-1].size = 97
    return f"{found[0]} {how}"


@kind_in(META)
def _signature_dtype(meta: Any, chance: random.Random) -> str | None:
    found = entry_drawn(meta, chance)
    if found is None:
        return None
    found[1].dtype = chance.choice((0, 77, 9))
    return f"{found[0]} {found[1].dtype}"


@kind_in(META)
def _signature_key(meta: Any, chance: random.Random) -> str | None:
    keys = [key for key in sorted(meta.signature_def) if meta.signature_def[key].inputs and not key.startswith("__")]
    if not keys:
        return None
    inputs = meta.signature_def[chance.choice(keys)].inputs
    old, new = chance.choice(sorted(inputs)), chance.choice(("in", "", "self", "a/b", "1x", "class"))
    inputs[new].CopyFrom(inputs[old])
    del inputs[old]
    return f"{old}->{new}"


@kind_in(META)
def _saver(meta: Any, chance: random.Random) -> str | None:
    if not meta.HasField("saver_def"):
        return None
    field = chance.choice(("save_tensor_name", "restore_op_name", "filename_tensor_name"))
    how = chance.choice(("gone", "no_such", "no port"))
    text = getattr(meta.saver_def, field).partition(":")[0] if how == "no port" else how
    setattr(meta.saver_def, field, "" if how == "gone" else text)
    return f"{field} {how}"


@kind_in(META)
def _collection(meta: Any, chance: random.Random) -> str | None:
    key = chance.choice(("variables", "savers", "while_context", "cond_context", "queue_runners", "mine"))
    meta.collection_def[key].bytes_list.value.append(chance.choice((b"\xff\xff\xff", b"", b"abc")))
    return key


@kind_in(META)
def _main_op(meta: Any, chance: random.Random) -> str | None:
    name = meta.graph_def.node[0].name
    meta.collection_def["saved_model_main_op"].node_list.value.extend(chance.choice(([name, name], ["no_such"])))
    return str(name)


def objects_of(meta: Any) -> Any:
    """Return the object graph, None where there is none."""
    return meta.object_graph_def if meta.object_graph_def.nodes else None


@kind_in(META)
def _object_edges(meta: Any, chance: random.Random) -> str | None:
    objects = objects_of(meta)
    edges = [edge for node in objects.nodes for edge in node.children] if objects else []
    if not edges:
        return None
    edge = chance.choice(edges)
    edge.node_id = chance.choice((9999, 0, len(objects.nodes) - 1))
    return f"{edge.local_name} {edge.node_id}"


@kind_in(META)
def _object_kind(meta: Any, chance: random.Random) -> str | None:
    objects = objects_of(meta)
    if objects is None:
        return None
    number = chance.randrange(len(objects.nodes))
    objects.nodes[number].ClearField(objects.nodes[number].WhichOneof("kind") or "user_object")
    return str(number)


@kind_in(META)
def _object_variable(meta: Any, chance: random.Random) -> str | None:
    objects = objects_of(meta)
    found = [node.variable for node in objects.nodes if node.HasField("variable")] if objects else []
    if not found:
        return None
    variable, how = chance.choice(found), chance.choice(("dtype", "shape", "unset", "aggregation", "trainable"))
    if how == "dtype":
        variable.dtype = 9 if variable.dtype != 9 else 1
    elif how == "shape":
        variable.shape.dim.add().size = 3
    elif how == "unset":
        variable.ClearField("shape")
    elif how == "aggregation":
        variable.aggregation = 99
    else:
        variable.trainable = not variable.trainable
    return f"{variable.name} {how}"


@kind_in(META)
def _object_function(meta: Any, chance: random.Random) -> str | None:
    objects = objects_of(meta)
    if objects is None or not objects.concrete_functions:
        return None
    name = chance.choice(sorted(objects.concrete_functions))
    entry = objects.concrete_functions[name]
    how = chance.choice(("gone", "inputs", "outputs", "captures", "id", "half"))
    if how == "gone":
        del objects.concrete_functions[name]
    elif how == "inputs":
        entry.ClearField("canonicalized_input_signature")
    elif how == "outputs":
        entry.ClearField("output_signature")
    elif how == "captures":
        entry.bound_inputs.append(0)
    elif how == "id" and entry.bound_inputs:
        entry.bound_inputs[0] = 9999
    elif how == "half":
        del entry.canonicalized_input_signature.tuple_value.values[-1:]
    else:
        return None
    return f"{name} {how}"


@kind_in(META)
def _object_spec(meta: Any, chance: random.Random) -> str | None:
    objects = objects_of(meta)
    found = (
        [value for name in sorted(objects.concrete_functions) for value in _specs(objects.concrete_functions[name])]
        if objects
        else []
    )
    if not found:
        return None
    spec, how = chance.choice(found), chance.choice(("dtype", "none", "shape"))
    if how == "shape":
        spec.shape.dim.add().size = 3
    else:
        spec.dtype = 0 if how == "none" else 9 if spec.dtype != 9 else 1
    return how


def _specs(entry: Any) -> Iterator[Any]:
    waiting = [entry.canonicalized_input_signature, entry.output_signature]
    for value in waiting:
        kind = value.WhichOneof("kind")
        if kind == "tensor_spec_value":
            yield value.tensor_spec_value
        elif kind in ("tuple_value", "list_value"):
            waiting.extend(getattr(value, kind).values)
        elif kind == "dict_value":
            waiting.extend(value.dict_value.fields[key] for key in sorted(value.dict_value.fields))


@kind_in(META)
def _harmless(meta: Any, chance: random.Random) -> str | None:
    how = chance.choice(("collection", "method", "producer", "stripped"))
    if how == "collection":
        meta.collection_def["mine"].int64_list.value.append(3)
    elif how == "method":
        for key in meta.signature_def:
            meta.signature_def[key].method_name = ""
    elif how == "producer":
        meta.graph_def.versions.producer = 2147483647
    else:
        meta.meta_info_def.stripped_op_list.op.add(name="Foreign")
    return how
