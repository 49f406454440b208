"""Checkpoints of objects are cut and renamed by the paths that `tf.train.Checkpoint.restore` follows."""

from __future__ import annotations

from itertools import pairwise

import pytest

from graphsurgeon import UsageError
from graphsurgeon.analysis.stored_weights.variables import names_of_variables
from graphsurgeon.formats import registry
from graphsurgeon.model.checkpoint import Checkpoint, Variable
from graphsurgeon.model.dtype import FLOAT32
from graphsurgeon.model.model import Model
from graphsurgeon.model.objects import ObjectGraph, ObjectNode, path_names, path_text
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.surgery.extract import extract
from graphsurgeon.surgery.rename import rename

END = "/.ATTRIBUTES/VARIABLE_VALUE"
KERNEL = f"optimizer/_trainable_variables/0{END}"
MOMENTUM = f"optimizer/_momentums/0{END}"
COUNTER = f"save_counter{END}"


def tree(**children: ObjectNode) -> ObjectNode:
    node = ObjectNode("")
    node.children = list(children.items())
    return node


def leaf(key: str, full_name: str) -> ObjectNode:
    node = ObjectNode("")
    node.attributes = [("VARIABLE_VALUE", full_name, key)]
    return node


def keras_like() -> Model:
    """A model beside its optimizer: the shortest path gives the key, so the kernel lies under the optimizer."""
    kernel, momentum, counter = leaf(KERNEL, "net/dense/kernel"), leaf(MOMENTUM, "adam/m"), leaf(COUNTER, "counter")
    dense = tree(_kernel=kernel)
    lists = tree(**{"0": kernel}), tree(**{"0": momentum})
    model = tree(dense=dense, also=dense)
    dense.children.append(("parent", model))  # a cycle, as in tf_keras
    optimizer = tree(_trainable_variables=lists[0], _momentums=lists[1])
    optimizer.slots = [(kernel, "m", momentum)]
    root = tree(model=model, optimizer=optimizer, save_counter=counter)
    nodes = [root, model, optimizer, dense, *lists, kernel, momentum, counter]
    keys = [KERNEL, MOMENTUM, COUNTER]
    checkpoint = Checkpoint("x", 2, {key: Variable(key, Tensor.of(FLOAT32, (1,), [1.0])) for key in keys})
    checkpoint.objects = ObjectGraph(nodes, [])
    model_file = Model(registry.CHECKPOINT, "x")
    model_file.checkpoint = checkpoint
    return model_file


def objects_of(model: Model) -> ObjectGraph:
    assert model.checkpoint is not None
    assert model.checkpoint.objects is not None
    return model.checkpoint.objects


def test_a_variable_goes_by_its_key_its_paths_and_its_name() -> None:
    checkpoint = keras_like().checkpoint
    assert checkpoint is not None
    assert names_of_variables(checkpoint)[KERNEL] == {
        KERNEL, "optimizer/_trainable_variables/0", "model/dense/_kernel", "model/also/_kernel", "net/dense/kernel",
    }  # fmt: skip


@pytest.mark.parametrize("pattern", ["model/*", "model/dense/_kernel", "net/*", KERNEL])
def test_any_name_chooses_and_what_goes_loses_its_edges(pattern: str) -> None:
    model = keras_like()
    report = extract(model, match=[pattern])
    assert report.variables == [KERNEL, COUNTER]
    assert report.notes
    objects = objects_of(model)
    paths = {path_text(name for _, name in way) for ways in objects.ways().values() for way in ways}
    assert {"optimizer/_momentums", "optimizer/_trainable_variables/0"} <= paths
    assert "optimizer/_momentums/0" not in paths
    assert not any(node.slots for node in objects.nodes)


def test_names_of_children_are_escaped_as_in_keys() -> None:
    """`escape_local_name` of TensorFlow: a slash is `.S`, a dot two."""
    assert path_text(["a", "b/c", ".x.S"]) == "a/b.Sc/..x..S"
    assert path_names("a/b.Sc/..x..S") == ["a", "b/c", ".x.S"]


