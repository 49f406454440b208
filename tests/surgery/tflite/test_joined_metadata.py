"""A model joined of two says what both said: entries in the order of its inputs and outputs, files under free names."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon import read, surgery, write
from graphsurgeon.formats.tflite.describe import said_by
from graphsurgeon.formats.tflite.metadata import KIND
from graphsurgeon.model import Collection, CollectionItem
from tests.formats.tflite_support_bytes import names, support_bytes
from tests.surgery.tflite.test_metadata_in_step import INPUTS, OUTPUTS, files, inner, metadata

pytestmark = pytest.mark.litert  # for `flatbuffers`, which comes with it
FIXTURES = Path(__file__).resolve().parents[3] / "fixtures" / "tflite"
CAT, PLANT = b"cat\ndog\n", b"rose\nfern\n"


def told(path: Path, outputs: Mapping[str, str], members: Mapping[str, bytes], **more: Any) -> Path:
    """Write the network with an input `picture`, outputs that name a file each, and these files behind it."""
    model = read(FIXTURES / "cnn_float.tflite")
    entries = [{"name": name, "files": [file]} for name, file in outputs.items()]
    item = CollectionItem("", {}, support_bytes([{"name": "picture"}], entries, **more))
    model.metagraphs[0].collections["TFLITE_METADATA"] = Collection("TFLITE_METADATA", KIND, [item])
    write(model, path)
    with zipfile.ZipFile(path, "a") as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    return path


def joined(first: Path, second: Path, **options: Any) -> tuple[Path, list[str]]:
    model = read(first)
    report = surgery.join(model, read(second), prefix="second", **options)
    target = first.with_name("joined.tflite")
    write(model, target)
    return target, list(report.notes)


def test_both_are_told_side_by_side(tmp_path: Path) -> None:
    groups = {"all": ["one", "three"]}
    first = told(tmp_path / "a.tflite", {"one": "labels.txt", "two": "same.txt"}, {"labels.txt": CAT, "same.txt": b"s"})
    second = told(
        tmp_path / "b.tflite",
        {"one": "labels.txt", "three": "same.txt"},
        {"labels.txt": PLANT, "same.txt": b"s"},
        groups=groups,
    )
    result, notes = joined(first, second)
    assert names(metadata(result), INPUTS) == ["picture", "second_picture"]
    assert names(metadata(result), OUTPUTS) == ["one", "two", "second_one", "three"]
    assert files(result) == {"labels.txt": CAT, "same.txt": b"s", "second_labels.txt": PLANT}
    assert "labels.txt of the second model is second_labels.txt" in notes
    subgraph = said_by(read(result))["subgraph_metadata"][0]
    named = [entry["associated_files"][0]["name"] for entry in subgraph["output_tensor_metadata"]]
    assert named == ["labels.txt", "same.txt", "second_labels.txt", "same.txt"]
    assert subgraph["output_tensor_groups"] == [{"name": "all", "tensor_names": ["second_one", "three"]}]


def test_what_is_connected_is_told_no_more(tmp_path: Path) -> None:
    paths = [
        told(tmp_path / "a.tflite", {"one": "labels.txt", "two": "two.txt"}, {"labels.txt": CAT, "two.txt": b"2"}),
        told(
            tmp_path / "b.tflite",
            {"two": "labels.txt", "three": "3.txt"},
            {"labels.txt": PLANT, "3.txt": b"3"},
        ),
    ]
    halves = [tmp_path / "head.tflite", tmp_path / "tail.tflite"]
    middle = inner(read(paths[0]))
    one, two = (f"#{output.value.port}" for output in read(paths[0]).metagraphs[0].graph.outputs)
    ends: list[dict[str, Any]] = [
        {"outputs": {middle: "middle", one: "", two: ""}},
        {"outputs": {one: "", two: ""}, "inputs": {middle: "middle_in"}},
    ]
    for path, half, arguments in zip(paths, halves, ends, strict=True):
        model = read(path)
        surgery.extract(model, **arguments)
        write(model, half)
    given = f"#{read(halves[0]).metagraphs[0].graph.outputs[0].value.port}"
    taken = f"#{read(halves[1]).metagraphs[0].graph.inputs[0].port}"
    assert names(metadata(halves[1]), INPUTS) == ["middle_in"]
    result, _ = joined(*halves, connect={given: taken})
    assert names(metadata(result), INPUTS) == ["picture"]
    assert names(metadata(result), OUTPUTS) == ["one", "two", "second_two", "three"]
    assert files(result) == {"labels.txt": CAT, "two.txt": b"2", "second_labels.txt": PLANT, "3.txt": b"3"}


@pytest.mark.parametrize("is_first", [True, False])
def test_one_of_two_has_something_to_say(tmp_path: Path, *, is_first: bool) -> None:
    path = told(tmp_path / "a.tflite", {"one": "labels.txt", "two": "labels.txt"}, {"labels.txt": CAT, "more.txt": b""})
    silent = FIXTURES / "cnn_int8.tflite"
    here = tmp_path / "silent.tflite"
    here.write_bytes(silent.read_bytes())
    result, notes = joined(*((path, here) if is_first else (here, path)))
    count = len(read(silent).metagraphs[0].graph.outputs)
    found = names(metadata(result), OUTPUTS)
    assert found is not None
    own = found[:2] if is_first else found[count:]
    assert own == ["one", "two"]
    assert len(found) == count + 2
    assert all(found)
    assert len(names(metadata(result), INPUTS) or ()) == 2
    left = "files of the second model that its metadata does not name are left out: more.txt"
    assert files(result) == {"labels.txt": CAT, **({"more.txt": b""} if is_first else {})}
    assert (left in notes) is not is_first


def test_the_runtime_runs_it(tmp_path: Path) -> None:
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    first = told(tmp_path / "a.tflite", {"one": "labels.txt", "two": "two.txt"}, {"labels.txt": CAT, "two.txt": b"2"})
    second = told(
        tmp_path / "b.tflite", {"one": "labels.txt", "two": "two.txt"}, {"labels.txt": PLANT, "two.txt": b"3"}
    )
    result, _ = joined(first, second)
    answers = []
    for path in (first, result):
        runner = Interpreter(str(path))
        runner.allocate_tensors()
        for tensor in runner.get_input_details():
            picture = np.linspace(0, 1, int(np.prod(tensor["shape"])), dtype=np.float32).reshape(tensor["shape"])
            runner.set_tensor(tensor["index"], picture)
        runner.invoke()
        answers.append([runner.get_tensor(tensor["index"]) for tensor in runner.get_output_details()])
    assert len(names(metadata(result), OUTPUTS) or ()) == len(answers[1]) == 2 * len(answers[0])
    for once, twice in zip([*answers[0], *answers[0]], answers[1], strict=True):
        np.testing.assert_array_equal(once, twice)


def test_a_step_before_has_moved_the_entries(tmp_path: Path) -> None:
    path = told(tmp_path / "a.tflite", {"one": "labels.txt", "two": "two.txt"}, {"labels.txt": CAT, "two.txt": b"2"})
    first, second = (read(path), read(told(tmp_path / "b.tflite", {"three": "3.txt"}, {"3.txt": b"3"})))
    outputs = [f"#{output.value.port}" for output in first.metagraphs[0].graph.outputs]
    surgery.extract(first, {outputs[1]: "", outputs[0]: ""})
    surgery.join(first, second, prefix="second")
    surgery.set_metadata(first, fields={"author": "us"})
    write(first, tmp_path / "joined.tflite")
    assert (names(metadata(tmp_path / "joined.tflite"), OUTPUTS) or [])[:3] == ["two", "one", "three"]
    assert said_by(read(tmp_path / "joined.tflite"))["author"] == "us"
