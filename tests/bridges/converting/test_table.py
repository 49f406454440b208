"""The ways out: which one is meant by a target, what is refused, and what the command makes of the answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from graphsurgeon.bridges.converting import table
from graphsurgeon.bridges.converting.convert import convert
from graphsurgeon.bridges.converting.request import ConversionReport, Request
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.model.format import TENSORFLOW
from tests.cli.conftest import GS, gs

__all__ = ["gs"]  # the fixture


def answer(request: Request) -> ConversionReport:
    problem = "the result gives other numbers" if request.settings.get("wrong") else ""
    names = [f"{name}={value}" for name, value in request.set_values.items()]
    return ConversionReport(
        path=str(request.path),
        output=str(request.target),
        format="made",
        written=not problem,
        verified=request.verify and not problem,
        problem=problem,
        steps=["froze it", *names],
    )


@pytest.fixture
def way() -> Iterator[table.Converter]:
    record = table.Converter(
        name="made",
        title="a model that was made up",
        suffixes=frozenset((".made",)),
        sources=frozenset((TENSORFLOW,)),
        extras=(),
        function=answer,
        settings={"wrong": "--wrong"},
    )
    with table.registered(record) as known:
        yield known


def test_the_target_decides(way: table.Converter, fixtures_dir: Path) -> None:
    model = fixtures_dir / "graphdef" / "linear.pb"
    assert table.converter_for(model, Path("x.made")) is way
    assert table.converter_for(model, Path("x"), "made") is way
    assert table.converter_for(model, Path("x.pb")) is None
    assert table.converter_for(model, Path("x.made"), "pb") is None


def test_a_source_that_it_does_not_take(way: table.Converter, fixtures_dir: Path) -> None:
    with pytest.raises(UnsupportedError, match="TFLite model is not made a model that was made up"):
        convert(next((fixtures_dir / "tflite").rglob("*.tflite")), "x.made")


def test_settings_of_others_are_refused(way: table.Converter, fixtures_dir: Path) -> None:
    with pytest.raises(UsageError, match="no setting"):
        convert(fixtures_dir / "graphdef" / "linear.pb", "x.made", settings={"opset": 7})


def test_no_such_way(fixtures_dir: Path) -> None:
    with pytest.raises(UsageError, match="no converter makes that"):
        convert(fixtures_dir / "graphdef" / "linear.pb", "x.nothing")


def test_an_extra_that_is_missing(way: table.Converter, fixtures_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from graphsurgeon.bridges import child

    monkeypatch.setitem(child.NEEDS, "none", child.Need("No Such Thing", "none", (("no_such",),)))
    with (
        table.registered(replace(way, extras=("none",))),
        pytest.raises(UnsupportedError, match=r"needs No Such.*surgeon\[none\]"),
    ):
        convert(fixtures_dir / "graphdef" / "linear.pb", "x.made")


def test_the_command(way: table.Converter, gs: GS, tmp_path: Path) -> None:
    done = gs("convert", "graphdef/linear.pb", tmp_path / "x.made", "--set", "a=1", "--no-verify")
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines()[:2] == ["froze it", "a=1"]
    assert done.out.endswith("; it was not compared with the source\n")
    found = gs("convert", "graphdef/linear.pb", tmp_path / "x.made", "--json").json
    assert (found["verified"], found["steps"]) == (True, ["froze it"])


def test_the_answer_is_no(way: table.Converter, gs: GS, tmp_path: Path) -> None:
    with table.registered(replace(way, function=lambda request: answer(replace(request, settings={"wrong": 1})))):
        done = gs("convert", "graphdef/linear.pb", tmp_path / "x.made")
    assert done.status == 1
    assert done.out.endswith("nothing was written: the result gives other numbers\n")


@pytest.mark.parametrize("options", [("--signature", "a"), ("--outputs", "a"), ("--set", "a=1"), ("--no-verify",)])
def test_a_change_of_container_takes_no_options_of_these(gs: GS, options: tuple[str], tmp_path: Path) -> None:
    done = gs("convert", "graphdef/linear.pb", tmp_path / "x.pbtxt", *options)
    assert done.status == 2
    assert f": {options[0]} is for conversions" in done.err
