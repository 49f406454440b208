"""More kinds of changes to what lies around a graph: signatures as a whole, assets, tags, what objects are made of."""

from __future__ import annotations

import random
from typing import Any

from benchmarks.soundness_kinds import META, drawn, kind_in
from benchmarks.soundness_metagraphs import entry_drawn, objects_of


def _public(meta: Any) -> list[str]:
    return [key for key in sorted(meta.signature_def) if not key.startswith("__")]


@kind_in(META)
def _signature_whole(meta: Any, chance: random.Random) -> str | None:
    keys = _public(meta)
    if not keys:
        return None
    key, how = chance.choice(keys), chance.choice(("gone", "renamed", "init", "no inputs", "no outputs", "empty key"))
    signature = meta.signature_def[key]
    if how == "no inputs":
        signature.inputs.clear()
    elif how == "no outputs":
        signature.outputs.clear()
    elif how == "gone":
        del meta.signature_def[key]
    else:
        new = {"renamed": "a b/c", "init": "__saved_model_init_op", "empty key": ""}[how]
        meta.signature_def[new].CopyFrom(signature)
        del meta.signature_def[key]
    return f"{key} {how}"


@kind_in(META)
def _signature_another_tensor(meta: Any, chance: random.Random) -> str | None:
    """Name another tensor of the graph."""
    found = entry_drawn(meta, chance)
    if found is None or not meta.graph_def.node:
        return None
    found[1].name = f"{chance.choice(list(meta.graph_def.node)).name}:0"
    return f"{found[0]} {found[1].name}"


@kind_in(META)
def _signature_encoding(meta: Any, chance: random.Random) -> str | None:
    found = entry_drawn(meta, chance)
    if found is None:
        return None
    info, how = found[1], chance.choice(("none", "sparse", "sparse of none", "composite", "composite of none"))
    name = info.name
    if how == "none":
        info.ClearField("name")
    elif how.startswith("sparse"):
        info.coo_sparse.values_tensor_name = name if how == "sparse" else "no_such:0"
        info.coo_sparse.indices_tensor_name = info.coo_sparse.dense_shape_tensor_name = name
    else:
        info.composite_tensor.components.add(name=name if how == "composite" else "no_such:0", dtype=1)
    return f"{found[0]} {how}"


@kind_in(META)
def _output_key(meta: Any, chance: random.Random) -> str | None:
    keys = [key for key in _public(meta) if meta.signature_def[key].outputs]
    if not keys:
        return None
    outputs = meta.signature_def[chance.choice(keys)].outputs
    old, new = chance.choice(sorted(outputs)), chance.choice(("in", "", "self", "a/b", "1x"))
    outputs[new].CopyFrom(outputs[old])
    del outputs[old]
    return f"{old}->{new}"


@kind_in(META)
def _tags(meta: Any, chance: random.Random) -> str | None:
    tags, how = meta.meta_info_def.tags, chance.choice(("none", "doubled", "other", "more"))
    old = list(tags)
    del tags[:]
    tags.extend({"none": [], "doubled": old * 2, "other": ["mine"], "more": [*old, "gpu"]}[how])
    return how


@kind_in(META)
def _asset(meta: Any, chance: random.Random) -> str | None:
    found = drawn(meta.asset_file_def, chance)
    how = chance.choice(("tensor", "number", "no name", "no file", "outside", "new", "gone"))
    if found is None or how == "new":
        meta.asset_file_def.add(filename="no_such").tensor_info.name = f"{meta.graph_def.node[0].name}:0"
        return "new"
    if how == "gone":
        meta.asset_file_def.remove(found)
    elif how in ("tensor", "no name"):
        found.tensor_info.name = "no_such:0" if how == "tensor" else ""
    elif how == "number":
        numbers = [one.name for one in meta.graph_def.node if one.op == "Const" and one.attr["dtype"].type in (1, 3)]
        found.tensor_info.name = f"{numbers[0]}:0" if numbers else ""
    else:
        found.filename = "no_such" if how == "no file" else "../outside"
    return how


