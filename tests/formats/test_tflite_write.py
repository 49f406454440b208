"""Writing TFLite: an untouched model is the same bytes, a rewritten one the same content, an edit only the edit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon.disk.files import FileRange
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.formats import registry
from graphsurgeon.formats.tflite import file as tflite
from graphsurgeon.model import (
    DType,
    FunctionRef,
    Graph,
    Mention,
    Model,
    Output,
    Quantization,
    Shape,
    Signature,
    SignatureEntry,
    Tensor,
    Value,
)  # fmt: skip
from tests.formats.tflite_files import (
    FILES,
    FIXTURES,
    changed,
    corpus_files,
    look_at_everything,
    names,
    packed_file,
    read,
    reread,
    rewritten,
    small_model,
    value,
    written,
)  # fmt: skip
from tests.oracle import tflite_objects

pytestmark = pytest.mark.litert
FLOAT32 = DType.named("float32")

# -- nothing changed -----------------------------------------------------------------------------------------


def check_untouched(path: Path) -> None:
    model = tflite.read(path)
    for look in (lambda _: None, look_at_everything):
        look(model)
        (piece,) = tflite.lower(model)[""]
        assert isinstance(piece, FileRange)
        assert (piece.offset, piece.length) == (0, path.stat().st_size)


def check_rewritten(path: Path) -> None:
    data = path.read_bytes()
    again = rewritten(tflite.read(path))
    assert tflite_objects.tree(again) == tflite_objects.tree(data)
    assert again[4:8] == b"TFL3"
    for buffer in buffer_places(again):
        assert buffer % 16 == 0


def buffer_places(data: bytes) -> Iterator[int]:
    """Yield where each buffer's data lies, by the generated accessors."""
    objects = tflite_objects.generated()
    model = objects.Model.GetRootAs(data, 0)
    for number in range(model.BuffersLength()):
        buffer = model.Buffers(number)
        if buffer.DataLength():
            yield buffer._tab.Vector(buffer._tab.Offset(4))
        if buffer.Offset() > 1:
            yield buffer.Offset()


@pytest.mark.parametrize("path", FILES, ids=names(FILES))
def test_an_untouched_fixture_is_the_file_itself(path: Path) -> None:
    check_untouched(path)


@pytest.mark.parametrize("path", FILES, ids=names(FILES))
def test_a_fixture_laid_out_anew_says_the_same_and_is_aligned(path: Path) -> None:
    check_rewritten(path)


@pytest.mark.corpus
def test_every_file_of_the_corpus_survives_untouched_and_laid_out_anew(corpus: Path) -> None:
    for path in corpus_files(corpus):
        check_untouched(path)
        check_rewritten(path)


def test_indices_that_point_nowhere_are_kept(tmp_path: Path) -> None:
    objects, parsed = tflite_objects.generated(), small_model()
    graph, signature, entry = parsed.subgraphs[0], objects.SignatureDefT(), objects.TensorMapT()
    graph.operators[0].inputs, graph.operators[0].outputs, graph.operators[0].opcodeIndex = [0, 77, -7], [-1], 4
    graph.inputs, graph.outputs, graph.tensors[1].buffer = [-1, 0], [5], 99
    entry.name, entry.tensorIndex = "x", 55
    signature.signatureKey, signature.subgraphIndex, signature.inputs, signature.outputs = (
        "s",
        9,
        [entry],
        [entry, entry],
    )
    parsed.signatureDefs = [signature, signature]
    path = packed_file(tmp_path, parsed)
    check_untouched(path)
    model = tflite.read(path)
    model.graphs[0].values[0].name = "renamed"
    assert changed(path.read_bytes(), written(model)) == {"subgraphs[0].tensors[0].name": b"renamed"}
    model.graphs[0].outputs.append(Output("", model.graphs[0].values[0]))
    for number in range(3):
        model.graphs[0].add_value(f"new {number}", FLOAT32, Shape([1]))
    with pytest.raises(UsageError, match="#5, which was not there"):
        written(model)


def test_a_subgraph_made_from_nothing_has_all_its_vectors(tmp_path: Path) -> None:
    model = read("float.tflite")
    metagraph = model.metagraphs[0]
    metagraph.add_function(Graph(metagraph, "subgraph", "empty"))
    empty = tflite_objects.tree(written(model))["subgraphs"][-1]
    assert empty["name"] == b"empty"
    assert [empty[key] for key in ("tensors", "inputs", "outputs", "operators")] == [[], [], [], []]


def test_writing_is_deterministic_and_settles() -> None:
    data = rewritten(read("control_flow.tflite"))
    assert data == rewritten(read("control_flow.tflite"))


