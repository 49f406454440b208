"""Networks of MXNet and Caffe: their files become ONNX models that compute what their frameworks compute."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon.bridges.run import run
from graphsurgeon.edit import edit
from graphsurgeon.errors import GraphSurgeonError, UnsupportedError, UsageError
from graphsurgeon.formats import read
from graphsurgeon.lowering.to_onnx.windows import Windows
from tests.lowering.answers import assert_close, convert, names, unpack

CASES = [(framework, name) for framework in ("mxnet", "caffe") for name in names(framework)]


def onnx_of(network: Path, target: Path) -> Any:
    edit(network, [("convert", {"format": "onnx"})], output=target)
    return read(target)


@pytest.mark.onnx
@pytest.mark.parametrize(("framework", "name"), CASES)
def test_every_layer_yields_what_its_framework_yields(framework: str, name: str, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    network, inputs, expected = unpack(framework, name, tmp_path)
    target = convert(network, tmp_path / "net.onnx", inputs)
    onnx.checker.check_model(onnx.load(target), full_check=True)
    session = runtime.InferenceSession(target, providers=["CPUExecutionProvider"])
    assert_close(session.run(None, inputs), expected)


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("framework", "name"),
    [
        ("mxnet", "softmax_output"),
        ("mxnet", "pool_avg_full_1"),
        ("mxnet", "lstm_both"),
        ("mxnet", "gru"),
        ("mxnet", "box_nms_classes"),
        ("mxnet", "roi_align_aligned"),
        ("caffe", "residual"),
    ],
)
def test_a_network_goes_on_to_tensorflow(framework: str, name: str, tmp_path: Path) -> None:
    tensorflow = pytest.importorskip("tensorflow")
    network, inputs, expected = unpack(framework, name, tmp_path)
    target = convert(network, tmp_path / "out", inputs, keep_layout=True)
    loaded = tensorflow.saved_model.load(str(target))
    run = loaded.signatures["serving_default"]
    found = run(**{key: tensorflow.constant(value) for key, value in inputs.items()})
    assert_close([np.asarray(value) for value in found.values()], expected)


def test_the_written_model_reads_as_one_of_onnx(tmp_path: Path) -> None:
    network, inputs, _ = unpack("caffe", "in_place", tmp_path)
    model = read(convert(network, tmp_path / "net.onnx", inputs))
    graph = model.metagraphs[0].graph
    assert [node.op for node in graph.nodes] == ["Conv", "BatchNormalization", "Mul", "Add", "Relu"]
    assert [output.name for output in graph.outputs] == ["c"]
    assert model.metagraphs[0].producer["opsets"] == {"ai.onnx": 17}
    weight = next(value for value in graph.values if value.name == "c/weight")
    source = next(value for value in read(network).metagraphs[0].graph.values if value.name == "c/weight")
    assert weight.tensor is not None
    assert source.tensor is not None
    assert weight.tensor.tobytes() == source.tensor.tobytes()


def test_what_is_not_run_here_is_run_as_onnx(tmp_path: Path) -> None:
    network, inputs, _ = unpack("caffe", "in_place", tmp_path)
    with pytest.raises(UnsupportedError, match="is not run here") as refused:
        run(network)
    assert refused.value.hint == "gs convert MODEL net.onnx makes of it what onnxruntime runs"
    assert read(convert(network, tmp_path / "net.onnx", inputs)).traits.runtimes[0] == "onnxruntime"


def test_batch_and_sides_stay_open_where_weights_tell_the_rest(tmp_path: Path) -> None:
    network, _, _ = unpack("mxnet", "convolution", tmp_path)
    graph = onnx_of(network, tmp_path / "net.onnx").metagraphs[0].graph
    assert graph.inputs[0].shape.dims == (None, 4, None, None)


def test_an_input_of_which_nothing_is_known_is_asked_for(tmp_path: Path) -> None:
    network, _, _ = unpack("mxnet", "act_relu", tmp_path)
    with pytest.raises(UnsupportedError, match=r"input \('data'\): its shape is not in the file: give it with --shape"):
        onnx_of(network, tmp_path / "net.onnx")


@pytest.mark.parametrize(
    ("framework", "name", "lost", "looked_for"),
    [
        ("mxnet", "dense", "net-0000.params", "net-0000.params is looked for beside it"),
        ("caffe", "convolution", "net.caffemodel", "net.caffemodel is looked for beside it"),
    ],
)
def test_structure_without_weights_is_refused(
    framework: str, name: str, lost: str, looked_for: str, tmp_path: Path
) -> None:
    network, _, _ = unpack(framework, name, tmp_path)
    (tmp_path / lost).unlink()
    with pytest.raises(GraphSurgeonError, match="the weights are missing") as caught:
        onnx_of(network, tmp_path / "net.onnx")
    assert looked_for in caught.value.hint
    assert not (tmp_path / "net.onnx").exists()


def test_weights_that_are_cut_off_are_told_as_such(tmp_path: Path) -> None:
    network, _, _ = unpack("mxnet", "convolution", tmp_path)
    params = tmp_path / "net-0000.params"
    params.write_bytes(params.read_bytes()[:200])
    with pytest.raises(GraphSurgeonError) as caught:
        onnx_of(network, tmp_path / "net.onnx")
    assert "net-0000.params cannot be read" in caught.value.hint


@pytest.mark.parametrize(
    ("framework", "name", "weights"),
    [("mxnet", "convolution", "net-0000.params"), ("caffe", "scale", "net.caffemodel")],
)
def test_weights_may_lie_elsewhere(framework: str, name: str, weights: str, tmp_path: Path) -> None:
    network, _, _ = unpack(framework, name, tmp_path)
    expected = onnx_of(network, tmp_path / "beside.onnx")
    (tmp_path / weights).rename(tmp_path / f"other{Path(weights).suffix}")
    step = ("convert", {"format": "onnx", "params": str(tmp_path / f"other{Path(weights).suffix}")})
    report = edit(network, [step], output=tmp_path / "net.onnx")
    assert any("other" in note for note in report.notes)
    assert (tmp_path / "net.onnx").read_bytes() == Path(expected.path).read_bytes()


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    network, _, _ = unpack("mxnet", "convolution", tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    unpack("mxnet", "dense", other)
    step = ("convert", {"format": "onnx", "params": str(other / "net-0000.params")})
    with pytest.raises(UsageError, match="none of the weights"):
        edit(network, [step], output=tmp_path / "net.onnx")


def test_the_newest_of_several_epochs_is_taken_and_said(tmp_path: Path) -> None:
    network, _, _ = unpack("mxnet", "convolution", tmp_path)
    (tmp_path / "net-0012.params").write_bytes((tmp_path / "net-0000.params").read_bytes())
    assert "net-0012.params, which lies beside it, the newest of 2 epochs" in " ".join(read(network).notes)


def test_a_prefix_stands_for_the_pair(tmp_path: Path) -> None:
    network, _, _ = unpack("mxnet", "convolution", tmp_path)
    assert read(tmp_path / "net").path == str(network)


def test_unknown_layers_are_named_at_once(tmp_path: Path) -> None:
    network, _, _ = unpack("mxnet", "arithmetic", tmp_path)
    symbol = json.loads(network.read_text("utf-8"))
    for node in symbol["nodes"]:
        if node["op"] in ("abs", "square"):
            node["op"] = f"_contrib_{node['op']}"
    network.write_text(json.dumps(symbol), "utf-8")
    with pytest.raises(UnsupportedError, match=r"_contrib_abs .* _contrib_square"):
        convert(network, tmp_path / "net.onnx", {"data": np.zeros((1, 4, 7, 6))})


def test_layers_that_feed_and_judge_a_net_are_passed_over(tmp_path: Path) -> None:
    network, inputs, _ = unpack("caffe", "residual", tmp_path)
    text = network.read_text("utf-8")
    text += 'layer { name: "label" type: "Data" top: "label" include { phase: TRAIN } }\n'
    text += 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }\n'
    network.write_text(text, "utf-8")
    model = read(convert(network, tmp_path / "net.onnx", inputs))
    assert [output.name for output in model.metagraphs[0].graph.outputs] == ["prob"]
    assert [value.name for value in model.metagraphs[0].graph.inputs] == ["data"]


def test_an_onnx_file_stays_as_it_is(tmp_path: Path) -> None:
    network, inputs, _ = unpack("caffe", "relu", tmp_path)
    target = convert(network, tmp_path / "net.onnx", inputs)
    for place in ("copy.onnx", "copy.pb"):
        with pytest.raises(GraphSurgeonError) as caught:
            edit(target, [("rename", {"names": {"layer": "other"}})], output=tmp_path / place)
        assert "onnx-graphsurgeon" in caught.value.hint
    with pytest.raises(GraphSurgeonError) as caught:
        edit(target, [("rename", {"names": {"layer": "other"}})], in_place=True)
    assert "onnx-graphsurgeon" in caught.value.hint


@pytest.mark.parametrize(
    ("kernel", "stride", "pad", "side", "takes_back", "count"),
    [
        (1, 3, 0, 6, False, 3),  # MXNet: the last window begins behind the end
        (2, 3, 1, 5, True, 2),  # Caffe takes it back where there is padding
        (1, 3, 0, 6, True, 2),
        (3, 2, 0, 6, False, 3),
    ],
)
def test_sizes_are_rounded_up_as_each_framework_does(
    kernel: int, stride: int, pad: int, side: int, takes_back: bool, count: int
) -> None:
    windows = Windows([kernel], [stride], [pad], ceil=True, takes_back=takes_back)
    assert windows.count(0, side) == count
