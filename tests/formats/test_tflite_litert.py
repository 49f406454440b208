"""What we read and write against the LiteRT interpreter itself, which runs in a child process."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon.formats.tflite import file as tflite
from graphsurgeon.model import DType, Mention, Model, Output, SignatureEntry, Value
from tests.formats.tflite_files import FILES, corpus_files, rewritten, written
from tests.oracle.litert_views import views

pytestmark = pytest.mark.litert
NUMPY = {"bytes_": "string", "object_": "resource", "bool_": "bool"}
# numpy has no such elements: the interpreter returns integers for them, we the numbers they stand for
OTHER_VALUES = {"float8_e4m3fn", "float8_e5m2", "bfloat16", "int4", "uint4", "int2"}


def digest(value: Value) -> str:
    assert value.tensor is not None
    return hashlib.sha256(value.tensor.numpy().tobytes()).hexdigest()


def check_view(path: Path, view: dict[str, Any]) -> None:
    model = tflite.read(path)
    graph = model.graphs[0]
    for tensor in view["tensors"]:
        if tensor["index"] < len(graph.values):  # the rest is what kernels add for themselves
            check_tensor(graph.values[tensor["index"]], tensor)
            check_value(graph.values[tensor["index"]], view.get("values", {}).get(str(tensor["index"])))
    assert [value.port for value in graph.inputs] == view["inputs"]
    assert [output.value.port for output in graph.outputs] == view["outputs"]
    signatures = model.metagraphs[0].signatures.items()
    ours = {key: {"inputs": sorted(s.inputs), "outputs": sorted(s.outputs)} for key, s in signatures}
    theirs = view["signatures"].items()
    assert ours == {key: {side: sorted(s[side]) for side in ("inputs", "outputs")} for key, s in theirs}
    operators = [[node.op, [v.port for v in node.inputs], [v.port for v in node.outputs]] for node in graph.nodes]
    for operator, (name, inputs, outputs) in zip(operators, view.get("ops", operators), strict=True):
        unused = [a if b >= 0 else -1 for a, b in zip(operator[2], outputs, strict=True)]  # it drops results of loops
        assert [operator[0], operator[1], unused] == [name, inputs, outputs]


def check_tensor(value: Value, tensor: dict[str, Any]) -> None:
    assert value.name == tensor["name"]
    assert value.dtype is not None
    assert value.shape is not None
    assert value.dtype.name == NUMPY.get(tensor["dtype"], tensor["dtype"]) or str(value.dtype) in OTHER_VALUES
    dims = tensor["signature"] or tensor["shape"]
    if dims or value.shape.dims is not None:  # it has no word for an unknown rank
        assert value.shape.dims == tuple(None if dim < 0 else dim for dim in dims)
    quantization = (value.extra or {}).get("quantization")
    if quantization is not None and quantization.scales is not None:
        assert quantization.scales.tensor.items() == tensor["scales"]
    else:
        assert list(quantization.scale if quantization else []) == tensor["scales"]
        assert list(quantization.zero_point if quantization else []) == tensor["zero_points"]


def check_value(value: Value, expected: str | None) -> None:
    is_sparse = "sparsity" in (value.extra or {})  # it shows the packed values
    if expected is not None and value.tensor is not None and not is_sparse and str(value.dtype) not in OTHER_VALUES:
        assert digest(value) == expected


def check_files(paths: list[Path], least: int) -> None:
    seen = views(paths)
    assert len(seen) >= least
    for path, view in seen.items():
        check_view(path, view)


def test_fixtures_are_read_as_the_interpreter_reads_them() -> None:
    check_files(FILES, len(FILES) - 2)


@pytest.mark.corpus
def test_the_corpus_is_read_as_the_interpreter_reads_it(corpus: Path) -> None:
    check_files(list(corpus_files(corpus)), 210)


def test_sparse_constants_are_what_densify_makes_of_them(tmp_path: Path) -> None:
    path = next(path for path in FILES if path.name == "sparse.tflite")
    check_densify(path, views([path], run=True)[path])


@pytest.mark.corpus
def test_sparse_constants_of_a_real_model_are_what_densify_makes_of_them(corpus: Path) -> None:
    paths = [path for path in corpus_files(corpus) if "sparse" in path.name and path.stat().st_size > 100_000]
    for path, view in views(paths, run=True).items():
        assert check_densify(path, view) > 40


def check_densify(path: Path, view: dict[str, Any]) -> int:
    nodes = [node for node in tflite.read(path).graphs[0].nodes if node.op == "DENSIFY"]
    for node in nodes:
        assert digest(node.inputs[0]) == view["results"][str(node.outputs[0].port)]
    assert nodes
    return len(nodes)


def save(data: bytes, path: Path) -> Path:
    path.write_bytes(data)
    return path


def test_a_fixture_laid_out_anew_computes_the_same(tmp_path: Path) -> None:
    copies = {path: save(rewritten(tflite.read(path)), tmp_path / f"{n}.tflite") for n, path in enumerate(FILES)}
    compare_runs(copies, 12)


@pytest.mark.corpus
def test_a_part_of_the_corpus_laid_out_anew_computes_the_same(corpus: Path, tmp_path: Path) -> None:
    quick = (path for path in corpus_files(corpus) if path.stat().st_size < 100_000 and "huge" not in path.name)
    paths = list(quick)[::5]
    copies = {path: save(rewritten(tflite.read(path)), tmp_path / f"{n}.tflite") for n, path in enumerate(paths)}
    compare_runs(copies, 15)


def compare_runs(copies: dict[Path, Path], least: int) -> None:
    before, after = views(list(copies), run=True), views(list(copies.values()), run=True)
    runs = 0
    for path, copy in copies.items():
        assert (path in before) == (copy in after)
        if path in before:
            for part in ("tensors", "inputs", "outputs", "signatures", "ops", "results"):
                assert before[path].get(part) == after[copy].get(part)
            runs += "results" in before[path]
    assert runs >= least


def expose_all(model: Model) -> list[Value]:
    """Make every computed tensor of the main subgraph an output of it and of its signatures."""
    graph = model.graphs[0]
    made = [value for node in graph.nodes for value in node.outputs if not value.is_absent]
    new = [value for value in made if all(output.value is not value for output in graph.outputs)]
    graph.outputs = [*graph.outputs, *(Output("", value) for value in new)]
    for signature in model.metagraphs[0].signatures.values():
        if signature.graph is graph:
            for value in new:
                signature.outputs[f"exposed {value.port}"] = SignatureEntry(
                    Mention.of(value, ""), value.dtype, value.shape
                )
    return new


@pytest.mark.parametrize("name", ["cnn_float", "cnn_int8", "cnn_float16", "composite", "metadata"])
def test_an_exposed_tensor_is_what_the_interpreter_kept_of_it(name: str, tmp_path: Path) -> None:
    path = next(path for path in FILES if path.stem == name)
    model = tflite.read(path)
    new = expose_all(model)
    copy = save(written(model), tmp_path / "exposed.tflite")
    before, after = views([path], run=True)[path], views([copy], run=True)[copy]
    assert after["outputs"] == before["outputs"] + [value.port for value in new]
    assert after["results"] == before["results"]
    (signature,) = after["signatures"].values()
    assert {f"exposed {value.port}" for value in new} <= set(signature["outputs"])


def test_a_renamed_model_computes_the_same(tmp_path: Path) -> None:
    copies = {}
    for number, path in enumerate(FILES):
        model = tflite.read(path)
        for graph in model.graphs:
            for value in graph.values:
                value.name = f"renamed {value.port}"
        copies[path] = save(written(model), tmp_path / f"{number}.tflite")
    before, after = views(list(copies), run=True), views(list(copies.values()), run=True)
    for path, view in before.items():
        if "unprepared" not in view:  # Python cannot decode one of the names in the fixture of odd names
            assert after[copies[path]]["results"] == view["results"]
        names = [tensor["name"] for tensor in after[copies[path]]["tensors"] if tensor["name"]]
        assert all(name.startswith("renamed ") for name in names[: len(tflite.read(path).graphs[0].values)])


def test_an_inserted_operator_runs(tmp_path: Path) -> None:
    path = next(path for path in FILES if path.stem == "cnn_int8")
    model = tflite.read(path)
    graph = model.graphs[0]
    output = graph.outputs[0]
    real = graph.add_value("real", DType.named("float32"), output.value.shape)  # type: ignore[arg-type]
    graph.add_node("DEQUANTIZE", "", [output.value]).set_outputs([real])
    quantization = output.value.extra["quantization"]  # type: ignore[index]
    old, output.value = output.value, real
    copy = save(written(model), tmp_path / "inserted.tflite")
    view = views([copy], run=True)[copy]
    assert view["outputs"][0] == real.port
    assert view["ops"][-1] == ["DEQUANTIZE", [old.port], [real.port]]
    assert view["results"][str(old.port)] == views([path], run=True)[path]["results"][str(old.port)]
    assert quantization.is_quantized
