"""Surgery on TFLite models, judged by the LiteRT interpreter: exposed tensors are what it sees itself."""

from __future__ import annotations

import copy
import csv
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon import GraphSurgeonError, read, surgery, write
from graphsurgeon.model import Model
from tests.oracle import tflite_objects
from tests.oracle.litert_runs import Answer, runs

pytestmark = pytest.mark.litert
FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "tflite"
FILES = sorted(FIXTURES.rglob("*.tflite"))
SMALL = 1 << 21  # bytes of the largest real model that is tried
MOST = 40  # real models that are tried
Change = Callable[[Model], Any]


def changed(paths: Sequence[Path], folder: Path, change: Change) -> list[tuple[Path, Model, Any, Path]]:
    """Change each model, and write those that can be."""
    done = []
    for number, path in enumerate(paths):
        model = read(path)
        try:
            report = change(model)
            write(model, folder / f"{number}.tflite")
        except GraphSurgeonError:
            continue
        done.append((path, model, report, folder / f"{number}.tflite"))
    return done


def answers(paths: Sequence[Path], folder: Path, change: Change) -> list[tuple[Path, Answer, Answer, Any]]:
    """Return source, its answer, that of the changed model, and the report, for models that the interpreter runs."""
    done = changed(paths, folder, change)
    before = runs([source for source, *_ in done])
    after = runs([target for *_, target in done])
    found = []
    for (source, _, report, _), one, other in zip(done, before, after, strict=True):
        if "error" not in one:
            assert "error" not in other, (source, other)
            found.append((source, one, other, report))
    return found


def the_corpus(corpus: Path) -> list[Path]:
    with (corpus / "MANIFEST.tsv").open() as table:
        rows = [
            row for row in csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE) if row["format"] == "tflite"
        ]
    paths = [corpus / row["path"] for row in rows if int(row["bytes"]) < SMALL]
    return random.Random(1).sample(paths, min(MOST, len(paths)))


def expose_all(model: Model) -> Any:
    return surgery.add_output(model, {}, all_tensors=True)


def check_exposed(paths: Sequence[Path], folder: Path) -> int:
    """Expose every tensor; each must be what the interpreter sees in the source, and old outputs what they were."""
    count = 0
    for source, before, after, report in answers(paths, folder, expose_all):
        wanted = {int(index): value for index, value in before["all"].items()}
        outputs = {int(index): value for index, value in after["outputs"].items()}
        for index, value in before["outputs"].items():
            assert outputs[int(index)] == value, (source, index)
        ports = {value.port for node in read(source).metagraphs[0].graph.nodes for value in node.outputs}
        compared = ports & outputs.keys() & wanted.keys()
        for index in compared:
            assert outputs[index] == wanted[index], (source, index)
        if report.outputs:
            assert compared, source
        for key, results in before["signatures"].items():
            for name, value in (results or {}).items():
                assert after["signatures"][key][name] == value, (source, key, name)
        count += len(compared)
    return count


def test_every_tensor_of_the_fixtures(tmp_path: Path) -> None:
    assert check_exposed(FILES, tmp_path) > 40


@pytest.mark.corpus
def test_every_tensor_of_real_models(tmp_path: Path, corpus: Path) -> None:
    assert check_exposed(the_corpus(corpus), tmp_path) > 50


def expose_one(model: Model) -> Any:
    """Expose one inner tensor of the main subgraph under a new key of its signatures."""
    graph = model.metagraphs[0].graph
    outputs = [output.value for output in graph.outputs]
    inner = [value for node in graph.nodes for value in node.outputs if value not in outputs]
    return (
        surgery.add_output(model, {f"#{random.Random(2).choice(inner).port}": "exposed"}, graph="main")
        if inner
        else None
    )


def test_one_tensor_in_every_signature(tmp_path: Path) -> None:
    tried = 0
    for source, before, after, report in answers(FILES, tmp_path, expose_one):
        if report is None:
            continue
        (added,) = report.outputs
        (index,) = after["outputs"].keys() - before["outputs"].keys()
        if index in before["all"]:
            assert after["outputs"][index] == before["all"][index], source
        for key in added.signatures:
            if before["signatures"][key] is not None:
                results = dict(after["signatures"][key])
                assert results.pop("exposed") == after["outputs"][index], source
                assert results == before["signatures"][key], source
                tried += 1
    assert tried >= 3


def rename_all(model: Model) -> Any:
    """Give every tensor, signature and key another name."""
    surgery.rename(model, prefix="renamed;")
    for what in ("keys", "signatures"):
        if model.metagraphs[0].signatures:
            surgery.rename(model, what=what, prefix="z_")
    return None


