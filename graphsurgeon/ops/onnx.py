"""ONNX's op definitions, every version of each: `onnx.txt.zlib`, made by `tools/make_onnx_schema.py`.

An op is named as in the text form of ONNX: `Conv`, `ai.onnx.ml.Normalizer`. Which version counts is decided by the
version of its domain that a model imports (`opset_import`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

DEFAULT_DOMAIN = "ai.onnx"
DOMAINS = (DEFAULT_DOMAIN, "ai.onnx.ml", "ai.onnx.preview", "ai.onnx.preview.training")


class Argument(NamedTuple):
    """An input or output of an op."""

    name: str
    is_optional: bool
    is_variadic: bool


class OnnxOp(NamedTuple):
    """One version of an op.

    Attributes:
        since: the first version of the domain that has it so.
        input_counts, output_counts: least and most.
        attributes: name -> type, as `AttributeProto.AttributeType` names it in lower case.
        required: the attributes that a node must have.
    """

    name: str
    domain: str
    since: int
    is_deprecated: bool
    input_counts: tuple[int, int]
    output_counts: tuple[int, int]
    inputs: tuple[Argument, ...]
    outputs: tuple[Argument, ...]
    attributes: Mapping[str, str]
    required: frozenset[str]

    def input_name(self, index: int) -> str:
        """Return the name of an input by position, empty if there is none; of variadic ones with its number."""
        return _name(self.inputs, index)

    def output_name(self, index: int) -> str:
        """Return the name of an output by position, empty if there is none."""
        return _name(self.outputs, index)


def get(name: str, opsets: Mapping[str, int]) -> OnnxOp | None:
    """Return the version of an op that counts in a model, None if there is none.

    Args:
        name: as in ONNX's text form.
        opsets: domain -> version, as the model imports them; the default domain is `ai.onnx`.
    """
    versions = _ops().get(name)
    if versions is None:
        return None
    imported = opsets.get(versions[0].domain, 0)
    return next((op for op in reversed(versions) if op.since <= imported), None)


def versions(name: str) -> tuple[OnnxOp, ...]:
    """Return every version of an op, the first one first; none for what is no op."""
    return tuple(_ops().get(name, ()))


def since(name: str) -> int | None:
    """Return the version of its domain in which an op appeared, None if it never did."""
    versions = _ops().get(name)
    return versions[0].since if versions is not None else None


def newest(domain: str) -> int:
    """Return the last version of a domain in which an op changed, 0 for a domain that is not ONNX's own."""
    return max((op.since for versions in _ops().values() for op in versions if op.domain == domain), default=0)


def domain_of(name: str) -> str:
    """Return the domain of an op."""
    return name.rpartition(".")[0] or DEFAULT_DOMAIN


def names() -> frozenset[str]:
    """Return the names of all ops."""
    return frozenset(_ops())


@cache
def _ops() -> dict[str, list[OnnxOp]]:
    import zlib
    from pathlib import Path

    text = zlib.decompress(Path(__file__).with_name("onnx.txt.zlib").read_bytes()).decode()
    found: dict[str, list[OnnxOp]] = {}
    for line in text.split("\n"):
        op = _op(line)
        found.setdefault(op.name, []).append(op)
    return found


def _op(line: str) -> OnnxOp:
    domain, name, version, flags, counts, inputs, outputs, attributes = line.split("\t")
    pairs = [item.partition("=") for item in attributes.split()]
    counted = [tuple(map(int, side.split("-"))) for side in counts.split(">")]
    return OnnxOp(
        name=f"{domain}.{name}" if domain else name,
        domain=domain or DEFAULT_DOMAIN,
        since=int(version),
        is_deprecated=flags == "deprecated",
        input_counts=(counted[0][0], counted[0][1]),
        output_counts=(counted[1][0], counted[1][1]),
        inputs=tuple(map(_argument, inputs.split())),
        outputs=tuple(map(_argument, outputs.split())),
        attributes={key.removesuffix("!"): kind for key, _, kind in pairs},
        required=frozenset(key[:-1] for key, _, _ in pairs if key.endswith("!")),
    )


def _argument(text: str) -> Argument:
    return Argument(text.rstrip("?*"), text.endswith("?"), text.endswith("*"))


def _name(arguments: tuple[Argument, ...], index: int) -> str:
    if index < len(arguments) and not arguments[index].is_variadic:
        return arguments[index].name
    if arguments and arguments[-1].is_variadic and index >= len(arguments) - 1:
        return f"{arguments[-1].name}[{index - len(arguments) + 1}]"
    return ""
