"""TFLite models as nested Python values, through the schema module that LiteRT's package ships."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np


@cache
def generated() -> Any:
    """Return the generated module, without importing the package around it."""
    package = importlib.util.find_spec("ai_edge_litert")
    assert package is not None
    assert package.origin is not None
    spec = importlib.util.spec_from_file_location(
        "generated_tflite_schema", Path(package.origin).with_name("schema_py_generated.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def model(data: bytes) -> Any:
    """Return the `ModelT` of a file."""
    schema = generated()
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))


def tree(data: bytes) -> dict[str, Any]:
    """Return all that a file says as dicts and lists; data behind the FlatBuffer stands where it belongs."""
    found: dict[str, Any] = _plain(model(data), data)
    return found


def pack(model: Any) -> bytes:
    """Return the file of a `ModelT`."""
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _plain(item: Any, data: bytes) -> Any:
    if isinstance(item, np.ndarray):
        return item.tolist()
    if isinstance(item, list):
        return [_plain(inner, data) for inner in item]
    if not hasattr(item, "__dict__"):
        return item
    found = {key: _plain(value, data) for key, value in vars(item).items()}
    name = type(item).__name__
    if name == "BufferT" and item.offset > 1:
        found |= {"data": list(data[item.offset : item.offset + item.size]), "offset": "behind"}
    if name == "OperatorT" and item.largeCustomOptionsOffset > 1:
        start = item.largeCustomOptionsOffset
        found |= {"customOptions": list(data[start : start + item.largeCustomOptionsSize])}
        found["largeCustomOptionsOffset"] = "behind"
    return found
