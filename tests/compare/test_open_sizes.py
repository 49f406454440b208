"""Sizes and layouts that no shape says, where models of two frameworks are compared: with runners made by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphsurgeon.cli.text.run import print_equivalence
from graphsurgeon.compare.entries import OneRun, Result, RunOutcome
from graphsurgeon.compare.equivalence import EquivalenceReport, compare_models
from graphsurgeon.formats import read, registry
from graphsurgeon.model import Shape
from graphsurgeon.model.model import Model
from graphsurgeon.surgery.convert import convert
from tests.formats.onnx.models import graph, model, new, node, save, value

Run = Callable[[Any], Any]


def pair(folder: Path, *dims: Any) -> tuple[Model, Model]:
    """Return a network of one pooling, and what it is converted to, whose picture has the channels last."""
    window = new("AttributeProto", name="kernel_shape", type=7, ints=[2, 2])
    pooled = node("MaxPool", ["x"], ["y"], "pool", attribute=[window])
    made = model(graph([pooled], [value("x", list(dims))], [value("y", None)]), opset=13)
    path = save(folder, made)
    lowered = read(path)
    convert(lowered, format=registry.SAVED_MODEL)
    lowered.path = str(folder / "lowered")
    return read(path), lowered


def compared(models: tuple[Model, Model], ours: Run, theirs: Run, **more: Any) -> tuple[EquivalenceReport, list[Any]]:
    """Return the report of comparing functions of a picture, and the shapes that the first was called with."""
    shapes: list[Any] = []

    def outcome(run: Run, call: OneRun) -> RunOutcome:
        [picture] = call.feeds.values()
        try:
            array = run(picture)
        except ValueError as error:
            return RunOutcome({}, str(error))
        return RunOutcome({name: Result("float32", array) for name in call.fetches})

    def runner(path: Path, calls: Sequence[OneRun], *, tags: Sequence[str] | None = None) -> list[RunOutcome]:
        is_first = str(path) == models[0].path
        if is_first:
            shapes.extend(array.shape for call in calls for array in call.feeds.values())
        return [outcome(ours if is_first else theirs, call) for call in calls]

    return compare_models(*models, runner, **more), shapes


def needs(side: int) -> Run:
    """Return what turns the channels of a picture to the front, and refuses small ones."""

    def run(picture: Any) -> Any:
        assert picture.shape[-1] == 3
        if min(picture.shape[1:3]) < side:
            raise ValueError("nothing is left of it")
        return picture.transpose(0, 3, 1, 2)

    return run


def same(picture: Any) -> Any:
    return picture


def test_a_turned_picture_of_open_sides_is_told_by_its_channels(tmp_path: Path) -> None:
    report, shapes = compared(pair(tmp_path, "n", 3, "h", "w"), same, needs(0))
    assert report.agrees
    assert shapes == [(2, 3, 64, 96)]  # not equal: exchanged sides show
    assert report.notes == ["input 'x': the second model gets it with the axes (0, 2, 3, 1)"]


def test_the_shape_that_is_asked_for_is_the_first_models(tmp_path: Path) -> None:
    assume = {"x": Shape([1, 3, 48, 192])}
    report, shapes = compared(pair(tmp_path, "n", 3, "h", "w"), same, needs(48), assume=assume)
    assert report.agrees
    assert shapes == [(1, 3, 48, 192)]


def test_sides_grow_until_both_run(tmp_path: Path) -> None:
    report, shapes = compared(pair(tmp_path, "n", 3, "h", "w"), same, needs(200))
    assert report.agrees
    assert shapes == [(2, 3, 64, 96), (2, 3, 64, 64), (2, 3, 224, 320)]
    assert any("x=[2,3,224,320], since it does not with smaller sides" in note for note in report.notes)


def test_sides_grow_where_nothing_comes_out(tmp_path: Path) -> None:
    def pooled(picture: Any) -> Any:
        return picture[:, :, 200:, :]

    report, shapes = compared(
        pair(tmp_path, "n", 3, "h", "w"), pooled, lambda picture: pooled(picture.transpose(0, 3, 1, 2))
    )
    assert report.agrees
    assert shapes[-1] == (2, 3, 224, 320)
    assert [output.elements for output in report.outputs] == [2 * 3 * 24 * 320]


def test_sides_that_are_known_do_not_grow(tmp_path: Path) -> None:
    _, shapes = compared(pair(tmp_path, "n", 3, 40, 50), same, needs(200))
    assert shapes == [(2, 3, 40, 50)]


def test_sides_are_right_where_another_batch_runs(tmp_path: Path) -> None:
    def single(picture: Any) -> Any:
        if len(picture) > 1:
            raise ValueError("made for one")
        return picture

    report, shapes = compared(
        pair(tmp_path, "n", 3, "h", "w"), single, needs(0), also=[{"x": Shape([1, 3, None, None])}]
    )
    assert report.agrees
    assert shapes == [(2, 3, 64, 96), (1, 3, 64, 96)]


def test_what_does_not_run_is_not_said_to_differ(tmp_path: Path, capsys: Any) -> None:
    report, _ = compared(pair(tmp_path, "n", 3, 40, 50), same, needs(200))
    assert not report.agrees
    [output] = report.outputs
    assert (output.agrees, output.is_run) == (False, False)
    assert output.what == "the second model does not run with x=[2,3,40,50]: nothing is left of it"
    print_equivalence(report)
    assert capsys.readouterr().out.splitlines()[-1] == "1 of 1 output could not be compared"


def test_sizes_that_no_shape_says_may_be_said_where_none_runs(tmp_path: Path) -> None:
    def never(picture: Any) -> Any:
        raise ValueError("made for others")

    for dims, told in (("n", 3, "h", "w"), True), ((2, 3, 40, 50), False):
        report, _ = compared(pair(tmp_path, *dims), never, never)
        assert not report.agrees
        assert any("--assume" in note for note in report.notes) is told
    report, _ = compared(pair(tmp_path, "n", 3, "h", "w"), same, needs(0))
    assert report.agrees
    assert not any("--assume" in note for note in report.notes)


def test_a_layout_that_shapes_do_not_tell_is_tried(tmp_path: Path) -> None:
    models = pair(tmp_path, "n", 3, 3, 3)

    def weighted(picture: Any) -> Any:
        return picture * np.arange(3, dtype=np.float32)[:, None, None]

    report, _ = compared(models, weighted, lambda picture: weighted(picture.transpose(0, 3, 1, 2)))
    assert report.agrees
    assert report.notes == ["input 'x': the second model gets it with the axes (0, 2, 3, 1)"]
    wrong, _ = compared(models, weighted, same)
    assert not wrong.agrees
