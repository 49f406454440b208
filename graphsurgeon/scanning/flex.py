"""Operators of a TFLite model that are no builtins: native code of whoever runs it, and TensorFlow ops (`Flex...`).

A Flex operator keeps its NodeDef in its custom options: a FlexBuffer with two strings, the op and the message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from graphsurgeon.encoding.protowire import encode_varint
from graphsurgeon.model.graph import Node
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.ops import catalog
from graphsurgeon.scanning.finding import Severity, Threat
from graphsurgeon.scanning.flow.strings import texts_of
from graphsurgeon.scanning.flow.trace import FLEX, span
from graphsurgeon.scanning.judge import Judge
from graphsurgeon.scanning.modules import verdict_of
from graphsurgeon.scanning.table import OpRule, known_packages, rules

_CALL = "STABLEHLO_CUSTOM_CALL"
NAMED = frozenset({_CALL})  # builtins that name native code
_WIDTHS = (1, 2, 4, 8)
_MOST = 1 << 24  # bytes of options


def threats(judge: Judge, custom: Iterable[str], parse: Callable[[bytes], MetaGraph | None]) -> Iterator[Threat]:
    """Yield what the operators that are no builtins could do.

    Args:
        judge: of the TFLite model.
        custom: names of operators that are no builtins.
        parse: makes a MetaGraph of the bytes of a GraphDef.
    """
    names = {*custom, _CALL}
    told: dict[str, int] = {}
    for graph in judge.metagraph.graphs:
        for node in graph.nodes:
            if node.op not in names:
                continue
            rule = rules().get(node.op.removeprefix(FLEX)) if node.op.startswith(FLEX) else None
            if node.op == _CALL:
                yield from _named_call(judge, node)
            elif rule is not None:
                yield from _flex(judge, node, rule, parse)
            elif node.op not in told:
                yield from _custom(judge, node)
            told[node.op] = told.get(node.op, 0) + 1


def _named_call(judge: Judge, node: Node) -> Iterator[Threat]:
    """Judge a native function that a StableHLO operator calls by name."""
    target = texts_of(node.attrs.get("call_target_name"))
    name = target[0].decode("utf-8", "replace") if target else "?"
    verdict, what = verdict_of(name)
    labels = judge.reach.labels(node)
    where = " > ".join(judge.reach.path(node, labels[0] if labels else None))
    severity: Severity = "info" if verdict == "known" else "medium"  # no runtime has kernels for these
    yield Threat(severity, node.op, what, where, labels[0].when if labels else "unknown", name, "code")


def _custom(judge: Judge, node: Node) -> Iterator[Threat]:
    op = node.op.removeprefix(FLEX) if node.op.startswith(FLEX) else ""
    if op in catalog.names():
        return  # an op of TensorFlow that stays inside the graph
    labels = judge.reach.labels(node)
    label = labels[0] if labels else None
    severity: Severity = "info" if node.op in known_packages() else "medium"
    what = "native code that whoever runs the model must bring: TFLite has no such operator"
    where = " > ".join(judge.reach.path(node, label))
    yield Threat(severity, node.op, what, where, label.when if label else "unknown", None, "native")


def _flex(judge: Judge, node: Node, rule: OpRule, parse: Callable[[bytes], MetaGraph | None]) -> Iterator[Threat]:
    """Judge an op of TensorFlow by its NodeDef for attributes, and by the operator for what comes in."""
    inner = _node_of(node, parse)
    if inner is None:
        labels = judge.reach.labels(node)
        where = " > ".join(judge.reach.path(node, labels[0] if labels else None))
        when = labels[0].when if labels else "unknown"
        yield Threat("high" if labels else "medium", rule.op, rule.what, where, when, None, rule.kind)
        return
    texts = []
    for name in rule.inputs:
        at = span(inner, name)
        for value in node.inputs[at[0] : at[0] + at[1]] if at is not None else node.inputs:
            texts += judge.tracer.texts(value)
    texts += [(item,) for name in rule.attrs for item in texts_of(inner.attrs.get(name)) if item]
    yield from judge.as_if(inner, node, rule, texts)


def _node_of(node: Node, parse: Callable[[bytes], MetaGraph | None]) -> Node | None:
    options = node.attrs.get("custom_options")
    data = flexbuffer_strings(options)[1:2] if isinstance(options, bytes) and len(options) <= _MOST else []
    if not data:
        return None
    message = b"\x0a\x01f" + data[0]  # a name, which converters leave out; where there is one it comes later and counts
    parsed = parse(b"\x0a" + encode_varint(len(message)) + message)
    return parsed.graph.nodes[0] if parsed is not None and parsed.graph.nodes else None


def flexbuffer_strings(data: bytes) -> list[bytes]:
    """Return the strings of a FlexBuffer that is a vector; none if it is something else.

    Spec: flatbuffers.dev, "FlexBuffers": the last byte is the width of the root, the one before its packed type.
    """
    if len(data) < 3 or data[-1] not in _WIDTHS:
        return []
    kind, width = data[-2] >> 2, 1 << (data[-2] & 3)
    place = len(data) - 2 - data[-1]
    start = place - _number(data, place, data[-1])
    if kind not in (10, 15) or start < width or start > len(data):  # a vector, or one of strings
        return []
    count = _number(data, start - width, width)
    if count > len(data):
        return []
    found = []
    for number in range(count):
        at = start + number * width
        begin = at - _number(data, at, width)
        packed = (
            data[start + count * width + number] if kind == 10 and start + count * width + number < len(data) else 20
        )
        size_width = 1 << (packed & 3) if kind == 10 else 1
        length = _number(data, begin - size_width, size_width) if begin >= size_width else 0
        found.append(data[begin : begin + length] if 0 <= begin <= len(data) else b"")
    return found


def _number(data: bytes, at: int, width: int) -> int:
    return int.from_bytes(data[at : at + width], "little") if at >= 0 else 0
