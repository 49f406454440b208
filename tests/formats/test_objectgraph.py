"""Object graphs of SavedModels and checkpoints: lifted, changed, lowered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from graphsurgeon import formats
from graphsurgeon.errors import FormatError, GraphSurgeonError, UnsupportedError
from graphsurgeon.formats import schema
from graphsurgeon.formats.checkpoint import find as checkpoint
from graphsurgeon.formats.graph import objectgraph
from graphsurgeon.formats.graph.values import structured
from graphsurgeon.model.dtype import FLOAT32, INT64
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.objects import ConcreteFunction, ObjectGraph, ObjectNode, TensorSpec
from graphsurgeon.model.shape import Shape


def lower(objects: ObjectGraph) -> Any:
    out = schema.message("tensorflow.SavedObjectGraph")()
    objectgraph.lower_saved(objects, out)
    return out


def object_graphs(folder: Path) -> Iterator[ObjectGraph]:
    for path in sorted(folder.rglob("saved_model.pb")):
        if "hostile" in path.parts:
            continue
        for metagraph in formats.read(path.parent).metagraphs:
            if metagraph.objects is not None:
                yield metagraph.objects


def only(folder: Path, name: str) -> MetaGraph:
    (metagraph,) = formats.read(folder / "savedmodel" / name).metagraphs
    return metagraph


def objects_of(folder: Path, name: str) -> ObjectGraph:
    objects = only(folder, name).objects
    assert objects is not None
    return objects


def assert_unchanged(objects: ObjectGraph) -> None:
    assert lower(objects) == objects.raw
    for entry in objects.concrete_functions:
        assert structured.encode(entry.input_signature) == entry.raw.message.canonicalized_input_signature
        assert structured.encode(entry.output_signature) == entry.raw.message.output_signature
    assert lower(objects).SerializeToString(deterministic=True) == objects.raw.SerializeToString(deterministic=True)


def test_nothing_changes_by_looking(fixtures_dir: Path) -> None:
    graphs = list(object_graphs(fixtures_dir))
    assert len(graphs) > 20
    for objects in graphs:
        assert_unchanged(objects)


@pytest.mark.corpus
def test_nothing_changes_by_looking_at_others(corpus: Path) -> None:
    seen = 0
    for path in sorted(corpus.rglob("saved_model.pb")):
        try:
            metagraphs = formats.read(path.parent).metagraphs
        except GraphSurgeonError:
            continue
        for metagraph in metagraphs:
            if metagraph.objects is not None:
                assert_unchanged(metagraph.objects)
                seen += 1
    assert seen > 10


def test_what_is_lifted(fixtures_dir: Path) -> None:
    metagraph = only(fixtures_dir, "linear")
    objects = metagraph.objects
    assert objects is not None
    signatures = objects.root.child("signatures")
    assert signatures is not None
    assert signatures.identifier == "signature_map"
    bare = signatures.child("serving_default")
    assert bare is not None
    (function,) = bare.functions
    assert not isinstance(function, str)
    assert metagraph.functions[function.name] is function
    entry = objects.concrete(function)
    assert entry is not None
    assert {node.kind for node in entry.bound_inputs} == {"variable"}
    assert entry.input_signature[0] == ()  # type: ignore[index]
    assert isinstance(entry.output_signature, dict)
    variables = [node for node in objects.nodes if node.kind == "variable"]
    assert {node.name: str(node.shape) for node in variables} == {"w": "[4,3]", "b": "[3]"}
    assert all(node.dtype is FLOAT32 and node.trainable for node in variables)


def test_constants_and_captured_tensors_name_nodes(fixtures_dir: Path) -> None:
    constants = [node for node in objects_of(fixtures_dir, "captured_constants").nodes if node.kind == "constant"]
    assert constants
    assert all(node.mention is not None and node.mention.node.op == "Const" for node in constants)  # type: ignore[union-attr]


def test_a_renamed_function_is_named_everywhere(fixtures_dir: Path) -> None:
    metagraph = only(fixtures_dir, "linear")
    objects = metagraph.objects
    assert objects is not None
    before = str(objects.raw)
    metagraph.rename_functions({function: f"new_{name}" for name, function in metagraph.functions.items()})
    after = lower(objects)
    assert all(name.startswith("new_") for name in after.concrete_functions)
    text = str(after)
    for name in objects.raw.concrete_functions:
        assert text.count(f'"new_{name}"') == before.count(f'"{name}"')
        assert f'"{name}"' not in text


def test_functions_renamed_before_the_objects_were_looked_at(fixtures_dir: Path) -> None:
    metagraph = only(fixtures_dir, "linear")
    metagraph.rename_functions({function: f"new_{name}" for name, function in metagraph.functions.items()})
    assert metagraph.objects is not None
    assert all(name.startswith("new_") for name in lower(metagraph.objects).concrete_functions)


def test_a_renamed_constant(fixtures_dir: Path) -> None:
    objects = objects_of(fixtures_dir, "captured_constants")
    constant = next(node for node in objects.nodes if node.kind == "constant")
    assert constant.mention is not None
    assert constant.mention.node is not None
    constant.mention.node.name = "moved/there"
    assert lower(objects).nodes[objects.nodes.index(constant)].constant.operation == "moved/there"


def test_removing_a_node_renumbers(fixtures_dir: Path) -> None:
    objects = objects_of(fixtures_dir, "several_signatures")
    signatures = objects.root.child("signatures")
    assert signatures is not None
    key, bare = signatures.children[0]
    signatures.children.remove((key, bare))
    objects.nodes.remove(bare)
    after = lower(objects)
    assert len(after.nodes) == len(objects.raw.nodes) - 1
    again = objectgraph.lift_saved(after, without_functions())
    assert structure(again) == structure(objects)


def test_any_order_of_nodes_means_the_same(fixtures_dir: Path) -> None:
    objects = objects_of(fixtures_dir, "keras_export")
    before = structure(objects)
    objects.nodes[1:] = reversed(objects.nodes[1:])
    assert structure(objectgraph.lift_saved(lower(objects), without_functions())) == before


def without_functions() -> MetaGraph:
    """A MetaGraph whose library is empty: functions stay texts."""
    return MetaGraph(SimpleNamespace(context=SimpleNamespace(functions={})))  # type: ignore[arg-type]


def structure(objects: ObjectGraph) -> list[Any]:
    """What can be reached from the root, by paths of local names, with what each object captures and saves."""
    paths: dict[ObjectNode, str] = {}
    todo = [(objects.root, "")]
    while todo:
        node, path = todo.pop(0)
        if node not in paths:
            paths[node] = path
            todo += [(child, f"{path}/{name}") for name, child in sorted(node.children, key=lambda child: child[0])]
    nodes = [
        (
            path, node.kind, node.name, [str(getattr(f, "name", f)) for f in node.functions],
            sorted((name, paths.get(other, "")) for name, other in node.dependencies),
            sorted((paths.get(a, ""), name, paths.get(b, "")) for a, name, b in node.slots),
            sorted((name, paths.get(a, ""), paths.get(b, "")) for name, (a, b) in node.saveables.items()),
        )
        for node, path in paths.items()
    ]  # fmt: skip
    captures = [
        (str(getattr(e.function, "name", e.function)), [paths.get(n, "") for n in e.bound_inputs])
        for e in objects.concrete_functions
    ]
    return [sorted(nodes), sorted(captures)]


def test_a_removed_object_that_is_captured_is_refused(fixtures_dir: Path) -> None:
    objects = objects_of(fixtures_dir, "linear")
    objects.nodes.remove(next(node for node in objects.nodes if node.kind == "variable"))
    with pytest.raises(UnsupportedError, match="captures an object that has been removed"):
        lower(objects)


def test_ids_that_the_file_does_not_have_are_kept() -> None:
    message = schema.message("tensorflow.TrackableObjectGraph")()
    message.nodes.add().children.add(node_id=7, local_name="gone")
    message.nodes[0].slot_variables.add(original_variable_node_id=-1, slot_name="m", slot_variable_node_id=0)
    objects = objectgraph.lift_trackable(message)
    ((name, child),) = objects.root.children
    assert (name, child.kind) == ("gone", "missing")
    assert objectgraph.lower_trackable(objects) == message
    objects.nodes.insert(0, ObjectNode(""))
    after = objectgraph.lower_trackable(objects)
    assert after.nodes[1].children[0].node_id == 7
    assert after.nodes[1].slot_variables[0].slot_variable_node_id == 1


def test_unknown_fields_stay() -> None:
    unknown = b"\xfa\x3f\x03new"  # field 1023
    child = b"\x12\x01a" + unknown
    node = b"\x0a" + bytes([len(child)]) + child + unknown
    data = b"\x0a" + bytes([len(node)]) + node + unknown
    objects = objectgraph.lift_trackable(objectgraph.parse_trackable(data))
    assert objectgraph.lower_trackable(objects).SerializeToString() == data
    objects.nodes[0].children.append(("b", objects.nodes[0]))
    after = objectgraph.lower_trackable(objects).SerializeToString()
    assert after.count(unknown) == 3


def test_bytes_that_are_no_object_graph() -> None:
    with pytest.raises(FormatError, match="no valid TrackableObjectGraph"):
        objectgraph.parse_trackable(b"\xff\xff")


def test_a_new_signature(fixtures_dir: Path) -> None:
    """What a loader asks for: a bare function with its keywords, and the structures of its arguments and results."""
    metagraph = only(fixtures_dir, "linear")
    objects = metagraph.objects
    assert objects is not None
    signatures = objects.root.child("signatures")
    assert signatures is not None
    function = next(iter(metagraph.functions.values()))
    bare = ObjectNode("bare_concrete_function")
    bare.functions = [function]
    bare.argument_keywords = ["x"]
    objects.nodes.append(bare)
    signatures.children.append(("extra", bare))
    entry = ConcreteFunction("elsewhere", [])
    entry.input_signature = ((), {"x": TensorSpec("x", Shape((None, 3)), FLOAT32)})
    entry.output_signature = {"y": TensorSpec("y", Shape(None), INT64)}
    objects.concrete_functions.append(entry)
    after = lower(objects)
    made = after.nodes[len(objects.nodes) - 1].bare_concrete_function
    assert (made.concrete_function_name, list(made.argument_keywords)) == (function.name, ["x"])
    assert made.allowed_positional_arguments == 1
    stored = after.concrete_functions["elsewhere"]
    spec = stored.canonicalized_input_signature.tuple_value.values[1].dict_value.fields["x"].tensor_spec_value
    assert (spec.name, [dim.size for dim in spec.shape.dim], spec.dtype) == ("x", [-1, 3], 1)
    assert stored.output_signature.dict_value.fields["y"].tensor_spec_value.shape.unknown_rank
    assert after.nodes[objects.nodes.index(signatures)].children[-1].node_id == len(objects.nodes) - 1


def test_new_nodes_of_other_kinds(fixtures_dir: Path) -> None:
    metagraph = only(fixtures_dir, "captured_constants")
    objects = metagraph.objects
    assert objects is not None
    start = len(objects.nodes)
    user, variable, constant, asset = (ObjectNode(k) for k in ("user_object", "variable", "constant", "asset"))
    user.identifier = "_generic_user_object"
    variable.name, variable.dtype, variable.shape, variable.trainable = "v", INT64, Shape((2,)), True
    constant.mention = Mention.of(next(n for n in metagraph.graph.nodes if n.op == "Const"), "test")
    asset.asset_index = 3
    objects.nodes += [user, variable, constant, asset]
    nodes = lower(objects).nodes[start:]
    assert (nodes[0].user_object.identifier, nodes[0].user_object.version.producer) == ("_generic_user_object", 1)
    assert (nodes[1].variable.name, nodes[1].variable.dtype, nodes[1].variable.shape.dim[0].size) == ("v", 9, 2)
    assert nodes[1].variable.trainable
    assert nodes[2].constant.operation == str(constant.mention.target)
    assert nodes[3].asset.asset_file_def_index == 3


def test_renamed_arguments_are_renamed_in_the_spec(fixtures_dir: Path) -> None:
    objects = objects_of(fixtures_dir, "several_signatures")
    changed = 0
    for node in objects.nodes:
        if node.kind == "bare_concrete_function" and node.argument_keywords:
            before = lower(objects).nodes[objects.nodes.index(node)].bare_concrete_function
            old = kwonlyargs(before)
            node.argument_keywords = [f"new_{word}" for word in node.argument_keywords]
            after = lower(objects).nodes[objects.nodes.index(node)].bare_concrete_function
            assert list(after.argument_keywords) == node.argument_keywords
            if set(old) == set(before.argument_keywords):
                assert kwonlyargs(after) == node.argument_keywords
                changed += 1
            else:
                assert kwonlyargs(after) == old
    assert changed


def kwonlyargs(bare: Any) -> list[str]:
    pairs = bare.function_spec.fullargspec.named_tuple_value.values
    return [value.string_value for pair in pairs if pair.key == "kwonlyargs" for value in pair.value.list_value.values]


def test_changed_structures_are_written(fixtures_dir: Path) -> None:
    objects = objects_of(fixtures_dir, "linear")
    entry = next(e for e in objects.concrete_functions if isinstance(e.output_signature, dict) and e.output_signature)
    assert isinstance(entry.output_signature, dict)
    key = next(iter(entry.output_signature))
    entry.output_signature["another"] = entry.output_signature.pop(key)
    name = entry.function if isinstance(entry.function, str) else entry.function.name
    after = lower(objects).concrete_functions[name].output_signature.dict_value.fields
    assert "another" in after
    assert key not in after
    assert after["another"] == objects.raw.concrete_functions[name].output_signature.dict_value.fields[key]


VALUES = [
    None,
    True,
    False,
    3,
    -4,
    2.5,
    "text",
    Shape((1, None)),
    Shape(None),
    FLOAT32,
    [1, [2]],
    (1, ()),
    {"a": (None,)},
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_structured_values_come_back(value: object) -> None:
    again = structured.decode(structured.encode(value))
    assert again == value
    assert type(again) is type(value)


def test_what_cannot_be_structured() -> None:
    with pytest.raises(UnsupportedError, match="cannot hold a set"):
        structured.encode({1})


@pytest.mark.tensorflow
def test_tensorflow_reads_our_structures() -> None:
    import tensorflow as tf
    from tensorflow.core.protobuf import struct_pb2
    from tensorflow.python.saved_model import nested_structure_coder

    ours = ((), {"x": TensorSpec("x", Shape((None, 2)), FLOAT32), "n": [1, -2, 2.5, "s", True, None], "t": FLOAT32})
    message = struct_pb2.StructuredValue.FromString(structured.encode(ours).SerializeToString())
    assert nested_structure_coder.decode_proto(message) == (
        (),
        {"x": tf.TensorSpec((None, 2), tf.float32, "x"), "n": [1, -2, 2.5, "s", True, None], "t": tf.float32},
    )


@pytest.mark.tensorflow
def test_tensorflow_loads_a_renumbered_graph(fixtures_dir: Path, tmp_path: Path) -> None:
    import tensorflow as tf

    model = formats.read(fixtures_dir / "savedmodel/linear")
    objects = model.metagraphs[0].objects
    assert objects is not None
    objects.nodes[1:] = reversed(objects.nodes[1:])
    formats.write(model, tmp_path / "out")
    before = tf.saved_model.load(str(fixtures_dir / "savedmodel/linear")).signatures["serving_default"]
    after = tf.saved_model.load(str(tmp_path / "out")).signatures["serving_default"]
    feed = {k: tf.ones([d or 1 for d in s.shape], s.dtype) for k, s in before.structured_input_signature[1].items()}
    for key, value in before(**feed).items():
        np.testing.assert_array_equal(after(**feed)[key].numpy(), value.numpy())


def test_object_graphs_of_checkpoints(fixtures_dir: Path) -> None:
    seen = 0
    for path in sorted(fixtures_dir.rglob("*.index")):
        if "hostile" in path.parts:
            continue
        objects = checkpoint.read_checkpoint(path).objects
        if objects is not None:
            assert objectgraph.lower_trackable(objects) == objects.raw
            seen += 1
    assert seen > 20


def test_slots_and_attributes(fixtures_dir: Path) -> None:
    objects = checkpoint.read_checkpoint(fixtures_dir / "checkpoint/object_graph/ckpt-1").objects
    assert objects is not None
    optimizer = next(node for node in objects.nodes if node.slots)
    variable, name, slot = optimizer.slots[0]
    assert name in ("m", "v")
    assert slot.attributes[0][2].startswith(variable.attributes[0][2].removesuffix("/.ATTRIBUTES/VARIABLE_VALUE"))
