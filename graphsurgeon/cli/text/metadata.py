"""How the metadata of a TFLite model looks to a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphsurgeon.cli import output

_FACTS = {"author": "by", "license": "under the license", "min_parser_version": "needs a metadata parser of version"}


def print_metadata(said: Mapping[str, Any], files: Sequence[str]) -> None:
    """Print what a model says of itself to MediaPipe Tasks."""
    if not said:
        output.line("the model says nothing of itself (no TFLITE_METADATA)")
    if said.get("name") or said.get("version"):
        output.heading(" ".join(str(said[key]) for key in ("name", "version") if said.get(key)))
    if said.get("description"):
        output.line(f"  {said['description']}")
    facts = [f"{before} {said[key]}" for key, before in _FACTS.items() if said.get(key)]
    if facts:
        output.line("  " + ", ".join(facts))
    for subgraph in (said.get("subgraph_metadata") or ())[:1]:
        for side in ("input", "output"):
            tensors = subgraph.get(f"{side}_tensor_metadata") or ()
            if tensors:
                output.heading(f"{side}s")
            output.table([_row(tensor) for tensor in tensors], indent=2)
    if files:
        output.heading("files behind the model")
        output.table([[name] for name in files], indent=2)


def _row(tensor: Mapping[str, Any]) -> list[str]:
    return [str(tensor.get("name") or ""), "; ".join(_facts(tensor)), str(tensor.get("description") or "")]


def _facts(tensor: Mapping[str, Any]) -> list[str]:
    content = tensor.get("content") or {}
    kind = str(content.get("content_properties_type") or "").removesuffix("Properties").lower()
    properties = content.get("content_properties") or {}
    told = [" ".join([kind, *(f"{key} {_text(value)}" for key, value in properties.items())])] if kind else []
    for unit in tensor.get("process_units") or ():
        options = unit.get("options") or {}
        name = str(unit.get("options_type") or "").removesuffix("Options")
        told.append(" ".join([name, *(f"{key} {_text(value)}" for key, value in options.items())]))
    told += [f"{_kind(file)} {file.get('name')}" for file in tensor.get("associated_files") or ()]
    return told


def _kind(file: Mapping[str, Any]) -> str:
    kind = str(file.get("type") or "file").removeprefix("TENSOR_").lower().replace("_", " ")
    return f"{kind} ({file['locale']})" if file.get("locale") else kind


def _text(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(_text, value))
    if isinstance(value, Mapping):
        return " ".join(f"{key} {_text(item)}" for key, item in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)