def test_laying_out_anew_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    once = rewritten(read("cnn_int8.tflite"))
    assert rewritten(reread(once, tmp_path)) == once


# -- one thing changed ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=names(FILES))
def test_renaming_every_tensor_changes_their_names_alone(path: Path) -> None:
    model = tflite.read(path)
    expected = {}
    for number, graph in enumerate(model.raw.subgraphs):
        for index, tensor in enumerate(graph.values):
            tensor.name = f"tensor {index} of {number}, a longer name"
            expected[f"subgraphs[{number}].tensors[{index}].name"] = tensor.name.encode()
    assert changed(path.read_bytes(), written(model)) == expected


def test_an_inner_tensor_becomes_an_output(tmp_path: Path) -> None:
    model = read("cnn_int8.tflite")
    graph, signature = model.graphs[0], model.metagraphs[0].signatures["serving_default"]
    inner = graph.nodes[0].outputs[0]
    graph.outputs = [*graph.outputs, Output("", inner)]
    signature.outputs["inner"] = SignatureEntry(Mention.of(inner, ""), inner.dtype, inner.shape)
    data = written(model)
    new = changed((FIXTURES / "cnn_int8.tflite").read_bytes(), data)
    assert set(new) == {"subgraphs[0].outputs", "signatureDefs[0].outputs"}
    assert new["subgraphs[0].outputs"][-1] == inner.port
    assert new["signatureDefs[0].outputs"][-1] == {"name": b"inner", "tensorIndex": inner.port}
    again = reread(data, tmp_path).metagraphs[0].signatures["serving_default"]
    assert list(again.outputs) == [*signature.outputs]


def test_signatures_are_added_renamed_and_removed() -> None:
    source = (FIXTURES / "dynamic_range.tflite").read_bytes()
    model = read("dynamic_range.tflite")
    metagraph = model.metagraphs[0]
    decode, encode = metagraph.signatures["decode"], metagraph.signatures["encode"]
    (key,) = encode.inputs
    metagraph.signatures.clear()
    encode.inputs = {"renamed key": encode.inputs[key]}
    metagraph.signatures["renamed"] = encode
    target = decode.graph.inputs[0]
    entry = SignatureEntry(Mention.of(target, ""), target.dtype, target.shape)
    metagraph.signatures["new"] = Signature("new", decode.graph, {"a": entry}, {"b": entry})
    before = tflite_objects.tree(source)["signatureDefs"]
    after = tflite_objects.tree(written(model))["signatureDefs"]
    old = next(item for item in before if item["signatureKey"] == b"encode")
    assert after[0] == {**old, "signatureKey": b"renamed", "inputs": [{**old["inputs"][0], "name": b"renamed key"}]}
    place = model.graphs.index(decode.graph)
    maps = {name: [{"name": key, "tensorIndex": target.port}] for name, key in (("inputs", b"a"), ("outputs", b"b"))}
    assert after[1] == {"signatureKey": b"new", "subgraphIndex": place, **maps}
    assert len(after) == 2


def test_attributes_are_changed_in_their_options_alone() -> None:
    model = read("cnn_int8.tflite")
    attrs = model.graphs[0].nodes[0].attrs
    attrs["padding"], attrs["stride_w"], attrs["fused_activation_function"] = b"VALID", 3, b"TANH"
    options = "subgraphs[0].operators[0].builtinOptions"
    expected = {f"{options}.padding": 1, f"{options}.strideW": 3, f"{options}.fusedActivationFunction": 4}
    assert changed((FIXTURES / "cnn_int8.tflite").read_bytes(), written(model)) == expected


@pytest.mark.parametrize(
    ("name", "new", "message"),
    [("strid_w", 1, "no field 'strid_w'"), ("padding", b"MAYBE", "one of SAME, VALID"), ("stride_w", b"x", "number"),
     ("stride_w", 1 << 40, "stride_w"), ("dilation_w_factor", [1], "number")],
)  # fmt: skip
def test_an_attribute_that_the_options_cannot_hold_is_refused(name: str, new: Any, message: str) -> None:
    model = read("cnn_int8.tflite")
    model.graphs[0].nodes[0].attrs[name] = new
    with pytest.raises(UsageError, match=message) as caught:
        written(model)
    assert "operator #0 CONV_2D" in str(caught.value)


