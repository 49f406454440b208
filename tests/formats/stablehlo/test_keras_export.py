"""A SavedModel of Keras 3 on JAX: the network is a program of StableHLO that nodes hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon.edit import edit
from graphsurgeon.formats import read
from graphsurgeon.render import View, draw
from tests.cli.conftest import GS, gs

__all__ = ["gs"]  # the fixture


@pytest.fixture
def model(fixtures_dir: Path) -> Path:
    return fixtures_dir / "stablehlo" / "keras_jax"


def freeze(model: Path, target: Path) -> Any:
    (step,) = edit(model, [("freeze", {})], output=target).steps
    return step.report


def test_moments_that_are_written_back_are_left_out(model: Path, tmp_path: Path) -> None:
    report = freeze(model, tmp_path / "frozen.pb")
    assert (report.variables, report.kept_variables) == (8, ())
    assert len(report.dropped_writes) == 2
    assert all(what.endswith("which writes back what was read") for what in report.dropped_writes)
    ops = read(tmp_path / "frozen.pb").graph.op_counts
    assert ops["XlaCallModule"] == 1
    assert not {"ReadVariableOp", "AssignVariableOp", "VarHandleOp"} & ops.keys()


def test_the_program_is_drawn(model: Path) -> None:
    closed = draw(read(model)).scene
    (place,) = (note.partition("--graph ")[2].removesuffix(" draws it") for note in closed.notes)
    opened = draw(read(model), view=View(graph=place)).scene
    assert not any("XlaCallModule" in box.title for box in opened.boxes)
    inner = draw(read(model), view=View(graph=f"{place}: relu")).scene
    assert {"maximum"} <= {box.title.rpartition(".")[2] for box in inner.boxes}


def test_a_program_that_is_not_there(gs: GS, model: Path, tmp_path: Path) -> None:
    done = gs("render", model, "-o", tmp_path / "x.svg", "--graph", "nothing/XlaCallModule")
    assert (done.status, "no function 'nothing/XlaCallModule'" in done.err) == (2, True)


@pytest.mark.tensorflow
def test_frozen_it_computes_the_same(model: Path, tmp_path: Path) -> None:
    import tensorflow as tf

    freeze(model, tmp_path / "frozen")
    for batch in (1, 3):
        data = tf.constant(np.random.default_rng(batch).standard_normal((batch, 4)).astype("f4"))
        found, wanted = (
            tf.saved_model.load(str(path)).signatures["serving_default"](keras_tensor=data)["output_0"].numpy()
            for path in (tmp_path / "frozen", model)
        )
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