def check_renamed(paths: Sequence[Path], folder: Path) -> int:
    found = answers(paths, folder, rename_all)
    for source, before, after, _ in found:
        assert after["outputs"] == before["outputs"], source
        named = {
            f"z_{key}": None if results is None else {f"z_{name}": value for name, value in results.items()}
            for key, results in before["signatures"].items()
        }
        assert after["signatures"] == named, source
    return len(found)


def test_other_names_compute_the_same(tmp_path: Path) -> None:
    assert check_renamed(FILES, tmp_path) >= 10


@pytest.mark.corpus
def test_other_names_of_real_models_compute_the_same(tmp_path: Path, corpus: Path) -> None:
    assert check_renamed(the_corpus(corpus), tmp_path) >= 10


def add_anew(model: Model) -> Any:
    """Replace all signatures by one that has every input and output."""
    metagraph = model.metagraphs[0]
    if metagraph.signatures:
        surgery.remove_signature(model, list(metagraph.signatures))
    outputs = {f"out_{output.value.port}": f"#{output.value.port}" for output in metagraph.graph.outputs}
    inputs = {f"in_{value.port}": f"#{value.port}" for value in metagraph.graph.inputs}
    return surgery.add_signature(model, outputs, inputs=inputs or None, name="anew")


def test_signatures_added_and_removed(tmp_path: Path) -> None:
    found = answers(FILES, tmp_path, add_anew)
    for source, before, after, _ in found:
        assert list(after["signatures"]) == ["anew"], source
        assert after["outputs"] == before["outputs"], source
        assert after["signatures"]["anew"] == {f"out_{index}": value for index, value in before["outputs"].items()}, (
            source
        )
    assert len(found) >= 10


def test_a_key_can_be_taken_from_the_tensor(tmp_path: Path) -> None:
    """Without --input every input of the subgraph is taken, by its name."""
    for source, before, after, report in answers([FIXTURES / "old_codes.tflite"], tmp_path, add_plain):
        assert report.inputs.keys() == {value.name for value in read(source).metagraphs[0].graph.inputs}
        assert set(after["signatures"]["serving_default"].values()) == set(before["outputs"].values())


def add_plain(model: Model) -> Any:
    (output,) = model.metagraphs[0].graph.outputs
    return surgery.add_signature(model, {"y": f"#{output.value.port}"})


def test_what_writes_a_variable_comes_along_with_what_reads_it(tmp_path: Path) -> None:
    model = read(FIXTURES / "variables.tflite")
    surgery.extract(model, outputs=["StatefulPartitionedCall:0"])
    write(model, tmp_path / "part.tflite")
    before, after = runs([FIXTURES / "variables.tflite", tmp_path / "part.tflite"])
    assert after["signatures"]["add"]["total"] == before["signatures"]["add"]["total"]


def test_codes_of_operators_go_with_the_operators(tmp_path: Path) -> None:
    """A runtime asks for every code, whether an operator has it or not; one that lacks some refuses the model."""
    source = FIXTURES / "cnn_float.tflite"
    [(_, before, after, _)] = answers([source], tmp_path, lambda one: surgery.extract(one, {"Relu;depthwise": ""}))
    written = tflite_objects.model((tmp_path / "0.tflite").read_bytes())
    assert [code.builtinCode for code in written.operatorCodes] == [3, 4]  # CONV_2D, DEPTHWISE_CONV_2D
    [value] = after["outputs"].values()
    assert value in before["all"].values()
    stored = tflite_objects.model(source.read_bytes())
    stored.operatorCodes.insert(1, copy.deepcopy(stored.operatorCodes[0]))
    stored.operatorCodes[1].customCode, stored.operatorCodes[1].builtinCode = b"Nobody", 32
    stored.operatorCodes[1].deprecatedBuiltinCode = 32
    for operator in stored.subgraphs[0].operators:
        operator.opcodeIndex += operator.opcodeIndex > 0
    (tmp_path / "s").mkdir()
    (tmp_path / "more.tflite").write_bytes(tflite_objects.pack(stored))
    [(_, before, after, report)] = answers([tmp_path / "more.tflite"], tmp_path / "s", surgery.strip)
    assert [(gone.name, gone.op) for gone in report.removed] == [("Nobody version 1", "operator code")]
    assert (after["outputs"], after["signatures"]) == (before["outputs"], before["signatures"])
    assert len(tflite_objects.model((tmp_path / "s" / "0.tflite").read_bytes()).operatorCodes) == 5
