"""A bare graph completed for servers."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from graphsurgeon import UnsupportedError, write
from graphsurgeon.cli import app
from graphsurgeon.edit import edit
from graphsurgeon.formats import read
from graphsurgeon.surgery.add_signature import add_signature

GRAPH = """
node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } }
  attr { key: "shape" value { shape { dim { size: -1 } dim { size: 4 } } } } }
node { name: "stale" op: "Relu" input: "x" attr { key: "T" value { type: DT_FLOAT } }
  attr { key: "_output_shapes" value { list { shape { dim { size: -1 } dim { size: 5 } } } } } }
node { name: "true" op: "Relu" input: "x" attr { key: "T" value { type: DT_FLOAT } }
  attr { key: "_output_shapes" value { list { shape { dim { size: -1 } dim { size: 4 } } } } } }
"""


def test_recorded_shapes_that_would_not_load_go(tmp_path: Path) -> None:
    path = tmp_path / "graph.pbtxt"
    path.write_text(GRAPH)
    model = read(path)
    report = add_signature(model, {"y": "true"})
    assert any(note.startswith("shapes recorded at 1 node contradict") for note in report.notes)
    recorded = {node.name: "_output_shapes" in node.attrs for node in model.metagraphs[0].graph.nodes}
    assert recorded == {"x": False, "stale": False, "true": True}


def test_a_part_without_a_signature_is_told_the_command_that_adds_one(tmp_path: Path) -> None:
    path, out = tmp_path / "graph.pbtxt", tmp_path / "part of it"
    path.write_text(GRAPH.replace('"true"', '"a/y"').replace('"stale"', '"b/y"'))
    result = edit(path, [("extract", {"outputs": {"a/y": "a/y", "b/y": "b/y"}})], output=out)
    (note,) = [note for note in result.notes if note.startswith("no signature: ")]
    command = note.removeprefix("no signature: gs ").removesuffix(" adds one")
    assert command.startswith("add-signature ")
    assert app.run(shlex.split(command)) == 0
    (signature,) = read(out).metagraphs[0].signatures.values()
    assert [(key, entry.mention and str(entry.mention.target)) for key, entry in signature.outputs.items()] == [
        ("y", "a/y:0"),
        ("y_", "b/y:0"),
    ]
    assert list(signature.inputs) == ["x"]


def test_objects_without_a_checkpoint_are_refused(fixtures_dir: Path, tmp_path: Path) -> None:
    edit(
        fixtures_dir / "savedmodel" / "captured_constants",
        [("convert", {"format": "meta_graph"})],
        output=tmp_path / "a.meta",
    )
    (tmp_path / "a.index").unlink(missing_ok=True)
    with pytest.raises(UnsupportedError, match="no checkpoint beside it"):
        edit(tmp_path / "a.meta", [("convert", {})], output=tmp_path / "out")


def test_a_saver_of_nothing_is_left_out(fixtures_dir: Path, tmp_path: Path) -> None:
    model = read(fixtures_dir / "savedmodel" / "captured_constants")
    model.metagraphs[0].objects = None
    write(model, tmp_path / "a.meta")
    (tmp_path / "a.index").unlink(missing_ok=True)
    edit(tmp_path / "a.meta", [("convert", {})], output=tmp_path / "out")
    assert read(tmp_path / "out").metagraphs[0].saver is None
