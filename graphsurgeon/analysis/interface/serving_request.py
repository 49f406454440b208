"""Requests to TensorFlow Serving's REST interface that fit a signature: path and JSON body, with sample values.

Sources: `http_rest_api_util.cc` and `json_tensor.cc` of TensorFlow Serving. Predict takes rows ("instances")
where every input and the one output has a batch dimension, else columns ("inputs"). Classify and regress take the
features that the graph parses out of its examples.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import quote

from graphsurgeon.analysis.interface.composites import CompositePart, composite_parts
from graphsurgeon.analysis.interface.examples import Feature, parsed_features, serialize_example
from graphsurgeon.analysis.interface.serving import JSON_DTYPES, METHODS, serving_problems
from graphsurgeon.analysis.names import choose_metagraph, find_signature
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model.dtype import BOOL, STRING, DType
from graphsurgeon.model.format import TENSORFLOW
from graphsurgeon.model.metagraph import MetaGraph, Signature, SignatureEntry
from graphsurgeon.model.model import Model
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.ops.kinds import IMAGE_DECODERS

_MOST_DEFAULTS = 64  # elements of a default value that are written out
_BYTES_SUFFIX = "_bytes"  # by this ending the server tells bytes from text in its answers
# One black pixel.
_PNG = b"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mNgYGAAAAAEAAHI6uv5AAAAAElFTkSuQmCC"


class Filled(NamedTuple):
    """An array of one value, not written out: nested lists of the given lengths."""

    item: Any
    dims: tuple[int, ...] = ()

    @property
    def num_elements(self) -> int:
        """Product of the lengths."""
        count = 1
        for dim in self.dims:
            count *= dim
        return count

    def expand(self) -> Any:
        """Write the array out."""
        value = self.item
        for dim in reversed(self.dims):
            value = [value] * dim
        return value


@dataclass(frozen=True)
class ServingRequest:
    """A request that fits a signature.

    Attributes:
        signature: its key.
        path: where it is posted to.
        body: JSON with `Filled` in place of arrays.
        notes: what the samples stand for.
    """

    signature: str
    path: str
    body: dict[str, Any]
    notes: list[str] = field(default_factory=list)


def make_request(model: Model, key: str | None = None, *, tags: list[str] | None = None) -> ServingRequest:
    """Return a request to a signature; without a key to `serving_default`, or to the only one.

    Raises:
        UsageError: there is no such signature.
        UnsupportedError: the REST interface cannot ask it.
    """
    if model.traits.vocabulary != TENSORFLOW:
        raise UnsupportedError("TensorFlow Serving answers requests to SavedModels only")
    metagraph = choose_metagraph(model, tags)
    signature = find_signature(metagraph, key)
    problem = _problem(signature)
    if problem:
        raise UnsupportedError(f"signature {signature.key!r}: {problem}", hint="gs check --serving says more")
    method = next(verb for verb, name in METHODS.items() if name == signature.method)
    path = f"/v1/models/{quote(_served_name(model.path), safe='')}:{method}"
    notes: list[str] = []
    fill = _examples if method in ("classify", "regress") else _tensors
    body = {"signature_name": signature.key, **fill(metagraph, signature, notes)}
    return ServingRequest(signature.key, path, body, notes)


def _problem(signature: Signature) -> str:
    if signature.method not in METHODS.values():
        return f"its method is {signature.method!r}, which the server does not answer"
    if serving_problems(signature):
        return serving_problems(signature)[0]
    if not signature.inputs:
        return "it has no input, and the REST interface refuses such a signature (gRPC takes it)"
    for noun, entries in (("input", signature.inputs), ("output", signature.outputs)):
        for key, entry in entries.items():
            if entry.mention is None:
                return f"{noun} {key!r} is a sparse or composite tensor"
            if entry.dtype is None or entry.dtype.base.name not in JSON_DTYPES:
                return f"{noun} {key!r} is {entry.dtype}, which JSON requests cannot hold (gRPC can)"
    return ""


def _served_name(path: str) -> str:
    """Return the name that a server gives the model: that of the folder around the version."""
    folder = os.path.abspath(path)
    name = os.path.basename(folder)
    return os.path.basename(os.path.dirname(folder)) or "model" if name.isdecimal() else name


def _tensors(metagraph: MetaGraph, signature: Signature, notes: list[str]) -> dict[str, Any]:
    entries = [*signature.inputs.values(), *signature.outputs.values()]
    is_batched = all(entry.shape is not None and entry.shape.dims and entry.shape.dims[0] is None for entry in entries)
    # Rows are answered in rows, and of several outputs some may have no row for each of the input.
    parts = composite_parts(metagraph, signature)
    is_batched = is_batched and not signature.defaults and not parts and len(signature.outputs) == 1
    samples = {}
    for key, entry in signature.inputs.items():
        if key in parts and parts[key].role != "values":
            samples[key] = _sample_part(parts[key])
            notes.append(f"{key} is {parts[key]}")
            continue
        samples[key] = _sample(metagraph, signature, key, entry, notes)
        dims = entry.shape.dims if entry.shape is not None else None
        if dims is None or None in dims[is_batched:]:
            notes.append(f"{key} is {entry.dtype} {entry.shape or '?'}; sizes left open are 1 here")
    if not is_batched:
        return {"inputs": samples}
    rows = {key: Filled(sample.item, sample.dims[1:]) for key, sample in samples.items()}
    return {"instances": [rows if len(rows) > 1 else next(iter(rows.values()))]}


def _sample(metagraph: MetaGraph, signature: Signature, key: str, entry: SignatureEntry, notes: list[str]) -> Filled:
    default = signature.defaults.get(key)
    if default is not None and default.num_elements <= _MOST_DEFAULTS:
        notes.append(f"{key} has the value that it has by default")
        return Filled(_nested(default))
    dims = entry.shape.dims if entry.shape is not None else None
    dtype = entry.dtype or STRING
    item = _text(metagraph, signature, key, notes) if dtype is STRING else _zero(dtype)
    return Filled(item, tuple(1 if dim is None else dim for dim in dims) if dims is not None else (1,))


def _sample_part(part: CompositePart) -> Filled:
    """Return what fits values of one element: a row that has it, or the place where it stands."""
    dims = part.spec.shape.dims
    if part.role == "row splits":
        return Filled([0, 1])
    if part.role == "dense shape":
        return Filled([1 if dim is None else dim for dim in dims or ()])
    return Filled([[0] * len(dims or ())])


def _text(metagraph: MetaGraph, signature: Signature, key: str, notes: list[str]) -> Any:
    """Return a sample for a string: text, or bytes where the graph takes them for a picture or an example."""
    mention = signature.inputs[key].mention
    features = parsed_features(metagraph, mention.target) if mention is not None else None
    if features is not None:
        kind = "SequenceExample" if any(feature.is_list for feature in features) else "Example"
        notes.append(f"{key} takes serialized tf.train.{kind}s with {_listed(features)}")
        return _b64(serialize_example(features))
    if any(op in graph.op_counts for graph in metagraph.graphs for op in IMAGE_DECODERS):
        notes.append(f"{key} holds a PNG of one pixel; put in the bytes of your picture")
        return {"b64": _PNG.decode()}
    return _b64(b"bytes") if key.endswith(_BYTES_SUFFIX) else "text"


def _examples(metagraph: MetaGraph, signature: Signature, notes: list[str]) -> dict[str, Any]:
    mention = signature.inputs["inputs"].mention
    features = parsed_features(metagraph, mention.target) if mention is not None else None
    if features is None:
        notes.append("which features the examples need could not be found in the graph: put in yours")
        return {"examples": [{"feature": 0.0}]}
    example = {
        feature.name: Filled("text" if feature.dtype is STRING else _zero(feature.dtype), (feature.size,))
        for feature in features
        if feature.size
    }
    return {"examples": [example]}


def _listed(features: Iterable[Feature]) -> str:
    return ", ".join(f"{feature.name} ({feature.dtype})" for feature in features) or "no features"


def _b64(data: bytes) -> Mapping[str, str]:
    return {"b64": base64.b64encode(data).decode()}


def _zero(dtype: DType) -> Any:
    if dtype.base is BOOL:
        return False
    return 0.0 if dtype.base.name.startswith("float") else 0


def _nested(tensor: Tensor) -> Any:
    items: list[Any] = [
        item.decode("utf-8", "backslashreplace") if isinstance(item, bytes) else item for item in tensor.items()
    ]
    for dim in reversed([dim or 0 for dim in tensor.shape][1:]):
        items = [items[start : start + dim] for start in range(0, len(items), dim)] if dim else []
    return items if tensor.shape.rank else items[0]
