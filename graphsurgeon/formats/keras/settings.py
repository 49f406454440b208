"""The settings of a layer as attributes: nested objects under dotted names, shapes as shapes, code as what it is."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from graphsurgeon.model.node import AttrValue, FunctionRef
from graphsurgeon.model.shape import Shape

_DEEPEST = 40  # objects in objects
_LEFT_OUT = frozenset({"name", "registered_name", "module", "shared_object_id", "build_config"})
Nested = Callable[[Mapping[str, Any], str], FunctionRef | None]


def settings(config: Mapping[str, Any], nested: Nested) -> dict[str, AttrValue]:
    """Return the settings of a layer by name; what is null is left out.

    An object such as an initializer is its class under its own name, and its settings behind it:
    `kernel_initializer`, `kernel_initializer.seed`. Text is bytes.

    Args:
        config: the `config` of the layer.
        nested: makes a reference to a function of an object that is a model, None of one that is not; is told the
            setting's name.
    """
    return dict(_flat("", config, nested, 0))


def _flat(prefix: str, config: Mapping[str, Any], nested: Nested, depth: int) -> Iterator[tuple[str, AttrValue]]:
    for key, value in config.items():
        name = f"{prefix}{key}"
        if value is None or (key in _LEFT_OUT and (not prefix or key != "name")):
            continue
        yield from _setting(name, value, nested, depth)


def _setting(name: str, value: Any, nested: Nested, depth: int) -> Iterator[tuple[str, AttrValue]]:
    if depth > _DEEPEST:
        yield name, b"..."
    elif isinstance(value, Mapping):
        yield from _object(name, value, nested, depth)
    elif isinstance(value, list):
        yield from _list(name, value, nested, depth)
    else:
        yield name, _scalar(value)


def _object(name: str, value: Mapping[str, Any], nested: Nested, depth: int) -> Iterator[tuple[str, AttrValue]]:
    kind = value.get("class_name")
    if not isinstance(kind, str):
        yield from _flat(f"{name}.", value, nested, depth + 1)
        return
    if kind == "__lambda__":
        yield name, code(value.get("config"))
        return
    if kind in ("__tuple__", "__set__") and isinstance(value.get("items"), list):
        yield from _list(name, value["items"], nested, depth)
        return
    reference = nested(value, name)
    config = value.get("config")
    if kind == "DTypePolicy" and isinstance(config, Mapping) and isinstance(config.get("name"), str):
        yield name, config["name"].encode()
        return
    yield name, kind.encode() if reference is None else reference
    if isinstance(config, Mapping) and reference is None:
        yield from _flat(f"{name}.", config, nested, depth + 1)
    elif isinstance(config, str):  # a function or class by its name
        yield f"{name}.config", config.encode()


def _list(name: str, value: list[Any], nested: Nested, depth: int) -> Iterator[tuple[str, AttrValue]]:
    if name.endswith("function") and value and isinstance(value[0], str) and _is_code(value[0]):
        yield name, code(value[0])
        return
    if all(item is None or _is_integer(item) for item in value) and (None in value or name.endswith("shape")):
        yield name, Shape(value)
    elif any(isinstance(item, Mapping | list) and not _is_plain(item) for item in value):
        for number, item in enumerate(value):
            yield from _setting(f"{name}.{number}", item, nested, depth + 1)
    else:
        yield name, [_plain(item) for item in value]


def code(value: Any) -> bytes:
    """Return the code of a Python function as stored: marshalled, of one version of Python, and never run here."""
    if isinstance(value, Mapping):
        value = value.get("code")
    if not isinstance(value, str):
        return b""
    try:
        return base64.b64decode(value.encode("ascii", "replace"))
    except (binascii.Error, ValueError):
        return value.encode("utf-8", "surrogatepass")


def _is_code(text: str) -> bool:
    """Tell marshalled code from the name of a function."""
    return len(text) > 40 and not text.isidentifier()


def _is_integer(item: Any) -> bool:
    return isinstance(item, int) and not isinstance(item, bool)


def _is_plain(item: Any, depth: int = 0) -> bool:
    """Say whether something is a number, text, or lists of them."""
    if isinstance(item, list):
        return depth < _DEEPEST and all(_is_plain(one, depth + 1) for one in item)
    return not isinstance(item, Mapping) and item is not None


def _plain(item: Any) -> AttrValue:
    return [_plain(one) for one in item] if isinstance(item, list) else _scalar(item)


def _scalar(value: Any) -> AttrValue:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    return value if isinstance(value, bool | int | float) else b"null"
