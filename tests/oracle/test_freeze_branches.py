"""A branch that changes what is read behind it: the way that the refusal tells, and what TensorFlow then computes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon.edit import edit
from graphsurgeon.errors import UnsupportedError
from tests.oracle import sessions
from tests.oracle.freeze_builders import make_module, save_module, save_v1, v1_control_flow

pytestmark = [pytest.mark.tensorflow, pytest.mark.filterwarnings("default")]

X = np.arange(4, dtype="float32").reshape(1, 4) / 4
STATE = np.array([[0.5, -1.0, 2.0, 0.25]], "float32")


def functions(path: Path) -> None:
    """Save a model that begins anew where it is told to, as MoveNet does."""
    import tensorflow as tf

    module = make_module()
    module.state = tf.Variable(STATE)

    def serve(init: Any, x: Any) -> dict[str, Any]:
        if init:
            module.state.assign(tf.zeros([1, 4]))
        y = tf.tanh(x + module.state)
        module.state.assign(y)
        return {"y": y}

    save_module(path, module, serve, init=np.array(False), x=X)


def switches(path: Path, *, is_negated: bool = False) -> None:
    """Save the same in the control flow of TensorFlow 1."""

    def build(v1: Any, tf: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        x = v1.placeholder(tf.float32, [None, 4], "x")
        init = v1.placeholder_with_default(True, [], "init")
        state = v1.get_variable("state", initializer=STATE, use_resource=True)
        branches = [lambda: tf.group(state.assign(tf.zeros([1, 4]))), lambda: tf.no_op()]
        with v1_control_flow(v1, v2=False):
            condition = tf.logical_not(init) if is_negated else init
            changed = v1.cond(condition, *(branches[::-1] if is_negated else branches))
        with tf.control_dependencies([changed]):
            y = tf.tanh(x + state.read_value(), name="y")
        return {"init": init, "x": x}, {"y": y}

    save_v1(path, build)


def negated(path: Path) -> None:
    switches(path, is_negated=True)


@pytest.mark.parametrize("build", [functions, switches, negated])
def test_what_decides_a_branch_that_writes_is_told_and_can_be_set(
    build: Callable[[Path], None], tmp_path: Path
) -> None:
    build(tmp_path / "m")
    target = tmp_path / "frozen.pb"
    with pytest.raises(UnsupportedError, match="is changed by") as refused:
        edit(tmp_path / "m", [("freeze", {})], output=target)
    (name,) = re.findall(r"--set (\w+)=false \(or true\) takes out a branch that writes", str(refused.value))
    report = edit(tmp_path / "m", [("freeze", {"set_values": {name: "false"}})], output=target).steps[0].report
    assert list(report.feeds) == ["x"]
    found = sessions.run_graph_def(target, report.fetches, {report.feeds["x"]: X}, optimize=False)
    np.testing.assert_allclose(found["y"], np.tanh(X + STATE), rtol=1e-6)
