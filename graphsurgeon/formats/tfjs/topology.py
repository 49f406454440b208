"""The JSON of a TensorFlow.js model: loaded with care, and parts of it as messages of TensorFlow."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from graphsurgeon.disk.files import SourceFile
from graphsurgeon.errors import FormatError, plural
from graphsurgeon.formats import schema
from graphsurgeon.formats.tfjs.weights import Shards

_MOST_JSON = 256 << 20  # bytes; topologies take kilobytes, weights lie elsewhere


def load(source: SourceFile) -> dict[str, Any]:
    """Return the object that a file of JSON holds.

    Raises:
        FormatError: it is no JSON object, or an absurdly large one.
    """
    content = load_any(source)
    if not isinstance(content, dict):
        raise FormatError("the JSON is no object", path=source.path)
    return content


def load_any(source: SourceFile) -> Any:
    """Return what a file of JSON holds. Raises as `load`."""
    import json

    if source.size > _MOST_JSON:
        raise FormatError(f"{source.size >> 20} MB of JSON", path=source.path)
    try:
        return json.loads(source.read_at(0, source.size))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"no valid JSON: {' '.join(str(error).split())[:200]}", path=source.path) from error


def parse(content: Mapping[str, Any], message: Any) -> None:
    """Fill a message of TensorFlow from its JSON form; what the message does not have is passed over.

    Raises:
        FormatError: a field has a value that it cannot have.
    """
    from google.protobuf import json_format

    try:
        json_format.ParseDict(_with_bytes(content), message, ignore_unknown_fields=True, descriptor_pool=schema.pool())
    except (json_format.ParseError, RecursionError, ValueError, TypeError, AttributeError) as error:
        name = message.DESCRIPTOR.name
        raise FormatError(f"no valid {name} in JSON: {' '.join(str(error).split())[:200]}") from error


def missing_shards(shards: Shards) -> list[str]:
    """Return a note about shards that cannot be had, if there are any."""
    missing = shards.missing()
    if not missing:
        return []
    verb = "is" if len(missing) == 1 else "are"
    return [f"{plural(len(missing), 'shard')} of weights {verb} missing: {', '.join(missing[:3])}"]


def _with_bytes(value: Any) -> Any:
    """Return JSON in which strings of attributes given as lists of codes, as some loaders store them, are base64."""
    if isinstance(value, Mapping):
        return {key: _codes(item) if key == "s" else _with_bytes(item) for key, item in value.items()}
    return [_with_bytes(item) for item in value] if isinstance(value, list) else value


def _codes(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    if value and all(isinstance(item, int) and 0 <= item < 256 for item in value):
        return base64.b64encode(bytes(value)).decode()
    return [_codes(item) for item in value]