@kind_in(META)
def _collection_kind(meta: Any, chance: random.Random) -> str | None:
    """Give a collection other contents: of another kind, names of nothing, or of a node."""
    keys = ("variables", "trainable_variables", "local_variables", "table_initializer", "asset_filepaths", "losses")
    key = chance.choice((*keys, "saved_model_main_op", "legacy_init_op", "train_op", *sorted(meta.collection_def)))
    how = chance.choice(("numbers", "floats", "nothing", "any", "no_such", "node", "text"))
    value = meta.collection_def[key]
    value.Clear()
    if how == "numbers":
        value.int64_list.value.append(3)
    elif how == "floats":
        value.float_list.value.append(3.0)
    elif how == "any":
        value.any_list.value.add(type_url="type.googleapis.com/tensorflow.SaverDef", value=b"\xff")
    elif how == "text":
        value.bytes_list.value.append(b"\xff\xff")
    elif how != "nothing":
        value.node_list.value.append("no_such" if how == "no_such" else meta.graph_def.node[0].name)
    return f"{key} {how}"


@kind_in(META)
def _saver_other(meta: Any, chance: random.Random) -> str | None:
    if not meta.HasField("saver_def"):
        return None
    saver, how = meta.saver_def, chance.choice(("gone", "version", "keep", "sharded", "restore", "filename", "save"))
    nodes = list(meta.graph_def.node)
    if how == "gone":
        meta.ClearField("saver_def")
    elif how == "version":
        saver.version = chance.choice((0, 1, 9))
    elif how == "keep":
        saver.max_to_keep = -1
    elif how == "sharded":
        saver.sharded = not saver.sharded
    elif how == "restore":
        saver.restore_op_name = chance.choice(nodes).name
    elif how == "filename":
        saver.filename_tensor_name = f"{chance.choice(nodes).name}:0"
    else:
        saver.save_tensor_name = f"{chance.choice(nodes).name}:0"
    return how


@kind_in(META)
def _info(meta: Any, chance: random.Random) -> str | None:
    info, how = meta.meta_info_def, chance.choice(("gone", "aliases", "stripped", "version", "any"))
    if how == "gone":
        tags = list(info.tags)
        meta.ClearField("meta_info_def")
        meta.meta_info_def.tags.extend(tags)
    elif how == "aliases":
        info.function_aliases["no_such"] = "mine"
    elif how == "stripped":
        info.stripped_default_attrs = not info.stripped_default_attrs
    elif how == "version":
        info.tensorflow_version = "99.0"
    else:
        info.any_info.type_url = "no/such"
    return how


@kind_in(META)
def _object_links(meta: Any, chance: random.Random) -> str | None:
    """Change edges other than their ends: names, doubles, dependencies, slots, saveables."""
    objects = objects_of(meta)
    owner = drawn((node for node in objects.nodes if node.children), chance) if objects else None
    if objects is None or owner is None:
        return None
    number = chance.choice((0, len(objects.nodes) - 1, 9999))
    how = chance.choice(("child name", "child gone", "child twice", "dependency", "slot", "saveable", "circle"))
    edge = chance.choice(list(owner.children))
    told = f"{edge.local_name} {how}"
    if how == "child name":
        edge.local_name = chance.choice(("other", "", "a/b", "signatures"))
    elif how == "child gone":
        owner.children.remove(edge)
    elif how == "child twice":
        owner.children.add(local_name=edge.local_name, node_id=0)
    elif how == "dependency":
        owner.dependencies.add(local_name="more", node_id=number)
    elif how == "slot":
        owner.slot_variables.add(slot_name="m", original_variable_node_id=number, slot_variable_node_id=number)
    elif how == "saveable":
        owner.saveable_objects["more"].save_function = number
        owner.saveable_objects["more"].restore_function = number
    else:
        owner.dependencies.add(local_name="self", node_id=edge.node_id)
        objects.nodes[edge.node_id].dependencies.add(local_name="back", node_id=list(objects.nodes).index(owner))
    return told


