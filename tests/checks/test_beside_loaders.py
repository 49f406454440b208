"""What was silent, or falsely called an error, beside loaders: each change with the verdict of TensorFlow 2.21."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon.checks.check import check
from graphsurgeon.disk.files import open_source
from graphsurgeon.encoding.sstable import SSTable, write_table
from graphsurgeon.formats import read, schema

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
V1, V2 = "v1", "v2"
Change = Callable[[Any], object]


def node(meta: Any, name: str) -> Any:
    return next(one for one in meta.graph_def.node if one.name == name)


def inside(meta: Any, op: str) -> Any:
    functions = meta.graph_def.library.function
    return next(one for function in functions for one in function.node_def if one.op == op)


def function(meta: Any, words: str) -> Any:
    return next(one for one in meta.graph_def.library.function if words in one.signature.name)


def set_attr(node: Any, name: str, **value: Any) -> None:
    field, found = next(iter(value.items()))
    setattr(node.attr[name], field, found)


def record(node: Any, *sizes: int) -> None:
    shape = node.attr["_output_shapes"].list.shape[0]
    shape.Clear()
    for size in sizes:
        shape.dim.add().size = size


def swap(meta: Any) -> None:
    inside(meta, "ReduceDataset").attr["f"].func.name = function(meta, "traced_save").signature.name


def no_condition(meta: Any) -> None:
    condition = function(meta, "while_cond")
    condition.ret.pop(condition.signature.output_arg[0].name)
    del condition.signature.output_arg[0]


def turn_captures(meta: Any) -> None:
    entries = meta.object_graph_def.concrete_functions
    bound = next(entries[key] for key in sorted(entries) if "signature_wrapper" in key).bound_inputs
    numbers = list(bound)[::-1]
    del bound[:]
    bound.extend(numbers)


def other_result(meta: Any) -> None:
    entries = meta.object_graph_def.concrete_functions
    structure = next(entries[key] for key in sorted(entries) if "signature_wrapper" in key).output_signature
    for value in structure.dict_value.fields.values():
        value.tensor_spec_value.dtype = 9


def traced_twice(meta: Any) -> None:
    owner = next(one for one in meta.object_graph_def.nodes if one.HasField("function") and one.children)
    owner.children.add(local_name=owner.children[0].local_name, node_id=0)


def numbers_recorded(meta: Any) -> None:
    shapes = node(meta, "while/Switch_1").attr["_output_shapes"].list
    shapes.Clear()
    shapes.i.append(3)


def make_method(meta: Any, arguments: int) -> None:
    """Let the first function with so many arguments say that it is a method."""
    for one in meta.object_graph_def.nodes:
        if one.HasField("function"):
            pairs = one.function.function_spec.fullargspec.named_tuple_value.values
            names = next(pair.value.list_value.values for pair in pairs if pair.key == "args")
            if len(names) == arguments:
                one.function.function_spec.is_method = True
                return
    raise AssertionError("no such function")


def floats(meta: Any) -> None:
    meta.collection_def["variables"].Clear()
    meta.collection_def["variables"].float_list.value.append(3.0)


def twice(meta: Any, name: str) -> None:
    owner = next(one for one in meta.object_graph_def.nodes if any(edge.local_name == name for edge in one.children))
    owner.children.add(local_name=name, node_id=0)


def class_of_types(meta: Any) -> None:
    marks = node(meta, "w/Assign").attr["_class"].list
    assert marks.s
    marks.type.append(1)


def saver_at(meta: Any, name: str) -> None:
    meta.saver_def.filename_tensor_name = name


FILL, BATCH = "text_file_init/InitializeTableFromTextFileV2", "batch/BatchFunction"
JAX = "../stablehlo/keras_jax"
# fixture, rule, who refuses, change
REFUSED: list[tuple[str, str, str, Change]] = [
    ("v1_table_legacy_init", "kernel-attribute", V1, lambda meta: set_attr(node(meta, FILL), "delimiter", s=b"ab")),
    ("v1_table_legacy_init", "kernel-attribute", V1, lambda meta: set_attr(node(meta, FILL), "key_index", i=-1)),
    ("table_mutable", "kernel-attribute", V1, lambda meta: buckets(meta, 7)),
    ("dataset_inside", "call-types", V2, swap),
    ("dataset_inside", "function-attribute", V2, lambda meta: function(meta, "reduce").attr["_mine"].SetInParent()),
    ("control_flow", "call-types", V2, no_condition),
    ("keras_export", "object-capture", V2, turn_captures),
    ("v1_training_left", "shape", V1, lambda meta: record(node(meta, "save/Identity_5"), 3, 1, 4)),
    ("v1_loop_assign", "shape", V1, lambda meta: record(node(meta, "while/Identity_1"), 3, 1, 4)),
    ("v1_loop_assign", "loop-frame", V1, lambda meta: frame(meta, b"other")),
    ("v1_loop_assign", "loop-frame", V1, lambda meta: frame(meta, b"")),
    ("v1_while", "signature-tensor", V1, lambda meta: put_output(meta, "rnn/inner/Merge_1:0")),
    ("table_mutable", "saver", V1, lambda meta: saver_at(meta, "serving_default_words:0")),
    ("polymorphic", "saver", V1, lambda meta: saver_at(meta, "StatefulPartitionedCall:0")),
    ("odd_names", "call-types", V1, lambda meta: set_types(node(meta, meta.saver_def.restore_op_name), 3)),
    ("linear", "call-types", V1, lambda meta: set_types(node(meta, served(meta)), 7)),
    (JAX, "saver", V1, lambda meta: wait_for_saving(meta)),
    ("linear", "saver", V1, lambda meta: wait_for_saving(meta)),
    ("several_signatures", "object-function", V2, lambda meta: make_method(meta, 1)),
    ("table_in_memory", "object-function", V2, lambda meta: make_method(meta, 0)),
    ("v1_functions", "collection", V2, floats),
    ("asserts_and_prints", "shape", V2, lambda meta: set_attr(inside(meta, "StringFormat"), "template", s=b"none")),
]
# fixture, who takes it, change
TAKEN: list[tuple[str, str, Change]] = [
    ("asserts_and_prints", V2, other_result),
    ("function_attributes", V2, traced_twice),
    ("v1_loop_assign", V1, numbers_recorded),
    ("linear", V1, lambda meta: set_types(node(meta, "StatefulPartitionedCall_1"), 20)),
    ("table_in_memory", V1, lambda meta: set_types(node(meta, "StatefulPartitionedCall_1"), 7)),
    ("table_asset", V2, lambda meta: twice(meta, "_filename")),
    ("v1_functions", V1, class_of_types),
    (JAX, V2, lambda meta: platforms_twice(meta)),
    ("composite_inputs", V1, lambda meta: without_result(function(meta, "traced_restore"))),
]


def served(meta: Any) -> str:
    output = next(iter(meta.signature_def["serving_default"].outputs.values()))
    return output.name.partition(":")[0]


def without_result(function: Any) -> None:
    function.ret.clear()
    del function.signature.output_arg[:]


def wait_for_saving(meta: Any) -> None:
    saving = meta.saver_def.save_tensor_name.partition(":")[0]
    node(meta, meta.saver_def.restore_op_name).input.append(f"^{saving}")


def platforms_twice(meta: Any) -> None:
    """Let the program of a gradient, which nothing runs, expect the number of a platform first."""
    gradient = function(meta, "internal_grad_fn")
    module = next(one for one in gradient.node_def if one.op == "XlaCallModule")
    module.attr["platforms"].list.s.append(module.attr["platforms"].list.s[0])


def buckets(meta: Any, count: int) -> None:
    set_attr(node(meta, "MutableDenseHashTable"), "initial_num_buckets", i=count)


def frame(meta: Any, name: bytes) -> None:
    set_attr(node(meta, "while/AssignAdd/RefEnter"), "frame_name", s=name)


def put_output(meta: Any, name: str) -> None:
    next(iter(meta.signature_def["serving_default"].outputs.values())).name = name


def set_types(node: Any, number: int) -> None:
    node.attr["Tout"].list.type[0] = number


def changed(folder: Path, name: str, change: Change | None) -> Path:
    source = FIXTURES / "savedmodel" / name
    shutil.copytree(source, folder / "m")
    message = schema.message("tensorflow.SavedModel").FromString((source / "saved_model.pb").read_bytes())
    if change is not None:
        change(message.meta_graphs[0])
    (folder / "m" / "saved_model.pb").write_bytes(message.SerializeToString())
    return folder / "m"


def errors(path: Path) -> set[str]:
    return {found.rule for found in check(read(path)) if found.severity == "error"}


@pytest.mark.parametrize("index", range(len(REFUSED)))
def test_an_error(tmp_path: Path, index: int) -> None:
    name, rule, _, change = REFUSED[index]
    assert rule in errors(changed(tmp_path, name, change))


@pytest.mark.parametrize("name", sorted({one[0] for one in (*REFUSED, *TAKEN)}))
def test_none_before(name: str) -> None:
    assert errors(FIXTURES / "savedmodel" / name) == set()


@pytest.mark.parametrize("index", range(len(TAKEN)))
def test_no_error(tmp_path: Path, index: int) -> None:
    name, _, change = TAKEN[index]
    assert errors(changed(tmp_path, name, change)) == set()


@pytest.mark.tensorflow
@pytest.mark.parametrize("index", range(len(REFUSED)))
def test_tensorflow_refuses(tmp_path: Path, index: int) -> None:
    name, _, who, change = REFUSED[index]
    assert refusal(changed(tmp_path, name, change), who)


@pytest.mark.tensorflow
@pytest.mark.parametrize(("name", "who"), sorted({(one[0], one[2]) for one in REFUSED}))
def test_tensorflow_takes_the_unchanged(name: str, who: str) -> None:
    assert refusal(FIXTURES / "savedmodel" / name, who) == ""


@pytest.mark.tensorflow
@pytest.mark.parametrize("index", range(len(TAKEN)))
def test_tensorflow_takes(tmp_path: Path, index: int) -> None:
    name, who, change = TAKEN[index]
    assert refusal(changed(tmp_path, name, change), who) == ""


def refusal(path: Path, who: str) -> str:
    """Return what one of the loaders says, of loading or of the first signature."""
    from benchmarks.soundness_judges import judge

    return next(
        (text for stage, text in judge(str(path)).items() if text and stage.startswith(who) and stage != "v1 values"),
        "",
    )


def test_a_loop_may_have_arguments_that_nothing_reads(tmp_path: Path) -> None:
    assert errors(with_an_argument(tmp_path)) == set()


@pytest.mark.tensorflow
def test_tensorflow_runs_a_loop_without_them(tmp_path: Path) -> None:
    import numpy as np
    import tensorflow as tf

    graph_def = tf.compat.v1.GraphDef.FromString(with_an_argument(tmp_path).read_bytes())
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.import_graph_def(graph_def, name="")
        assert session.run("while:2", {"x:0": np.zeros((1, 4)), "flag:0": False}) == 3


def test_an_input_in_a_function_may_be_a_node(tmp_path: Path) -> None:
    assert errors(named_plainly(tmp_path)) == set()


@pytest.mark.tensorflow
def test_tensorflow_takes_the_first_output(tmp_path: Path) -> None:
    import numpy as np
    import tensorflow as tf

    results = []
    for path in (FIXTURES / "graphdef" / "functional.pb", named_plainly(tmp_path)):
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            tf.import_graph_def(tf.compat.v1.GraphDef.FromString(path.read_bytes()), name="")
            results.append(session.run("Identity:0", {"x:0": np.full((1, 4), 0.3), "flag:0": False}))
    assert np.array_equal(*results)


def named_plainly(folder: Path) -> Path:
    """Let a branch name a node where it read its output."""
    message = schema.message("tensorflow.GraphDef")()
    message.ParseFromString((FIXTURES / "graphdef" / "functional.pb").read_bytes())
    branch = next(one for one in message.library.function if "cond_false" in one.signature.name)
    result = next(one for one in branch.node_def if one.name == "cond/Identity")
    result.input[0] = result.input[0].partition(":")[0]
    (folder / "g.pb").write_bytes(message.SerializeToString())
    return folder / "g.pb"


def with_an_argument(folder: Path) -> Path:
    message = schema.message("tensorflow.GraphDef")()
    message.ParseFromString((FIXTURES / "graphdef" / "functional.pb").read_bytes())
    body = next(one for one in message.library.function if "while_body" in one.signature.name)
    body.signature.input_arg.add(name="more", type=1)
    (folder / "g.pb").write_bytes(message.SerializeToString())
    return folder / "g.pb"


def test_the_shape_of_a_slice_is_its_place(tmp_path: Path) -> None:
    path = without_shapes_of_slices(tmp_path)
    assert errors(path) == set()
    assert {found.rule for found in check(read(path), checksums=True) if found.severity == "error"} == set()


@pytest.mark.tensorflow
def test_tensorflow_restores_slices_by_their_place(tmp_path: Path) -> None:
    assert refusal(without_shapes_of_slices(tmp_path), V1) == ""


def without_shapes_of_slices(folder: Path) -> Path:
    """Take the shapes out of the entries of slices, whose keys begin with a byte 0."""
    path = changed(folder, "v1_partitioned", None)
    index = path / "variables" / "variables.index"
    entry, entries = schema.message("tensorflow.BundleEntryProto"), []
    for key, value in SSTable(open_source(index)):
        message = entry.FromString(value)
        if key.startswith(b"\0"):
            message.ClearField("shape")
        entries.append((key, message.SerializeToString() if key.startswith(b"\0") else value))
    assert any(key.startswith(b"\0") for key, _ in entries)
    index.write_bytes(write_table(entries))
    return path


def test_slices_that_no_variable_lists(tmp_path: Path) -> None:
    assert errors(with_orphans(tmp_path)) == {"checkpoint-files"}


@pytest.mark.tensorflow
def test_tensorflow_cannot_list_them(tmp_path: Path) -> None:
    import tensorflow as tf

    with pytest.raises(UnicodeDecodeError):
        tf.train.load_checkpoint(str(with_orphans(tmp_path))).get_variable_to_shape_map()


def with_orphans(folder: Path) -> Path:
    """Take the entry of a partitioned variable out, and leave its slices."""
    shutil.copytree(FIXTURES / "checkpoint" / "partitioned", folder / "c")
    index = folder / "c" / "model.ckpt.index"
    index.write_bytes(write_table([(key, value) for key, value in SSTable(open_source(index)) if key != b"rows"]))
    return folder / "c" / "model.ckpt"


def test_slices_that_do_not_make_up_the_whole(tmp_path: Path) -> None:
    assert errors(with_a_larger_whole(tmp_path)) == {"checkpoint-files"}


@pytest.mark.tensorflow
def test_tensorflow_misses_slices(tmp_path: Path) -> None:
    import tensorflow as tf

    with pytest.raises(ValueError, match="sufficient slices"):
        tf.train.load_checkpoint(str(with_a_larger_whole(tmp_path))).get_tensor("rows")


def with_a_larger_whole(folder: Path) -> Path:
    """Let a partitioned variable have a row more than its slices."""
    shutil.copytree(FIXTURES / "checkpoint" / "partitioned", folder / "c")
    index = folder / "c" / "model.ckpt.index"
    entries = dict(SSTable(open_source(index)))
    message = schema.message("tensorflow.BundleEntryProto").FromString(entries[b"rows"])
    message.shape.dim[0].size += 1
    entries[b"rows"] = message.SerializeToString()
    index.write_bytes(write_table(sorted(entries.items())))
    return folder / "c" / "model.ckpt"


def test_the_name_of_a_value_in_the_object_graph_is_not_looked_at(tmp_path: Path) -> None:
    assert errors(with_another_name(tmp_path)) == set()


@pytest.mark.tensorflow
def test_tensorflow_restores_by_the_key(tmp_path: Path) -> None:
    import numpy as np
    import tensorflow as tf

    changed, plain = with_another_name(tmp_path), FIXTURES / "savedmodel" / "no_signatures"
    loaded, known = (tf.saved_model.load(str(path)).w.numpy() for path in (changed, plain))
    assert np.array_equal(loaded, known)


def with_another_name(folder: Path) -> Path:
    """Call the value of a variable otherwise in the checkpoint's object graph; its key says what it is."""
    from benchmarks import soundness_checkpoints as bundles

    path = changed(folder, "no_signatures", None)
    found = bundles.parts(bundles.prefixes(path)[0])
    entry = found.entries[bundles.OBJECTS]
    (name,) = found.shards
    graph = bundles.object_message(found.shards[name][entry.offset : entry.offset + entry.size])
    assert graph is not None
    value = next(one for node in graph.nodes for one in node.attributes if one.checkpoint_key.startswith("w/"))
    value.name = "OTHER"
    bundles.put_objects(found, name, entry, graph.SerializeToString())
    bundles.write(found, bundles.prefixes(path)[0])
    return path
