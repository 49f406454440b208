"""Rewrite the configuration of a Keras model so that another release loads it: the JSON alone, no weight is touched.

What each release refuses is data (`rules`); what cannot be said as "drop this key" is here, a function each.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphsurgeon.formats.keras import training
from graphsurgeon.formats.keras.inbound import calls_with_arguments, legacy_nodes, renumbered
from graphsurgeon.formats.keras.lift import is_model
from graphsurgeon.formats.keras.rules import ReleaseRule, Target, rules_for

_DEEPEST = 60  # layers in layers, two steps each; Python's JSON stops at a thousand
_POLICIES = ("Policy", "PolicyV1", "DTypePolicy", "LossScaleOptimizerPolicy")


@dataclass(frozen=True)
class Note:
    """Something that a release does not take as it is.

    Attributes:
        where: the layer, `optimizer`, or `model`.
        what: the key or class, and its value.
        edit: what is done about it; empty if nothing can be done.
        since: the release that it comes from.
    """

    where: str
    what: str
    edit: str
    since: str


@dataclass
class Mended:
    """A configuration for another release.

    Attributes:
        config, training: as they are to be written; `training` is None where there is none.
        changes: what was changed.
        obstacles: what no change of the JSON can help.
    """

    config: dict[str, Any]
    training: dict[str, Any] | None
    changes: list[Note] = field(default_factory=list)
    obstacles: list[Note] = field(default_factory=list)

    def changed(self, where: str, what: str, edit: str, since: str) -> None:
        """Note a change."""
        self.changes.append(Note(where, what, edit, since))

    def refused(self, where: str, what: str, since: str) -> None:
        """Note something that cannot be helped."""
        self.obstacles.append(Note(where, what, "", since))


def mend(
    config: Mapping[str, Any], training_config: Mapping[str, Any] | None, target: Target, version: str = ""
) -> Mended:
    """Return a configuration as a release wants it; the given one is not changed.

    Args:
        config: the object with `class_name` and `config`.
        training_config: how the model was compiled, None where the file does not say.
        target: the release.
        version: of the Keras that wrote the model; where it is empty its JSON says enough.
    """
    same = (target == "keras-3") == is_of_keras_3(config, version)
    mended = Mended(json.loads(json.dumps(config)), json.loads(json.dumps(training_config)))
    objects = list(_objects("model", mended.config, 0))
    for where, item in objects:
        for rule in rules_for(target):
            if rule.do != "differs" or not same:
                _apply(mended, rule, where, item)
    for step in _STEPS[target]:
        step(mended, objects)
    if mended.training is not None:
        for what, edit, since in training.mend(mended.training, target):
            mended.changed("training_config", what, edit, since)
    return mended


def is_of_keras_3(config: Mapping[str, Any], version: str = "") -> bool:
    """Say whether Keras 3 wrote a configuration; without a version its way to write shapes and dtypes tells."""
    if version[:1].isdigit():
        return version.startswith("3.")
    objects = [item for _, item in _objects("", config, 0)]
    configs = [item["config"] for item in objects if isinstance(item.get("config"), dict)]
    policies = (one["dtype"] for one in configs if isinstance(one.get("dtype"), dict))
    is_new = any(policy.get("class_name") == "DTypePolicy" for policy in policies)
    return is_new or any("batch_shape" in one for one in configs)


def _objects(where: str, value: Any, depth: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every object of a configuration that has a class, with the name of the layer it belongs to."""
    if depth > _DEEPEST:
        return
    if isinstance(value, dict):
        if isinstance(value.get("class_name"), str) and value["class_name"] != "__keras_tensor__":
            config = value.get("config")
            name = config.get("name") if isinstance(config, dict) else None
            where = name if isinstance(name, str) else where
            yield where, value
        for inner in value.values():
            yield from _objects(where, inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _objects(where, inner, depth + 1)


def _apply(mended: Mended, rule: ReleaseRule, where: str, item: dict[str, Any]) -> None:
    kind = item["class_name"]
    if rule.classes and kind not in rule.classes:
        return
    if rule.do == "refuse":
        mended.refused(where, f"layer {kind}", rule.since)
        return
    config = item.get("config")
    if isinstance(config, dict):
        for key in rule.keys:
            if key in config:
                _apply_to_key(mended, rule, where, kind, config, key)


def _apply_to_key(mended: Mended, rule: ReleaseRule, where: str, kind: str, config: dict[str, Any], key: str) -> None:
    value = config[key]
    shown = f"{key}: {json.dumps(value)[:60]}"
    is_named = rule.values is None or any(type(value) is type(one) and value == one for one in rule.values)
    if rule.do == "differs":
        if is_named:
            mended.refused(where, f"{shown} ({kind}), which computes something else there", rule.since)
    elif not is_named:
        mended.refused(where, f"{shown} ({kind})", rule.since)
    elif rule.do == "rename":
        config[rule.new] = config.pop(key)
        mended.changed(where, f"{shown} ({kind})", f"renamed to {rule.new}", rule.since)
    else:
        del config[key]
        mended.changed(where, f"{shown} ({kind})", "dropped", rule.since)


# -- what is more than a key -------------------------------------------------------------------------------

_Objects = list[tuple[str, dict[str, Any]]]


def _policies(mended: Mended, objects: _Objects) -> None:
    """Write dtypes as words: the classes of policies have had other names in each release."""
    for where, item in objects:
        config = item.get("config")
        policy = config.get("dtype") if isinstance(config, dict) else None
        inner = policy.get("config") if isinstance(policy, dict) and policy.get("class_name") in _POLICIES else None
        if isinstance(config, dict) and isinstance(inner, dict) and isinstance(inner.get("name"), str):
            config["dtype"] = inner["name"]
            kind = policy["class_name"]  # type: ignore[index]  # it has a class: see above
            mended.changed(where, f"dtype: {kind}", f'"{inner["name"]}"', "the class of policies has changed its name")


def _sequential_inputs(mended: Mended, objects: _Objects) -> None:
    """Give a Sequential model an InputLayer, which it had as a key of its first layer."""
    for where, item in objects:
        config = item.get("config")
        layers = config.get("layers") if isinstance(config, dict) else config
        if item["class_name"] != "Sequential" or not isinstance(layers, list) or not layers:
            continue
        first = layers[0] if isinstance(layers[0], dict) else {}
        own = first.get("config")
        if first.get("class_name") == "InputLayer" or is_model(first) or not isinstance(own, dict):
            continue
        shape = own.pop("batch_input_shape", None)
        if not isinstance(shape, list):
            continue
        name = f"{own.get('name', 'input')}_input"
        settings = {"batch_shape": shape, "dtype": _input_dtype(first, own), "sparse": False, "name": name}
        layers.insert(0, {"class_name": "InputLayer", "config": settings})
        mended.changed(where, f"batch_input_shape: {shape}", "an InputLayer in front", "Keras 3.0 ignores the key")


def _input_dtype(first: Mapping[str, Any], own: Mapping[str, Any]) -> str:
    """Return the dtype of what a first layer reads, which is that of the layer but for ids and half-precision."""
    dtype = own.get("dtype")
    return dtype if isinstance(dtype, str) and not dtype.startswith("mixed") else "float32"


def _first_call_is_0(mended: Mended, objects: _Objects) -> None:
    for where, item in objects:
        for name in renumbered(item, 0):
            mended.changed(where, f"calls of the model {name}", "counted from 0", "Keras 3.0 counts from 0")


def _first_call_is_1(mended: Mended, objects: _Objects) -> None:
    for where, item in objects:
        for name in renumbered(item, 1):
            mended.changed(where, f"calls of the model {name}", "counted from 1", "Keras 3.0 counts from 0")


def _calls_as_lists(mended: Mended, objects: _Objects) -> None:
    """Write what layers read as lists, where Keras 3 writes the arguments of calls."""
    for where, item in objects:
        changed, refused = legacy_nodes(item)
        if changed:
            mended.changed(where, f"arguments of {changed} calls", "lists of layers", "Keras 3.0 writes them")
        for layer, what in refused:
            mended.refused(layer, what, "Keras 3.0 writes it")


def _state_arguments(mended: Mended, objects: _Objects) -> None:
    """Write what layers read beside their first input as arguments of the call: lists lose it in Keras 3."""
    for where, item in objects:
        for layer in calls_with_arguments(item):
            mended.changed(where, f"further inputs of {layer}", "arguments of the call", "Keras 3.0 reads them so")


def _reset_after(mended: Mended, objects: _Objects) -> None:
    """Say what a GRU without the setting meant: the default has changed since."""
    for where, item in objects:
        config = item.get("config")
        if item["class_name"] in ("GRU", "GRUCell") and isinstance(config, dict) and "reset_after" not in config:
            config["reset_after"] = False
            mended.changed(where, "reset_after is missing", "false", "its default is true since TensorFlow 2.0")


def _attention_shapes(mended: Mended, objects: _Objects) -> None:
    """Add the keys that Keras 2 asks for, without a value."""
    for where, item in objects:
        config = item.get("config")
        if item["class_name"] == "MultiHeadAttention" and isinstance(config, dict) and "query_shape" not in config:
            config |= {"query_shape": None, "key_shape": None, "value_shape": None}
            mended.changed(where, "query_shape and others are missing", "null", "Keras 3.0 does not write them")


def _lambdas(mended: Mended, objects: _Objects) -> None:
    """Write the code of a Lambda layer where Keras 2 looks for it; it stays what it is, of one version of Python."""
    for where, item in objects:
        config = item.get("config")
        function = config.get("function") if isinstance(config, dict) else None
        inner = function.get("config") if isinstance(function, dict) else None
        if item["class_name"] == "Lambda" and isinstance(config, dict) and isinstance(inner, dict) and "code" in inner:
            config["function"] = [inner["code"], inner.get("defaults"), inner.get("closure")]
            config |= {"function_type": "lambda", "module": None, "output_shape_type": "raw"}
            config |= {"output_shape": None, "output_shape_module": None, "arguments": config.get("arguments") or {}}
            mended.changed(where, "function: __lambda__", "a list with the code", "Keras 3.0 writes it")


def _model_class(mended: Mended, objects: _Objects) -> None:
    for where, item in objects:
        if item["class_name"] == "Functional":
            item["class_name"] = "Model"
            mended.changed(where, "class Functional", "Model", "TensorFlow 2.4 writes it")


_Step = Callable[[Mended, _Objects], None]
_FOR_2: tuple[_Step, ...] = (_policies, _calls_as_lists, _first_call_is_1, _attention_shapes, _lambdas)
_STEPS: dict[str, tuple[_Step, ...]] = {
    "keras-3": (_policies, _sequential_inputs, _first_call_is_0, _state_arguments, _reset_after),
    "keras-2": _FOR_2,
    "tf-2.2": (*_FOR_2, _model_class),
    "tf-1.15": (*_FOR_2, _model_class),
}
