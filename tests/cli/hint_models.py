"""Models that are wrong in one way each, for the errors and findings that advise a command."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from graphsurgeon import read, surgery, write
from graphsurgeon.formats import schema
from graphsurgeon.model.mention import Mention
from tests.cli.hint_files import FILES, text
from tests.surgery.graphs import constant, node, placeholder

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
FLOAT = "type: DT_FLOAT"
X = placeholder("x")
Y = node("y", "Relu", "x", T=FLOAT)
PARSE = {
    "Nsparse": "i: 0", "Ndense": "i: 1", "sparse_types": "list { }", "Tdense": "list { type: DT_FLOAT }",
    "dense_shapes": "list { shape { dim { size: 1 } } }",
}  # fmt: skip
PARSER = "".join(
    (
        placeholder("records", "DT_STRING"),
        constant("names", 'string_val: ""', "DT_STRING"),
        constant("key", 'string_val: "age"', "DT_STRING"),
        constant("none", "float_val: 0"),
        node("parse", "ParseExample", "records", "names", "key", "none", **PARSE),
    )
)
AVERAGE = {"dtype": FLOAT, "shape": "shape { dim { size: 1 } }"}


def _function(name: str, body: str, result: str = "r:activations:0", argument: str = "a") -> str:
    return (
        f'library {{ function {{ signature {{ name: "{name}" input_arg {{ name: "{argument}" type: DT_FLOAT }}'
        f' output_arg {{ name: "o" type: DT_FLOAT }} }} {body} ret {{ key: "o" value: "{result}" }} }} }}'
    )


def _filled(name: str, count: int) -> str:
    """Write a constant of many elements, of which one is stored."""
    shape = f"tensor_shape {{ dim {{ size: {count} }} }}"
    return node(name, "Const", dtype=FLOAT, value=f"tensor {{ dtype: DT_FLOAT {shape} float_val: 1 }}")


def _call(name: str, function: str) -> str:
    types = {"Tin": "list { type: DT_FLOAT }", "Tout": "list { type: DT_FLOAT }"}
    return node(name, "PartitionedCall", "x", f=f'func {{ name: "{function}" }}', **types)


def _relu(name: str = "r", reads: str = "a") -> str:
    return "node_def" + node(name, "Relu", reads, T=FLOAT)[4:]


_IN_BRANCH = "".join(
    f"node_def{text[4:]}"
    for text in PARSER.replace('"records"', '"a"').replace('"names" input', '"names:output:0" input')
    .replace('"key" input', '"key:output:0" input').replace('input: "none"', 'input: "none:output:0"').splitlines()[1:]
)  # fmt: skip
# Text graphs by the name of their file.
TEXTS = {
    "parser_aside.pbtxt": X + Y + PARSER,
    "parser_and_more.pbtxt": X + PARSER + node("y", "AddV2", "parse", "x", T=FLOAT),
    "wrong_shapes.pbtxt": placeholder("x", dims="2,3")
    + node("y", "Relu", "x", T=FLOAT, _output_shapes="list { shape { dim { size: 7 } } }"),
    "colocated.pbtxt": X + node("y", "Relu", "x", T=FLOAT, _class='list { s: "loc:@gone" }'),
    "no_class.pbtxt": X + node("y", "Relu", "x", T=FLOAT, _class="i: 3"),
    "device.pbtxt": X + Y.replace('op: "Relu"', 'op: "Relu" device: "/xpu:0"'),
    "op_function.pbtxt": X + _call("y", "Elu") + _function("Elu", _relu()),
    "bad_name.pbtxt": X + _call("y", "f") + _function("f", _relu("-r"), "-r:activations:0"),
    "in_function.pbtxt": X + _call("y", "f") + _function("f", _relu()),
    "not_called.pbtxt": X + Y + _function("f", _relu()),
    "const_written.pbtxt": constant("w", "float_val: 1") + X + Y
    + node("step", "AssignAdd", "w", "x", T=FLOAT) + node("done", "NoOp", "^step"),
    "const_switched.pbtxt": placeholder("train", "DT_BOOL") + constant("w", "float_val: 1") + X
    + node("s", "RefSwitch", "w", "train", T=FLOAT) + node("a", "Identity", "s:1", T=FLOAT)
    + node("b", "Identity", "s", T=FLOAT) + node("m", "Merge", "b", "a", T=FLOAT, N="i: 2")
    + node("y", "AddV2", "m", "x", T=FLOAT),
    "table_file.pbtxt": constant("file", 'string_val: "/home/me/vocab.txt"', "DT_STRING")
    + node("t", "HashTableV2", key_dtype="type: DT_STRING", value_dtype="type: DT_INT64", shared_name='s: "t"')
    + node("fill", "InitializeTableFromTextFileV2", "t", "file", key_index="i: -2", value_index="i: -1")
    + node("init_all_tables", "NoOp", "^fill") + placeholder("words", "DT_STRING")
    + constant("no", "int64_val: -1", "DT_INT64")
    + node("y", "LookupTableFindV2", "t", "words", "no", Tin="type: DT_STRING", Tout="type: DT_INT64"),
    "parser_in_branch.pbtxt": placeholder("flag", "DT_BOOL") + placeholder("records", "DT_STRING")
    + node("branch", "If", "flag", "records", Tcond="type: DT_BOOL", Tin="list { type: DT_STRING }",
           Tout="list { type: DT_FLOAT }", then_branch='func { name: "f" }', else_branch='func { name: "f" }')
    + node("y", "Relu", "branch", T=FLOAT)
    + _function("f", _IN_BRANCH, "parse:dense_values:0").replace("type: DT_FLOAT }", "type: DT_STRING }", 1),
    "filled": X + constant("path", 'string_val: "forest"', "DT_STRING")
    + node("model", "SimpleMLCreateModelResource", shared_name='s: "forest"')
    + node("load", "SimpleMLLoadModelFromPathWithHandle", "model", "path") + node("init", "NoOp", "^load")
    + node("answer", "SimpleMLInferenceOpWithHandle", "x", "model") + node("y", "Identity", "answer", T=FLOAT),
    "engine.pbtxt": X + node("e", "TRTEngineOp", "x", segment_func='func { name: "f" }', InT="list { type: DT_FLOAT }",
                             OutT="list { type: DT_FLOAT }", serialized_segment='s: ""')
    + node("y", "Relu", "e", T=FLOAT) + _function("f", _relu()),
    "filled_up.pbtxt": _filled("one", 1000) + _filled("two", 2000),
    "parser_switch.pbtxt": placeholder("records", "DT_STRING") + constant("flag", "bool_val: true", "DT_BOOL")
    + _call("features", "p").replace('"x"', '"records"').replace("DT_FLOAT", "DT_STRING", 1)
    + node("s", "Switch", "features", "flag", T=FLOAT) + node("m", "Merge", "s", "s:1", T=FLOAT, N="i: 2")
    + node("y", "Relu", "m", T=FLOAT)
    + _function("p", _IN_BRANCH, "parse:dense_values:0").replace("DT_FLOAT", "DT_STRING", 1),
    "leads_nowhere.pbtxt": X + node("y", "Relu", "x", T=FLOAT, _class='list { s: "loc:@gone" }')
    + node("z", "AddV2", "y", "gone", T=FLOAT),
    "has_gone.pbtxt": X + node("gone", "Relu", "x", T=FLOAT),
    "writes.pbtxt": X + constant("path", 'string_val: "/tmp/written"', "DT_STRING")
    + node("w", "WriteFile", "path", "path") + node("y", "Relu", "x", "^w", T=FLOAT),
    "int_input.pbtxt": placeholder("ids", "DT_INT32") + node("out", "Neg", "ids", T="type: DT_INT32"),
    "wide.pbtxt": placeholder("x", dims="2,5") + Y,
    "narrow.pbtxt": placeholder("x", dims="2,4") + Y,
    "custom_op.pbtxt": X + node("y", "MyOp", "x"),
}  # fmt: skip


def _text(name: str) -> Callable[[Path], None]:
    return text(TEXTS[name] + "versions { producer: 1500 }")


def _saved(name: str, change: Callable[[Any], object]) -> Callable[[Path], None]:
    """Change the first MetaGraph of a SavedModel."""

    def make(path: Path) -> None:
        shutil.copytree(FIXTURES / "savedmodel" / name, path)
        message = schema.message("tensorflow.SavedModel")()
        message.ParseFromString((path / "saved_model.pb").read_bytes())
        change(message.meta_graphs[0])
        (path / "saved_model.pb").write_bytes(message.SerializeToString())

    return make


def _garbage(meta: Any) -> None:
    meta.collection_def["variables"].bytes_list.value.append(b"\xff\xff\xff")


def _no_init(meta: Any) -> None:
    meta.collection_def["saved_model_main_op"].node_list.ClearField("value")


def _dangling(meta: Any) -> None:
    meta.collection_def["hints"].node_list.value.append("no_such:0")


def _no_saver_name(meta: Any) -> None:
    meta.saver_def.save_tensor_name = ""


def _no_tags(meta: Any) -> None:
    meta.meta_info_def.ClearField("tags")


def _other_key(meta: Any) -> None:
    meta.signature_def["another"].CopyFrom(meta.signature_def["serving_default"])


def _one_key_less(meta: Any) -> None:
    del meta.signature_def["serving_default"]


def _other_input(meta: Any) -> None:
    inputs = meta.signature_def["serving_default"].inputs
    inputs["other"].CopyFrom(inputs["x"])
    del inputs["x"]


def _one_output_more(meta: Any) -> None:
    outputs = meta.signature_def["serving_default"].outputs
    outputs["twice"].CopyFrom(outputs["output_0"])


def _keyword(meta: Any) -> None:
    inputs = meta.signature_def["serving_default"].inputs
    inputs["in"].CopyFrom(inputs["x"])
    del inputs["x"]


def _left_open(meta: Any) -> None:
    meta.graph_def.node[0].attr["_output_shapes"].placeholder = "s"


def _unsaved(meta: Any) -> None:
    meta.ClearField("saver_def")


def _gpu(meta: Any) -> None:
    meta.meta_info_def.tags[:] = ["gpu"]


def _no_method(meta: Any) -> None:
    for signature in meta.signature_def.values():
        signature.method_name = "own"


def _twice(path: Path) -> None:
    """Write a SavedModel with the same MetaGraph twice."""
    shutil.copytree(FIXTURES / "savedmodel" / "v1_methods", path)
    message = schema.message("tensorflow.SavedModel")()
    message.ParseFromString((path / "saved_model.pb").read_bytes())
    message.meta_graphs.add().CopyFrom(message.meta_graphs[0])
    (path / "saved_model.pb").write_bytes(message.SerializeToString())


def _renamed_key(path: Path) -> None:
    """Write a SavedModel whose checkpoint has one variable under another key."""
    shutil.copytree(FIXTURES / "savedmodel" / "v1_methods", path)
    checkpoint = read(path / "variables" / "variables")
    surgery.rename(checkpoint, {next(iter(checkpoint.checkpoint.variables)): "other"})
    write(checkpoint, path / "variables" / "variables", in_place=True)


def _unmatched(path: Path) -> None:
    """Write a SavedModel whose checkpoint has its variable, and another one like it, under other keys."""
    _unused(path)
    checkpoint = read(path / "variables" / "variables")
    surgery.rename(checkpoint, "w=v")
    twin = read(path / "variables" / "variables")
    surgery.extract(twin, match="w")
    surgery.rename(twin, "w=u")
    surgery.merge(checkpoint, checkpoint=twin)
    write(checkpoint, path / "variables" / "variables", in_place=True)


def _edited(kind: str, name: str, change: Callable[[Any], object]) -> Callable[[Path], None]:
    """Change a model as objects, and write it."""

    def make(path: Path) -> None:
        model = read(FIXTURES / kind / name)
        change(model)
        write(model, path)

    return make


def _doubles(path: Path) -> None:
    model = read(FIXTURES / "graphdef" / "unfrozen" / "weights")
    surgery.cast(model, dtype="float64")
    write(model, path)


def _old_restore(path: Path) -> None:
    """Write a `.meta` that restores by an op of checkpoints of version 1."""
    message = schema.message("tensorflow.SavedModel")()
    message.ParseFromString((FIXTURES / "savedmodel" / "v1_methods" / "saved_model.pb").read_bytes())
    (meta,) = message.meta_graphs
    for one in meta.graph_def.node:
        if one.op == "RestoreV2":
            one.op = "RestoreSlice"
            one.attr["dt"].type = 1
            del one.attr["dtypes"]
    path.write_bytes(meta.SerializeToString())


def _asset_lost_meta(path: Path) -> None:
    message = schema.message("tensorflow.SavedModel")()
    message.ParseFromString((FIXTURES / "savedmodel" / "table_asset" / "saved_model.pb").read_bytes())
    path.write_bytes(message.meta_graphs[0].SerializeToString())
    for file in (FIXTURES / "savedmodel" / "table_asset" / "variables").iterdir():
        shutil.copyfile(file, path.with_name(file.name.replace("variables", path.stem)))


def _unused(path: Path) -> None:
    """Write a SavedModel whose checkpoint holds a variable that the graph does not restore."""
    shutil.copytree(FIXTURES / "savedmodel" / "v1_methods", path)
    model = read(path / "variables" / "variables")
    other = read(FIXTURES / "checkpoint" / "name_based")
    surgery.extract(other, match="beta1_power")
    surgery.rename(other, "beta1_power=other")
    surgery.merge(model, checkpoint=other)
    write(model, path / "variables" / "variables", in_place=True)


def _asset_lost(path: Path) -> None:
    shutil.copytree(FIXTURES / "savedmodel" / "table_asset", path)
    shutil.rmtree(path / "assets")


def _no_key(model: Any) -> None:
    metagraph = model.metagraphs[0]
    metagraph.signatures[""] = metagraph.signatures.pop("serving_default")
    metagraph.signatures[""].key = ""


def _inner_output(model: Any) -> None:
    (entry,) = model.metagraphs[0].signatures["serving_default"].outputs.values()
    entry.mention = Mention.of(model.graph.value("MatMul;add"), "")


def _no_text(model: Any) -> None:
    model.graph.inputs[0].name = "x\udcff"


def _copied(kind: str, name: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        source = FIXTURES / kind / name
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, path)

    return make


# Name in the test's folder -> what makes it.
MODELS: dict[str, Callable[[Path], None]] = {
    **FILES,
    **{name: _text(name) for name in TEXTS},
    "filled.meta.pbtxt": text(
        f"meta_info_def {{}} graph_def {{ {TEXTS['filled']} versions {{ producer: 1500 }} }}"
        ' collection_def { key: "saved_model_main_op" value { node_list { value: "init" } } }'
    ),
    "asset_lost.meta": _asset_lost_meta,
    "no_key.tflite": _edited("tflite", "float.tflite", _no_key),
    "inner_output.tflite": _edited("tflite", "float.tflite", _inner_output),
    "no_text.tflite": _edited("tflite", "float.tflite", _no_text),
    "unsigned": _saved("v1_methods", lambda meta: meta.signature_def.clear()),
    "unmatched": _unmatched,
    "unused": _unused,
    "garbage": _saved("v1_methods", _garbage),
    "no_init": _saved("v1_table_main_op", _no_init),
    "dangling": _saved("v1_methods", _dangling),
    "no_saver_name": _saved("v1_methods", _no_saver_name),
    "no_tags": _saved("v1_methods", _no_tags),
    "other_key": _saved("linear", _other_key),
    "one_key_less": _saved("linear", _one_key_less),
    "other_input": _saved("linear", _other_input),
    "one_output_more": _saved("linear", _one_output_more),
    "keyword": _saved("v1_functions", _keyword),
    "left_open": _saved("v1_methods", _left_open),
    "unsaved": _saved("linear", _unsaved),
    "other_tags": _saved("v1_methods", _gpu),
    "renamed_key": _renamed_key,
    "doubles.ckpt": _doubles,
    "old.meta": _old_restore,
    "asset_lost": _asset_lost,
    "no_method": _saved("v1_methods", _no_method),
    "twice": _twice,
    "moved": _copied("checkpoint", "moved"),
}