@kind_in(META)
def _object_another_kind(meta: Any, chance: random.Random) -> str | None:
    """Make an object something else."""
    objects = objects_of(meta)
    if objects is None:
        return None
    node = chance.choice(list(objects.nodes))
    old = node.WhichOneof("kind")
    kind = chance.choice(("user_object", "asset", "function", "variable", "constant", "resource"))
    node.ClearField(old) if old else None
    getattr(node, kind).SetInParent()
    if kind == "constant":
        node.constant.operation = chance.choice(list(meta.graph_def.node)).name if meta.graph_def.node else "no_such"
    if kind == "user_object":
        node.user_object.identifier = chance.choice(("_generic_user_object", "signature_map", "trackable_list_wrapper"))
        node.user_object.version.producer = 1
    return f"{old}->{kind}"


@kind_in(META)
def _object_said(meta: Any, chance: random.Random) -> str | None:
    """Change what an object says of itself."""
    objects = objects_of(meta)
    node = drawn((one for one in objects.nodes if one.WhichOneof("kind")), chance) if objects else None
    if node is None:
        return None
    kind = node.WhichOneof("kind")
    how = chance.choice(_SAID.get(kind, ("registered",)))
    said = getattr(node, kind)
    if how == "registered":
        node.registered_name = "no.Such"
    elif how in ("identifier", "metadata", "device", "name", "operation"):
        setattr(said, how, "no_such")
    elif how == "min_consumer":
        said.version.min_consumer = 99
    elif how in ("synchronization", "asset_file_def_index"):
        setattr(said, how, 99)
    elif how == "component":
        said.experimental_distributed_variable_components.add(name="no_such")
    else:
        _change_function(said, how)
    return f"{kind} {how}"


_SAID = {
    "user_object": ("identifier", "metadata", "min_consumer", "registered"),
    "variable": ("device", "name", "synchronization", "registered", "component"),
    "resource": ("device", "registered"),
    "constant": ("operation", "registered"),
    "asset": ("asset_file_def_index", "registered"),
    "function": ("no functions", "other function", "no spec", "no arguments", "argument", "method"),
    "bare_concrete_function": ("other function", "no spec", "keywords", "positional", "no name"),
}


def _change_function(said: Any, how: str) -> None:
    if how == "no functions":
        del said.concrete_functions[:]
    elif how == "other function" and hasattr(said, "concrete_functions"):
        said.concrete_functions.append("no_such")
    elif how == "other function":
        said.concrete_function_name = "no_such"
    elif how == "no name":
        said.concrete_function_name = ""
    elif how == "no spec":
        said.ClearField("function_spec")
    elif how == "no arguments":
        said.function_spec.ClearField("fullargspec")
    elif how == "argument":
        said.function_spec.input_signature.tuple_value.values.add()
    elif how == "method":
        said.function_spec.is_method = not said.function_spec.is_method
    elif how == "keywords":
        said.argument_keywords.append("no_such")
    else:
        said.allowed_positional_arguments = 99


@kind_in(META)
def _object_captures(meta: Any, chance: random.Random) -> str | None:
    objects = objects_of(meta)
    found = (
        [name for name in sorted(objects.concrete_functions) if objects.concrete_functions[name].bound_inputs]
        if objects
        else []
    )
    if not found:
        return None
    name = chance.choice(found)
    bound, how = objects.concrete_functions[name].bound_inputs, chance.choice(("fewer", "turned", "root", "last"))
    numbers = list(bound)
    del bound[:]
    last = len(objects.nodes) - 1
    changed = {"fewer": numbers[:-1], "turned": numbers[::-1], "root": [0, *numbers[1:]], "last": [last, *numbers[1:]]}
    bound.extend(changed[how])
    return f"{name} {how}"