def test_shape_dtype_and_quantization_are_changed() -> None:
    model = read("cnn_int8.tflite")
    graph = model.graphs[0]
    tensor, other, third = graph.values[3], graph.nodes[1].outputs[0], graph.inputs[0]
    assert other.extra
    tensor.shape, tensor.dtype = Shape([None, 7]), DType.named("int16")
    tensor.extra = {"quantization": Quantization((0.5, 0.25), (0, 1), 1), "is_variable": True}
    other.extra = None
    third.shape = Shape(None)
    after = tflite_objects.tree(written(model))["subgraphs"][0]["tensors"]
    assert (after[3]["shape"], after[3]["shapeSignature"], after[3]["type"]) == ([1, 7], [-1, 7], 7)
    assert (after[3]["hasRank"], after[3]["isVariable"]) == (True, True)
    quantization = after[3]["quantization"]
    assert (quantization["scale"], quantization["zeroPoint"]) == ([0.5, 0.25], [0, 1])
    assert quantization["quantizedDimension"] == 1
    assert after[other.port]["quantization"] is None
    assert (after[third.port]["shape"], after[third.port]["hasRank"]) == ([], False)


def test_blockwise_quantization_follows_its_tensors() -> None:
    model = read("quantized_forms.tflite")
    graph = model.graphs[0]
    unused = [v for v in graph.values if v.name == "float8"]
    before = graph.values.index(value(graph, "block_scales"))
    graph.remove_values(unused)
    graph.add_value("front", FLOAT32, Shape([1]))
    tensors = tflite_objects.tree(written(model))["subgraphs"][0]["tensors"]
    blockwise = next(tensor for tensor in tensors if tensor["name"] == b"blockwise")
    scales = blockwise["quantization"]["details"]["scales"]
    assert tensors[scales]["name"] == b"block_scales"
    assert blockwise["quantization"]["details"]["blockSize"] == 2
    assert blockwise["quantization"]["details"]["zeroPoints"] == -1
    assert scales in (before, before - 1)


def test_the_description_is_changed() -> None:
    model = read("float.tflite")
    model.metagraphs[0].producer["description"] = "another"
    assert changed((FIXTURES / "float.tflite").read_bytes(), written(model)) == {"description": b"another"}


# -- operators, tensors and subgraphs come and go -------------------------------------------------------------


def test_an_operator_is_inserted_before_those_that_read_it() -> None:
    """A new node is the last of its graph; in the file it stands where its value is ready in time."""
    model = read("cnn_float.tflite")
    graph = model.graphs[0]
    inner = graph.nodes[1].outputs[0]
    doubled = graph.add_value("doubled", FLOAT32, inner.shape or Shape(None))
    node = graph.add_node("ADD", "", [inner, inner], {"fused_activation_function": b"RELU"})
    node.set_outputs([doubled])
    inner.replace_with(doubled, but=[node])
    after = tflite_objects.tree(written(model))
    operators = after["subgraphs"][0]["operators"]
    code = after["operatorCodes"][operators[2]["opcodeIndex"]]
    assert (code["builtinCode"], code["deprecatedBuiltinCode"], code["version"]) == (0, 0, 1)
    assert operators[2]["builtinOptions"] == {"fusedActivationFunction": 1, "potScaleInt16": True}
    assert operators[2]["outputs"] == [len(after["subgraphs"][0]["tensors"]) - 1]
    assert operators[3]["inputs"][0] == operators[2]["outputs"][0]
    assert len(operators) == len(graph.nodes) == 6


@pytest.mark.parametrize(
    ("op", "codes"),
    [
        ("DEQUANTIZE", (6, 6, None)),
        ("STABLEHLO_ADD", (163, 127, None)),
        ("MyOp", (32, 32, b"MyOp")),
        ("BUILTIN_999", (999, 127, None)),
    ],
)
def test_an_operator_code_is_written_in_both_its_fields(op: str, codes: tuple[int, int, bytes | None]) -> None:
    model = read("float.tflite")
    graph = model.graphs[0]
    node = graph.add_node(op, "", [graph.inputs[0]], {"custom_options": b"abc"} if op == "MyOp" else {})
    node.set_outputs([graph.add_value("new", FLOAT32, Shape([1]))])
    after = tflite_objects.tree(written(model))
    code = after["operatorCodes"][-1]
    assert (code["builtinCode"], code["deprecatedBuiltinCode"], code["customCode"]) == codes
    assert bytes(after["subgraphs"][0]["operators"][-1]["customOptions"] or []) == (b"abc" if op == "MyOp" else b"")


def test_an_operator_becomes_another() -> None:
    model = read("cnn_float.tflite")
    node = next(node for node in model.graphs[0].nodes if node.op == "SOFTMAX")
    node.op = "TANH"
    node.attrs.clear()
    number = model.graphs[0].nodes.index(node)
    after = tflite_objects.tree(written(model))
    operator = after["subgraphs"][0]["operators"][number]
    assert after["operatorCodes"][operator["opcodeIndex"]]["builtinCode"] == 28
    assert (operator["builtinOptionsType"], operator["builtinOptions"]) == (0, None)


