"""Averages, casts and merges of checkpoints by hand-computed values; what TensorFlow says is in `tests/oracle/`."""

from __future__ import annotations

import pytest

from graphsurgeon.errors import UsageError
from graphsurgeon.formats import registry
from graphsurgeon.model.checkpoint import Checkpoint, Variable
from graphsurgeon.model.dtype import FLOAT32, INT64, DType
from graphsurgeon.model.model import Model
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.surgery import average, cast, merge


def model(**values: Tensor) -> Model:
    found = Model(registry.CHECKPOINT, "x")
    found.checkpoint = Checkpoint("x", 2, {key: Variable(key, tensor) for key, tensor in values.items()})
    return found


def floats(*items: float) -> Tensor:
    return Tensor.of(FLOAT32, (len(items),), items)


def items(one: Model, key: str) -> list[float]:
    assert one.checkpoint is not None
    return one.checkpoint.variables[key].tensor.items()


@pytest.mark.parametrize(
    ("given", "wanted"), [({}, 3.0), ({"weights": [3.0, 1.0, 0.0]}, 1.5), ({"decay": 0.5}, 4.25), ({"decay": 0.0}, 7.0)]
)
def test_means(given: dict[str, object], wanted: float) -> None:
    first, *others = (model(v=floats(value), n=Tensor.of(INT64, (), [int(value)])) for value in _THREE[wanted])
    report = average(first, others, **given)  # type: ignore[arg-type]
    assert items(first, "v") == [wanted]
    assert items(first, "n") == [int(_THREE[wanted][-1])]
    assert (report.averaged, report.taken_from_last) == (["v"], ["n"])


_THREE = {3.0: (1.0, 3.0, 5.0), 1.5: (1.0, 3.0, 9.0), 4.25: (1.0, 2.0, 7.0), 7.0: (1.0, 3.0, 7.0)}


@pytest.mark.parametrize(
    "given", [{"weights": [1.0]}, {"weights": [1.0, -1.0]}, {"decay": 1.0}, {"decay": 0.5, "weights": [1.0, 1.0]}]
)
def test_factors_that_make_no_sense(given: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        average(model(v=floats(1.0)), [model(v=floats(2.0))], **given)  # type: ignore[arg-type]


def test_another_shape_is_named() -> None:
    with pytest.raises(UsageError, match=r"v is float32 \[1\] in x, float32 \[2\] in x"):
        average(model(v=floats(1.0)), [model(v=floats(1.0, 2.0))])


def test_one_checkpoint_has_no_average() -> None:
    with pytest.raises(UsageError, match="several"):
        average(model(v=floats(1.0)), [])


def test_settings_of_an_optimizer_stay_and_weights_of_their_names_do_not() -> None:
    """A single number beside a learning rate is a setting; a vector that is called `decay`, and a slot, are weights."""
    ending = "/.ATTRIBUTES/VARIABLE_VALUE"
    rate, weight = Tensor.of(FLOAT32, (), [0.9]), floats(0.5, 0.25)
    settings = [f"opt/{name}{ending}" for name in ("learning_rate", "momentum", "weight_decay")] + ["SGD/beta1_power"]
    weights = [f"layer/decay{ending}", f"layer/w/.OPTIMIZER_SLOT/opt/momentum{ending}", f"layer/scale{ending}"]
    given = {**dict.fromkeys(settings, rate), **dict.fromkeys(weights, weight), weights[-1]: rate}
    assert {key for key, _ in cast(model(**given), dtype="bfloat16").cast} == set(weights)
    assert set(average(model(**given), [model(**given)]).averaged) == set(weights)


def test_integers_are_cast_where_they_are_named() -> None:
    one = model(v=floats(1.0, -3.0), w=floats(0.5), n=Tensor.of(INT64, (1,), [300]))
    cast(one, dtype="int8", match=["v"])
    assert items(one, "v") == [1, -3]
    with pytest.raises(UsageError, match="1 values of w are no number of int8"):
        cast(one, dtype="int8", match=["w"])
    with pytest.raises(UsageError, match="1 values of n are no number of int8"):
        cast(one, dtype="int8", match=["n"])
    with pytest.raises(UsageError, match="which variables"):
        cast(one, dtype="int8")


def test_nothing_changes_where_one_is_refused() -> None:
    one = model(a=floats(1.0), b=floats(1e6))
    with pytest.raises(UsageError, match="beyond the range"):
        cast(one, dtype="float16")
    assert one.checkpoint is not None
    assert one.checkpoint.variables["a"].tensor.dtype is FLOAT32


def test_infinities_stay(recwarn: pytest.WarningsRecorder) -> None:
    one = model(a=floats(float("inf"), float("-inf"), float("nan")))
    cast(one, dtype="bfloat16")
    assert [str(item) for item in items(one, "a")] == ["inf", "-inf", "nan"]
    assert one.checkpoint is not None
    assert one.checkpoint.variables["a"].tensor.dtype is DType.named("bfloat16")


def test_a_rule_for_names_of_both() -> None:
    with pytest.raises(UsageError, match="both have v"):
        merge(model(v=floats(1.0)), checkpoint=model(v=floats(2.0)))
    one = model(v=floats(1.0))
    assert merge(one, checkpoint=model(v=floats(2.0), w=floats(3.0)), keep="second").added == 2
    assert (items(one, "v"), items(one, "w")) == ([2.0], [3.0])
    one = model(v=floats(1.0))
    merge(one, checkpoint=model(v=floats(2.0)), prefix="b/")
    assert (items(one, "v"), items(one, "b/v")) == ([1.0], [2.0])