def test_ways_are_bounded() -> None:
    """Thirty diamonds on end have 2**30 ways."""
    nodes = [ObjectNode("") for _ in range(31)]
    for one, following in pairwise(nodes):
        one.children = [("l", following), ("r", following)]
    assert max(map(len, ObjectGraph(nodes, []).ways().values())) <= 32


def paths_of(model: Model) -> set[str]:
    ways = objects_of(model).ways().values()
    return {path_text(name for _, name in way) for of_one in ways for way in of_one}


@pytest.mark.parametrize(
    ("names", "path"),
    [
        ({"model/": "encoder/"}, "encoder/dense/_kernel"),
        ({"model/": "a/b/"}, "a/b/dense/_kernel"),
        ({"model/dense/": "dense/", "model/also/": "also/"}, "dense/_kernel"),
        ({"model/dense/_kernel": "model/dense/weights"}, "model/also/weights"),  # one edge has both paths
    ],
)
def test_renaming_a_path_renames_edges_and_leaves_keys_of_other_paths(names: dict[str, str], path: str) -> None:
    model = keras_like()
    rename(model, names)
    assert path in paths_of(model)
    assert not paths_of(model) & {*names, *(f"{old}_kernel" for old in names)}
    assert model.checkpoint is not None
    assert set(model.checkpoint.variables) == {KERNEL, MOMENTUM, COUNTER}


def test_a_key_that_shows_a_path_follows_it() -> None:
    model = keras_like()
    rename(model, {"optimizer/": "adam/"})
    assert model.checkpoint is not None
    assert set(model.checkpoint.variables) == {
        KERNEL.replace("optimizer", "adam"),
        MOMENTUM.replace("optimizer", "adam"),
        COUNTER,
    }
    assert {"adam/_momentums/0", "model/dense/_kernel"} <= paths_of(model)


@pytest.mark.parametrize("names", [{"model/": "optimizer/"}, {"model/": "//"}, {"model/nosuch": "x"}])
def test_taken_and_unknown_paths_change_nothing(names: dict[str, str]) -> None:
    model = keras_like()
    with pytest.raises(UsageError):
        rename(model, names)
    assert paths_of(model) == paths_of(keras_like())
    assert model.checkpoint is not None
    assert set(model.checkpoint.variables) == {KERNEL, MOMENTUM, COUNTER}


def test_edges_that_change_with_others_are_told() -> None:
    [note] = rename(keras_like(), {"model/dense/_kernel": "model/dense/weights"}).notes
    assert "model/also/_kernel" in note


def test_a_program_name_alone_is_renamed_where_v1_savers_look() -> None:
    model = keras_like()
    rename(model, {"net/dense/kernel": "kernel"})
    [kernel] = [node for node in objects_of(model).nodes if any(key == KERNEL for _, _, key in node.attributes)]
    assert kernel.attributes == [("VARIABLE_VALUE", "kernel", KERNEL)]
    assert paths_of(model) == paths_of(keras_like())


def test_a_prefix_put_before_paths_and_cut_off_again_leaves_nothing_behind() -> None:
    model = keras_like()
    rename(model, prefix="zz/")
    assert "zz/model/dense/_kernel" in paths_of(model)
    rename(model, strip_prefix="zz/")
    assert paths_of(model) == paths_of(keras_like())
    assert len(objects_of(model).nodes) == len(objects_of(keras_like()).nodes)


def test_a_path_that_becomes_shorter_leaves_no_empty_object() -> None:
    model = keras_like()
    rename(model, {"model/": "wrap/inner/"})
    rename(model, {"wrap/inner/": "head/"})
    assert {name for name, _ in objects_of(model).root.children} == {"head", "optimizer", "save_counter"}