def test_an_optional_input_left_out_stays_out() -> None:
    model = read("lstm.tflite")
    graph = model.graphs[0]
    node = graph.nodes[0]
    before = [v.is_absent for v in node.inputs]
    assert any(before)
    node.set_input(before.index(False, 1), graph.absent)
    graph.values[0].name = "other"
    inputs = tflite_objects.tree(written(model))["subgraphs"][0]["operators"][0]["inputs"]
    assert inputs.count(-1) == before.count(True) + 1


def test_tensors_an_operator_keeps_to_itself_move_with_it(tmp_path: Path) -> None:
    parsed = tflite_objects.model((FIXTURES / "lstm.tflite").read_bytes())
    parsed.subgraphs[0].operators[0].intermediates = [2, 5, 0]
    model = tflite.read(packed_file(tmp_path, parsed))
    graph = model.graphs[0]
    kept = graph.nodes[0].attrs["intermediates"]
    assert isinstance(kept, list)
    first = graph.values[0]
    graph.values.remove(first)
    graph.values.append(first)
    after = tflite_objects.tree(written(model))["subgraphs"][0]
    expected = [v.name for v in kept if isinstance(v, Value)]
    assert [after["tensors"][i]["name"].decode() for i in after["operators"][0]["intermediates"]] == expected
    assert [after["tensors"][i]["name"].decode() for i in after["operators"][0]["inputs"] if i >= 0] == [
        v.name for v in graph.nodes[0].inputs if not v.is_absent
    ]


def test_what_is_removed_leaves_no_data_behind(tmp_path: Path) -> None:
    model = read("cnn_float.tflite")
    graph, metagraph = model.graphs[0], model.metagraphs[0]
    cut = graph.nodes[1].outputs[0]
    gone = graph.nodes[2:]
    kept = {v for node in graph.nodes[:2] for v in (*node.inputs, *node.outputs)} | set(graph.inputs)
    graph.outputs = [Output("", cut)]
    metagraph.signatures.clear()
    graph.remove_nodes(gone)
    graph.remove_values([v for v in graph.values if v not in kept])
    data = written(model)
    again = reread(data, tmp_path)
    assert [node.op for node in again.graphs[0].nodes] == [node.op for node in graph.nodes]
    for old, new in zip(graph.values, again.graphs[0].values, strict=True):
        assert old.name == new.name
        assert (old.tensor.tobytes() if old.tensor else None) == (new.tensor.tobytes() if new.tensor else None)
    stored = sum(len(buffer["data"] or []) for buffer in tflite_objects.tree(data)["buffers"])
    constants = sum(v.tensor.nbytes for v in again.graphs[0].values if v.tensor)
    metadata = sum(item.value.nbytes for c in again.metagraphs[0].collections.values() for item in c.items)  # type: ignore[attr-defined]
    assert stored == constants + metadata


def test_constants_are_replaced_and_added(tmp_path: Path) -> None:
    model = read("cnn_float.tflite")
    graph = model.graphs[0]
    replaced = next(v for v in graph.values if v.tensor is not None and v.dtype is FLOAT32)
    dims = [d or 0 for d in replaced.shape or ()]
    replaced.tensor = Tensor.of(FLOAT32, dims, [0.5] * replaced.tensor.num_elements)  # type: ignore[union-attr]
    int4, string = DType.named("int4"), DType.named("string")
    graph.add_value("small", int4, Shape([3]), Tensor.of(int4, [3], [-8, 7, -1]))
    graph.add_value("words", string, Shape([2]), Tensor.of(string, [2], [b"a", b"bcd"]))
    shared = Tensor.of(FLOAT32, [1], [2.5])
    for name in ("one", "two"):
        graph.add_value(name, FLOAT32, Shape([1]), shared)
    data = written(model)
    again = reread(data, tmp_path).graphs[0]
    assert set(again.values[replaced.port].tensor.items()) == {0.5}  # type: ignore[union-attr]
    assert value(again, "small").tensor.items() == [-8, 7, -1]  # type: ignore[union-attr]
    assert value(again, "words").tensor.items() == [b"a", b"bcd"]  # type: ignore[union-attr]
    tensors = tflite_objects.tree(data)["subgraphs"][0]["tensors"]
    assert tensors[-1]["buffer"] == tensors[-2]["buffer"] != 0
    buffers = tflite_objects.tree(data)["buffers"]
    assert buffers[tensors[-4]["buffer"]]["data"] == [0x78, 0x0F]


