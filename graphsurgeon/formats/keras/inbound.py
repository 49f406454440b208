"""How a configuration says what each layer reads: lists in Keras 1 and 2, arguments of calls in Keras 3."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphsurgeon.formats.keras.lift import is_model, shifts_of_model

_ARGUMENTS = {  # of layers that take several tensors one by one
    "MultiHeadAttention": ("query", "value", "key"),
    "GroupQueryAttention": ("query", "value", "key"),
    "LSTM": ("inputs", "initial_state"), "GRU": ("inputs", "initial_state"), "SimpleRNN": ("inputs", "initial_state"),
}  # fmt: skip
_RECURRENT = ("LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional", "ConvLSTM2D")
_DEEPEST = 30  # lists in lists


def renumbered(model: dict[str, Any], first: int) -> list[str]:
    """Count the calls of models inside a model from `first` (0 or 1); return the models for which this is new."""
    layers = _layers(model)
    inside = [layer for layer in layers if is_model(layer) and isinstance(layer.get("name"), str)]
    if not inside:
        return []
    shifts = shifts_of_model(model)
    wanted = {layer["name"]: first - shifts.get(layer["name"], 0) for layer in inside if layer.get("inbound_nodes")}
    moves = {name: by for name, by in wanted.items() if by}
    if not moves:
        return []
    config = model["config"]
    places = [layer.get("inbound_nodes") for layer in layers]
    for reference in _references([*places, config.get("input_layers"), config.get("output_layers")], 0):
        if reference[0] in moves:
            reference[1] = max(0, reference[1] + moves[reference[0]])
    return list(moves)


def legacy_nodes(model: dict[str, Any]) -> tuple[int, list[tuple[str, str]]]:
    """Write the calls of a model's layers as lists; return how many, and (layer, what) of those that are none."""
    changed, refused = 0, []
    for layer in _layers(model):
        calls = layer.get("inbound_nodes")
        for number, call in enumerate(calls if isinstance(calls, list) else ()):
            if not isinstance(call, dict):
                continue
            listed = _as_list(str(layer.get("class_name")), call)
            if isinstance(listed, str):
                refused.append((str(layer.get("name")), listed))
            else:
                calls[number] = listed  # type: ignore[index]  # a list: see above
                changed += 1
    config = model.get("config")
    for key in ("input_layers", "output_layers"):
        ends = config.get(key) if isinstance(config, dict) else None
        if _is_reference(ends):
            config[key] = [ends]  # type: ignore[index]
    return changed, refused


def calls_with_arguments(model: dict[str, Any]) -> list[str]:
    """Write calls as Keras 3 does where lists would lose something: tensors as arguments, states of recurrent layers.

    Returns the layers.
    """
    found = []
    for layer in _layers(model):
        calls = layer.get("inbound_nodes")
        for number, call in enumerate(calls if isinstance(calls, list) else ()):
            fresh = _as_arguments(str(layer.get("class_name")), call) if isinstance(call, list) else None
            if fresh is not None:
                calls[number] = fresh  # type: ignore[index]  # a list: see above
                found.append(str(layer.get("name")))
    return list(dict.fromkeys(found))


def _as_arguments(kind: str, call: list[Any]) -> dict[str, Any] | None:
    """Return a call in the manner of Keras 3; None where a list says the same."""
    if not call or not all(_is_reference(item) for item in call):
        return None
    keywords: dict[str, Any] = {}
    for item in call:
        if len(item) > 3 and isinstance(item[3], dict):
            keywords |= item[3]
    has_state = kind in _RECURRENT and len(call) > 1
    has_tensors = any(_is_reference(value) or _holds_reference(value) for value in keywords.values())
    if not has_state and not has_tensors:
        return None
    tensors = [_keras_tensor(item) for item in call]
    keywords = {key: _with_tensors(value) for key, value in keywords.items()}
    if has_state:
        return {"args": tensors[:1], "kwargs": {**keywords, "initial_state": tensors[1:]}}
    return {"args": [tensors[0] if len(tensors) == 1 else tensors], "kwargs": keywords}


def _holds_reference(value: Any) -> bool:
    return isinstance(value, list) and any(_is_reference(item) for item in value)


def _with_tensors(value: Any) -> Any:
    if _is_reference(value):
        return _keras_tensor(value)
    return [_with_tensors(item) for item in value] if isinstance(value, list) else value


def _keras_tensor(reference: list[Any]) -> dict[str, Any]:
    """Return the object for a tensor; its shape is found anew when the layers are called."""
    config = {"shape": [None], "dtype": "float32", "keras_history": reference[:3]}
    return {"class_name": "__keras_tensor__", "config": config}


def _layers(model: dict[str, Any]) -> list[dict[str, Any]]:
    config = model.get("config")
    layers = config.get("layers") if isinstance(config, dict) else None
    return [layer for layer in layers if isinstance(layer, dict)] if isinstance(layers, list) else []


def _references(value: Any, depth: int) -> Iterator[list[Any]]:
    """Yield every `[layer, call, output, ...]`, to be changed in place."""
    if depth > _DEEPEST:
        return
    if _is_reference(value):
        yield value
        value = value[3:]
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _references(inner, depth + 1)


def _is_reference(value: Any) -> bool:
    if not isinstance(value, list) or len(value) < 3 or not isinstance(value[0], str):
        return False
    return all(isinstance(number, int) and not isinstance(number, bool) and number >= 0 for number in value[1:3])


def _as_list(kind: str, call: dict[str, Any]) -> list[Any] | str:
    """Return a call as Keras 2 writes it; a text says why there is no such form."""
    listed = call.get("args")
    arguments: list[Any] = listed if isinstance(listed, list) else []
    keywords = dict(call.get("kwargs") or {}) if isinstance(call.get("kwargs"), dict) else {}
    if not arguments and not keywords:
        return []
    names = _ARGUMENTS.get(kind, ())
    for name, value in zip(names[1:], arguments[1:], strict=False):
        keywords[name] = value
    if len(arguments) > max(1, len(names)) or not arguments:
        return f"a call of {kind} with {len(arguments)} arguments, which Keras 2 cannot say"
    # Keras 3 overrules `training` when the model is called, Keras 2 takes it as a decision.
    plain = {key: _plain(value) for key, value in keywords.items() if value is not None and key != "training"}
    first = _plain(arguments[0])
    if _is_reference(first):
        return [[*first, plain]]
    if isinstance(first, list) and all(_is_reference(item) for item in first):
        return [[*item, plain if number == 0 else {}] for number, item in enumerate(first)]
    return f"a call of {kind} with something else than tensors, which Keras 2 cannot say"


def _plain(value: Any, depth: int = 0) -> Any:
    """Return an argument with `[layer, call, output]` for each tensor."""
    if depth > _DEEPEST:
        return None
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        config = value.get("config")
        history = config.get("keras_history") if isinstance(config, dict) else None
        return list(history) if isinstance(history, list) else None
    if isinstance(value, list):
        return [_plain(item, depth + 1) for item in value]
    return {key: _plain(item, depth + 1) for key, item in value.items()} if isinstance(value, dict) else value
