"""Networks of ONNX as graphs of TensorFlow: what nodes, names, layouts and refusals come of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon.edit import edit
from graphsurgeon.errors import FileError, UnsupportedError, UsageError
from graphsurgeon.formats import read, registry
from graphsurgeon.lowering.builder import Builder
from graphsurgeon.lowering.operand import Operand
from graphsurgeon.lowering.source import Source
from graphsurgeon.lowering.table import lowering_functions, lowers
from graphsurgeon.model.graph import Graph
from graphsurgeon.model.model import Model
from graphsurgeon.model.shape import Shape
from graphsurgeon.ops import onnx
from graphsurgeon.surgery.convert import ConvertReport, convert
from tests.formats.onnx.models import graph, model, new, node, save, tensor, value


def attributes(**values: Any) -> list[Any]:
    found = []
    for name, item in values.items():
        if isinstance(item, list):
            found.append(new("AttributeProto", name=name, type=7, ints=item))
        elif isinstance(item, int):
            found.append(new("AttributeProto", name=name, type=2, i=item))
        else:
            found.append(new("AttributeProto", name=name, type=3, s=item.encode()))
    return found


def lowered(folder: Path, message: Any, **options: Any) -> tuple[Model, ConvertReport]:
    found = read(save(folder, message))
    return found, convert(found, format=registry.SAVED_MODEL, **options)


def image_network(
    shape: Sequence[Any] = ("n", 2, 4, 4), end: Sequence[Any] = (), weights: Sequence[Any] = (), opset: int = 13
) -> Any:
    """Return a model of one convolution, and what stands behind its output "c"."""
    first = node("Conv", ["x", "w"], ["c"], "conv", attribute=attributes(pads=[1, 1, 1, 1]))
    kernel = tensor("w", [3, 2, 3, 3], list(range(54)))
    last = end[-1].output[0] if end else "c"
    main = graph([first, *end], [value("x", shape)], [value(last, None)], initializer=[kernel, *weights])
    return model(main, opset=opset)


def ops(main: Graph) -> dict[str, int]:
    return {op: count for op, count in main.op_counts.items() if op not in ("Const", "Placeholder")}


def test_a_convolution_is_one_node_with_its_channels_last(tmp_path: Path) -> None:
    found, report = lowered(tmp_path, image_network())
    assert ops(found.graph) == {"Conv2D": 1}
    assert report.turned == {"x": [0, 2, 3, 1], "c": [0, 2, 3, 1]}
    conv = found.graph.node("c")
    assert conv is not None
    assert conv.attrs["padding"] == b"SAME"
    kernel = conv.inputs[1].producer
    assert kernel is not None
    assert kernel.name == "w"
    assert kernel.attrs["value"].shape == Shape([3, 3, 2, 3])  # type: ignore[union-attr]
    array = kernel.attrs["value"].numpy()  # type: ignore[union-attr]
    assert array[0, 1, 0, 2] == 2 * 18 + 1  # of [out, in, high, wide] = [2, 0, 0, 1]


def test_the_signature_has_the_names_of_the_source(tmp_path: Path) -> None:
    found, _ = lowered(tmp_path, image_network())
    signature = found.metagraphs[0].signatures["serving_default"]
    assert signature.inputs["x"].shape == Shape([None, 4, 4, 2])
    assert signature.outputs["c"].mention is not None
    assert signature.outputs["c"].mention.text == "c:0"
    assert found.metagraphs[0].tags == ["serve"]


def test_the_layout_stays_where_that_is_asked_for(tmp_path: Path) -> None:
    found, report = lowered(tmp_path, image_network(), keep_layout=True)
    assert ops(found.graph) == {"Conv2D": 1, "Transpose": 2}
    assert report.turned == {}
    assert found.metagraphs[0].signatures["serving_default"].inputs["x"].shape == Shape([None, 2, 4, 4])


def test_what_is_no_image_keeps_its_axes(tmp_path: Path) -> None:
    shape = new("TensorProto", name="s", dims=[2], data_type=7, int64_data=[1, 32])
    end = [node("Reshape", ["x", "s"], ["r"], "flat")]
    found, report = lowered(tmp_path, image_network((1, 2, 4, 4), end=end, weights=[shape]))
    assert report.turned == {}
    assert ops(found.graph) == {"Reshape": 1}  # the convolution leads to no output


def test_weights_behind_a_flattened_image_are_permuted(tmp_path: Path) -> None:
    rows = tensor("d", [3 * 4 * 4, 2], list(range(96)))
    end = [node("Flatten", ["c"], ["f"], "flat"), node("Gemm", ["f", "d"], ["y"], "dense")]
    found, _ = lowered(tmp_path, image_network(end=end, weights=[rows]))
    assert ops(found.graph) == {"Conv2D": 1, "Reshape": 1, "MatMul": 1}
    dense = found.graph.node("y")
    assert dense is not None
    weights = dense.inputs[1].producer
    assert weights is not None
    array = weights.attrs["value"].numpy()  # type: ignore[union-attr]
    # Row (high 0, wide 1, channel 2) of [4, 4, 3] is row (channel 2, high 0, wide 1) of [3, 4, 4].
    assert array[(0 * 4 + 1) * 3 + 2, 0] == ((2 * 4 + 0) * 4 + 1) * 2


def test_a_shape_that_is_computed_from_known_sides_is_a_constant(tmp_path: Path) -> None:
    index = new("TensorProto", name="i", data_type=7, int64_data=[1])
    axis = new("TensorProto", name="a", dims=[1], data_type=7, int64_data=[0])
    rest = new("TensorProto", name="r", dims=[1], data_type=7, int64_data=[-1])
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "i"], ["g"]),
        node("Unsqueeze", ["g", "a"], ["u"]),
        node("Concat", ["u", "r"], ["d"], attribute=attributes(axis=0)),
        node("Reshape", ["x", "d"], ["y"]),
    ]
    main = graph(nodes, [value("x", ["n", 6])], [value("y", None)], initializer=[index, axis, rest])
    found, _ = lowered(tmp_path, model(main, opset=13))
    assert ops(found.graph) == {"Reshape": 1}


def test_everything_that_cannot_be_is_named_at_once(tmp_path: Path) -> None:
    nodes = [
        node("Multinomial", ["x"], ["a"], "draw"),
        node("Neg", ["a"], ["b"], "neg"),
        node("RandomNormalLike", ["x"], ["c"], "noise"),
        node("Concat", ["b", "c"], ["y"], "join", attribute=attributes(axis=0)),
    ]
    main = graph(nodes, [value("x", [2, 2])], [value("y", None)])
    path = save(tmp_path, model(main))
    with pytest.raises(UnsupportedError) as caught:
        edit(path, [("convert", {"format": "saved_model"})], output=tmp_path / "out")
    assert "Multinomial ('draw')" in str(caught.value)
    assert "RandomNormalLike ('noise')" in str(caught.value)
    assert "neg" not in str(caught.value)
    assert "--outputs TENSOR converts the part before them" in caught.value.hint
    assert not (tmp_path / "out").exists()


def test_weights_whose_file_is_not_there_are_no_fault_of_a_node(tmp_path: Path) -> None:
    place = [new("StringStringEntryProto", key="location", value="lost.bin")]
    lost = new("TensorProto", name="w", dims=[1], data_type=7, data_location=1, external_data=place)
    main = graph([node("Reshape", ["x", "w"], ["y"])], [value("x", [2])], [value("y", [2])], initializer=[lost])
    with pytest.raises(FileError, match=r"lost\.bin: cannot read"):
        lowered(tmp_path, model(main, opset=13))


def test_weights_that_are_cut_out_of_a_file_are_named(tmp_path: Path) -> None:
    message = image_network()
    [weight] = [one for one in message.graph.initializer if one.name == "w"]
    weight.ClearField("raw_data")
    with pytest.raises(UnsupportedError, match=r"Conv \('conv'\): 'w' has 0 bytes for float32 of shape \[3,2,3,3\]"):
        lowered(tmp_path, message)


def test_a_version_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    newest = onnx.newest("ai.onnx")
    path = save(tmp_path, image_network(opset=newest + 1))
    with pytest.raises(UnsupportedError, match=f"version {newest + 1} of ai.onnx, and {newest} is the last one"):
        convert(read(path), format=registry.SAVED_MODEL)


def test_names_that_tensorflow_does_not_take_are_mapped(tmp_path: Path) -> None:
    main = graph([node("Relu", ["onnx::x.1"], ["/y 0"], "/act/Relu")], [value("onnx::x.1", [2])], [value("/y 0", [2])])
    found, report = lowered(tmp_path, model(main))
    assert report.renamed == {"onnx::x.1": "onnx__x_1", "/y 0": "output_y_0"}
    assert [one.name for one in found.graph.nodes] == ["onnx__x.1", "y_0"]


def test_a_shape_may_be_given(tmp_path: Path) -> None:
    main = graph([node("Relu", ["x"], ["y"])], [value("x", None)], [value("y", None)])
    found, _ = lowered(tmp_path, model(main), shapes={"x": [2, None]})
    assert found.metagraphs[0].signatures["serving_default"].inputs["x"].shape == Shape([2, None])
    with pytest.raises(UsageError, match="'z', which is no input"):
        lowered(tmp_path, model(main), shapes={"z": [2]})


def test_a_lowered_model_is_sound_and_written(tmp_path: Path) -> None:
    path = save(tmp_path, image_network())
    report = edit(path, [("convert", {"format": "saved_model"})], output=tmp_path / "net" / "1")
    assert report.warnings == ()
    assert read(tmp_path / "net" / "1").graph.op_counts["Conv2D"] == 1
    frozen = edit(path, [("convert", {"format": "pb"})], output=tmp_path / "net.pb")
    assert frozen.format == "graph_def"


def test_one_function_lowers_another_op(tmp_path: Path) -> None:
    """As `docs/extending.md` says; the ops of the page's example are known already, so this takes one that is not."""

    @lowers("Bernoulli", 15)
    def certain(b: Builder, source: Source) -> Operand:
        return b.op("Round", source[0])

    try:
        main = graph([node("Bernoulli", ["x"], ["y"], "draw")], [value("x", [2])], [value("y", [2])])
        found, _ = lowered(tmp_path, model(main))
    finally:
        del lowering_functions()["Bernoulli", 15]
    assert [one.op for one in found.graph.nodes] == ["Placeholder", "Round"]