def test_a_sparse_constant_that_is_replaced_is_no_longer_sparse(tmp_path: Path) -> None:
    model = read("sparse.tflite")
    graph = model.graphs[0]
    packed = value(graph, "packed")
    packed.tensor = Tensor.of(FLOAT32, [3, 4], list(map(float, range(12))))
    again = value(reread(written(model), tmp_path).graphs[0], "packed")
    assert again.tensor is not None
    assert again.tensor.items() == list(range(12))
    assert again.extra is None


def test_subgraphs_are_renumbered_where_operators_name_them(tmp_path: Path) -> None:
    model = read("control_flow.tflite")
    metagraph = model.metagraphs[0]
    called = {node: [function.name for function in node.functions] for graph in model.graphs for node in graph.nodes}
    metagraph.functions = dict(reversed(metagraph.functions.items()))
    again = reread(written(model), tmp_path)
    assert [graph.name for graph in again.graphs] == [graph.name for graph in model.graphs]
    nodes = [node for graph in model.graphs for node in graph.nodes]
    for old, new in zip(nodes, (node for graph in again.graphs for node in graph.nodes), strict=True):
        assert [function.name for function in new.functions] == called[old]


def test_a_copy_of_a_subgraph_stands_on_its_own(tmp_path: Path) -> None:
    model = read("control_flow.tflite")
    metagraph = model.metagraphs[0]
    caller, body = next((n, f) for g in model.graphs for n in g.nodes for f in n.functions)
    copy = body.clone("a copy")
    metagraph.add_function(copy)
    copy.values[0].name = "changed in the copy"
    key = next(k for k, a in caller.attrs.items() if isinstance(a, FunctionRef) and a.graph is body)
    caller.attrs[key] = FunctionRef(copy)
    again = reread(written(model), tmp_path)
    assert again.metagraphs[0].functions["a copy"].values[0].name == "changed in the copy"
    assert again.metagraphs[0].functions[body.name].values[0].name == body.values[0].name
    functions = [f.name for g in again.graphs for n in g.nodes for f in n.functions]
    assert "a copy" in functions


def test_a_subgraph_that_an_operator_needs_cannot_be_left_out() -> None:
    model = read("control_flow.tflite")
    model.metagraphs[0].functions.clear()
    with pytest.raises(UsageError, match="no longer has"):
        written(model)


def test_a_subgraph_of_another_file_is_taken_in(tmp_path: Path) -> None:
    model, other = read("float.tflite"), read("cnn_int8.tflite")
    taken = other.graphs[0]
    taken.nodes[0].attrs["stride_w"] = 1
    model.metagraphs[0].functions["taken"] = taken
    again = reread(written(model), tmp_path)
    copy = again.graphs[1]
    assert [node.op for node in copy.nodes] == [node.op for node in taken.nodes]
    for old, new in zip(taken.values, copy.values, strict=True):
        assert (old.name, old.dtype, old.shape) == (new.name, new.dtype, new.shape)
        assert (old.tensor.tobytes() if old.tensor else None) == (new.tensor.tobytes() if new.tensor else None)


def test_mistakes_are_refused_with_the_place() -> None:
    model = read("float.tflite")
    graph = model.graphs[0]
    node = graph.add_node("NEG", "", [graph.inputs[0]])
    node.output(0)
    with pytest.raises(UsageError, match="has no dtype"):
        written(model)
    graph.remove_nodes([node])
    graph.remove_values(graph.inputs)
    graph.inputs = []
    stranger = Value(model.graphs[0].clone("x"), None, 0, "stranger")
    graph.nodes[0].inputs = [stranger, *graph.nodes[0].inputs[1:]]
    with pytest.raises(UsageError, match="does not have the tensor 'stranger'"):
        written(model)
    read_only = Model(registry.GRAPH_DEF, "frozen.pb")
    with pytest.raises(UnsupportedError, match="cannot be written as TFLite"):
        tflite.lower(read_only)


def test_a_signature_keeps_to_the_tensors_there_are() -> None:
    model = read("float.tflite")
    graph = model.graphs[0]
    signature = model.metagraphs[0].signatures["serving_default"]
    gone = next(iter(signature.outputs.values())).mention.target  # type: ignore[union-attr]
    graph.outputs = []
    graph.remove_nodes([node for node in graph.nodes if gone in node.outputs])
    graph.remove_values([gone])  # type: ignore[list-item]
    with pytest.raises(UsageError, match="does not have the tensor"):
        written(model)
