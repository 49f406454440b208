"""A rule and its reverse give back the numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphsurgeon
from graphsurgeon.patterns.rules import rule_names, rule_set
from graphsurgeon.surgery import replace
from tests.oracle.rule_graphs import (
    FLAT,
    layer_norm_of_keras_2,
    layer_norm_of_keras_3,
    normal,
    raw,
    replaced,
    run,
    spelled_softmax,
    tf,
)

pytestmark = pytest.mark.tensorflow


def mixed(x: Any, random: Any) -> Any:
    """Apply a few ops of two versions, and what networks are built of, in some order."""
    shape = [int(dim) for dim in x.shape]
    other = tf().constant(random.normal(size=shape).astype("float32"))
    steps = [
        lambda y: raw().AddV2(x=y, y=other),
        lambda y: raw().Add(x=y, y=other),
        lambda y: raw().SelectV2(condition=y > 0.25, t=y, e=other),
        lambda y: raw().Select(condition=y > 0.25, x=other, y=y),
        lambda y: raw().GatherV2(params=y, indices=random.permutation(shape[0]).astype("int32"), axis=0),
        lambda y: raw().Div(x=y, y=tf().abs(other) + 1.0),
        lambda y: raw().BatchMatMulV2(x=y, y=raw().BatchMatMul(x=y, y=other, adj_x=True)) / 16.0,
        lambda y: y * tf().sigmoid(y),
        lambda y: y * tf().nn.relu6(y + 3.0) * (1 / 6),
        lambda y: tf().nn.softmax(y),
        lambda y: spelled_softmax(y, -1),
    ]
    for place in random.permutation(len(steps)):
        x = steps[place](x)
    return x


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("rule", "reverse"),
    [
        ("older-ops", "newer-ops"), ("newer-ops", "older-ops"), ("spell-out-softmax", "fuse-softmax"),
        ("fuse-softmax", "spell-out-softmax"), ("fuse-hard-swish", "spell-out-swish"),
        ("spell-out-swish", "fuse-swish"),
    ],
)  # fmt: skip
def test_a_rule_and_its_reverse_give_back_the_numbers(tmp_path: Path, rule: str, reverse: str, seed: int) -> None:
    dims = np.random.default_rng(seed).integers(2, 6, 3)
    x = normal(*map(int, dims))
    before, after, _, count = replaced(tmp_path, lambda x: mixed(x, np.random.default_rng(100 + seed)), [x], rule)
    assert count >= 1
    np.testing.assert_allclose(before, after, rtol=1e-5, atol=2e-6)
    model = graphsurgeon.read(tmp_path / "b.pb")
    assert len(replace(model, rule_set(reverse).rules).replaced) >= (1 if "swish" not in reverse else 0)
    graphsurgeon.write(model, tmp_path / "c.pb")
    np.testing.assert_allclose(before, run(tmp_path / "c.pb", [x]), rtol=1e-5, atol=2e-6)


def layer_norm_chain(x: Any) -> Any:
    return layer_norm_of_keras_3(layer_norm_of_keras_2(x))


# a rule, its reverse, what both are tried on, and how many of it each finds
PAIRS: list[tuple[str, str, Callable[[Any], Any], int, int]] = [
    ("spell-out-swish", "fuse-swish", lambda x: x * tf().sigmoid(x), 1, 1),
    ("fuse-swish", "spell-out-swish", lambda x: raw().IdentityN(input=[x * tf().sigmoid(x), x])[0], 1, 1),
    ("spell-out-swish", "fuse-hard-swish", lambda x: x * (tf().nn.relu6(x + 3) * 0.16666667), 1, 1),
    ("fuse-hard-swish", "spell-out-swish", lambda x: x * (tf().nn.relu6(x + 3) / 6), 1, 1),
    ("spell-out-gelu", "fuse-gelu", lambda x: 0.5 * x * (tf().math.erf(x * 0.70710677) + 1.0), 1, 1),
    ("fuse-gelu", "spell-out-gelu", lambda x: 0.5 * x * tf().math.erfc(-x * 0.70710677), 1, 1),
    ("fuse-gelu", "spell-out-gelu",
     lambda x: 0.5 * x * (1.0 + tf().tanh(0.7978846 * (x + 0.044715 * tf().pow(x, 3.0)))), 1, 1),
    ("spell-out-gelu", "fuse-gelu",
     lambda x: 0.5 * x * (1.0 + tf().tanh(0.7978846 * (x + 0.044715 * (x * (x * x))))), 1, 1),
    ("spell-out-softmax", "fuse-softmax", lambda x: tf().nn.softmax(x), 1, 1),
    ("fuse-softmax", "spell-out-softmax", lambda x: spelled_softmax(x, -1), 1, 1),
    ("spell-out-layer-norm", "fuse-layer-norm", layer_norm_chain, 1, 1),
    ("fuse-layer-norm", "spell-out-layer-norm", layer_norm_chain, 1, 1),
]  # fmt: skip


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("number", range(len(PAIRS)))
def test_a_construct_and_its_reverse_give_back_the_numbers(tmp_path: Path, number: int, seed: int) -> None:
    rule, reverse, build, there, back = PAIRS[number]
    x = np.random.default_rng(seed).normal(size=FLAT.shape).astype("float32") * (1 + seed)
    before, after, _, count = replaced(tmp_path, build, [x], rule)
    assert count == there
    np.testing.assert_allclose(before, after, rtol=1e-5, atol=2e-6)
    model = graphsurgeon.read(tmp_path / "b.pb")
    assert len(replace(model, rule_set(reverse).rules).replaced) == back
    graphsurgeon.write(model, tmp_path / "c.pb")
    np.testing.assert_allclose(before, run(tmp_path / "c.pb", [x]), rtol=1e-5, atol=2e-6)


def test_every_fusing_rule_has_its_reverse() -> None:
    tried = {name for rule, reverse, *_ in PAIRS for name in (rule, reverse)} | {"fuse-tflite", "spell-out-tflite"}
    assert {name for name in rule_names() if name.startswith(("fuse-", "spell-out-"))} == tried
