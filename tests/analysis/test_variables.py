"""Names and kinds of checkpoint entries."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsurgeon import read
from graphsurgeon.analysis.stored_weights.variables import named_variables, slot_keys
from graphsurgeon.model.checkpoint import Checkpoint, Variable
from graphsurgeon.model.dtype import FLOAT32
from graphsurgeon.model.tensor import Tensor


def checkpoint(**shapes: tuple[int, ...]) -> Checkpoint:
    return Checkpoint("x", 2, {key: Variable(key, Tensor.of(FLOAT32, shape, [])) for key, shape in shapes.items()})


@pytest.mark.parametrize(
    ("key", "shape", "is_slot"),
    [
        ("dense/kernel/Adam", (4, 3), True),
        ("dense/kernel/Adam_1", (4, 3), True),
        ("train/dense/kernel/Adam", (4, 3), True),  # the optimizer stood in a variable scope
        ("dense/kernel/my_optimizer", (4, 3), True),  # AdamOptimizer(name="my_optimizer")
        ("dense/kernel/slot_vr", (4,), True),  # Adafactor keeps rows and columns
        ("dense/kernel/slot_vc", (3,), True),
        ("dense/kernel_slot_v", (4, 3), True),  # mesh-tensorflow's, T5's
        ("dense/kernel_slot_vr", (4,), True),
        ("dense/kernel_slot_vc", (3,), True),
        ("dense/kernel_slot_m", (4, 3), True),
        ("dense/kernel_slot_v", (9, 9), False),
        ("dense/kernel_slot_vr", (5,), False),
        ("dense/bias_slot_v", (4, 3), False),  # there is no such variable
        ("dense/kernel/Adam", (9, 9), False),  # a layer of that name
        ("other/Adam", (4, 3), False),
        ("dense/kernel/ExponentialMovingAverage", (4, 3), False),
        ("dense/kernel/ExponentialMovingAverage_1", (4, 3), False),
        ("beta1_power", (), False),
        ("layer/kernel/.OPTIMIZER_SLOT/optimizer/m/.ATTRIBUTES/VARIABLE_VALUE", (4, 3), True),
        ("optimizer/_variables/2/.ATTRIBUTES/VARIABLE_VALUE", (4, 3), True),
        ("optimizer/_variables/0/.ATTRIBUTES/VARIABLE_VALUE", (), False),  # iteration
        ("optimizer/_trainable_variables/0/.ATTRIBUTES/VARIABLE_VALUE", (4, 3), False),  # the model's own
        ("layers/0/kernel/.ATTRIBUTES/VARIABLE_VALUE", (4, 3), False),
    ],
)
def test_slots(key: str, shape: tuple[int, ...], is_slot: bool) -> None:
    assert (key in slot_keys(checkpoint(**{"dense/kernel": (4, 3), key: shape}))) is is_slot


@pytest.mark.parametrize(
    ("key", "is_slot"),
    [
        ("train/opt/_variables/2", True),
        ("train/opt/_momentums/0", True),
        ("train/opt/_trainable_variables/0", False),
        ("train/optics/_variables/2", False),
        ("train/dense/kernel", False),
    ],
)
def test_optimizers_are_known_by_their_steps(key: str, is_slot: bool) -> None:
    """As in `tf.train.Checkpoint(opt=optimizer)`."""
    end = "/.ATTRIBUTES/VARIABLE_VALUE"
    assert (key + end in slot_keys(checkpoint(**{f"train/opt/_iterations{end}": (), key + end: (4, 3)}))) is is_slot


def test_names_of_object_keys_come_from_the_object_graph(fixtures_dir: Path) -> None:
    model = read(fixtures_dir / "savedmodel" / "keras_export")
    assert model.checkpoint is not None
    names = {named.key: named.name for named in named_variables(model.checkpoint)}
    assert all(name and ".ATTRIBUTES" not in name for name in names.values())


def test_names_without_object_graph_come_from_the_restore_path(fixtures_dir: Path) -> None:
    model = read(fixtures_dir / "savedmodel" / "keras_export")
    assert model.checkpoint is not None
    model.checkpoint.objects = None
    assert all(named.name is None for named in named_variables(model.checkpoint))
    names = [named.name for named in named_variables(model.checkpoint, model) if named.name is not None]
    assert "stem/kernel_1" in names  # the handle's own name, which the export has numbered
    assert len(set(names)) == len(names)


def test_plain_keys_are_names() -> None:
    [named] = named_variables(checkpoint(**{"conv/weights": (1,)}))
    assert (named.name, named.label, named.kind) == ("conv/weights", "conv/weights", "variable")


def test_slots_of_keras_below_the_scope_of_training() -> None:
    """As Estimators with optimizers of Keras name them, in a public model of TFX."""
    keys = {
        "dnn/hidden_0/kernel": (3, 4),
        "training/Adagrad/dnn/hidden_0/kernel/accumulator": (3, 4),
        "linear/bias": (1,),
        "training/Ftrl/linear/bias/linear": (1,),
        "training/Ftrl/iter": (),
        "training/Adagrad/other/accumulator": (3, 4),
        "m": (2,),
        "dnn/m": (2,),
    }
    assert slot_keys(checkpoint(**keys)) == {
        "training/Adagrad/dnn/hidden_0/kernel/accumulator",
        "training/Ftrl/linear/bias/linear",
    }