def test_every_version_that_is_listed_is_one_of_the_op() -> None:
    known = {(op, version.since) for op, _ in lowering_functions() for version in onnx.versions(op)}
    unlisted = set(lowering_functions()) - known
    assert {(op.rpartition(".")[0], version) for op, version in unlisted} == {("com.microsoft", 1)}


def test_the_place_says_what_a_network_becomes(tmp_path: Path) -> None:
    path = save(tmp_path, image_network())
    report = edit(path, [("convert", {"keep_layout": True}), ("optimize", {})], output=tmp_path / "net.pb")
    assert report.format == "graph_def"
    assert read(tmp_path / "net.pb").graph.op_counts["Transpose"] == 2


def test_a_sequence_that_is_known_leaves_no_trace(tmp_path: Path) -> None:
    first = new("TensorProto", name="i", data_type=7, int64_data=[-1])
    nodes = [
        node("SequenceConstruct", ["x", "y"], ["s"]),
        node("SequenceInsert", ["s", "x"], ["t"]),
        node("SequenceErase", ["t", "i"], ["u"]),
        node("ConcatFromSequence", ["u"], ["z"], attribute=attributes(axis=1)),
    ]
    main = graph(nodes, [value("x", [2, 3]), value("y", [2, 4])], [value("z", [2, 7])], initializer=[first])
    found, _ = lowered(tmp_path, model(main))
    assert ops(found.graph) == {"ConcatV2": 1}
