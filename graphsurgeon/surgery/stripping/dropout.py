"""Dropout, spelled out in the ops that TensorFlow makes of it, lets its input through.

Recognised is what `tf.nn.dropout` and the layers on it have built over the years: data scaled by `1 / keep`, times
a mask of zeros and ones that a uniform random number decides:

    Mul(RealDiv(x, keep), Floor(Add(keep, random)))               TensorFlow 1
    Mul(Mul(x, 1 / (1 - rate)), Cast(GreaterEqual(random, rate)))  TensorFlow 1.13 to 2.8
    SelectV2(GreaterEqual(random, rate), Mul(x, scale), 0)         since, stateless random numbers of Keras 3 included

A mask that something else reads, such as a gradient, is left alone: there the model is being trained.
"""

from __future__ import annotations

from collections.abc import Collection

from graphsurgeon.analysis.flow.calls import Place, origin
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.ops.kinds import ADDS, DIVISIONS, IDENTITIES, PLACEHOLDERS, RANDOM_UNIFORM, SELECTS
from graphsurgeon.surgery.moves.known_scalars import element
from graphsurgeon.surgery.stripping.bypass import Found, bound_nodes, let_through, remove_unread

_SAME = IDENTITIES | {"Cast", "Reshape"}
_CLOSE = 1e-2  # the scale may be a half or bfloat16
_DEPTH = 8


def bypass_dropout(graph: Graph, protected: Collection[Node]) -> list[Found]:
    """Let the input of every dropout through, and take out what made its mask; return the nodes with their ops."""
    bound = bound_nodes(graph, protected)
    kept = {*protected, *(node for node in graph.nodes if node.op in PLACEHOLDERS)}  # callers may go on feeding a rate
    found: list[Found] = []
    for node in graph.nodes:
        data = dropped(node) if node in graph else None
        if data is None:
            continue
        before = [value.producer for value in node.inputs if value.producer is not None]
        found.append((node, node.op))
        let_through(node, data, bound)
        found += remove_unread(graph, before, kept)
    return found


def dropped(node: Node) -> Value | None:
    """Return the input of a dropout, given the last of its nodes; None if it is none."""
    if node.op == "Mul" and len(node.inputs) == 2:
        pairs = (node.inputs, node.inputs[::-1])
        return next((data for one, mask in pairs if (data := _data(one, mask, node)) is not None), None)
    if node.op in SELECTS and len(node.inputs) == 3 and _is_zero(node.inputs[2]):
        rate = _compared(node.inputs[0])
        if rate is not None and _is_read_alone(node.inputs[0], node):
            return _unscaled(node.inputs[1], rate)
    return None


def _data(scaled: Value, mask: Value, node: Node) -> Value | None:
    """Return what is scaled by one factor of a product, if the other is the mask that goes with it."""
    maker = mask.producer
    if maker is None or not maker.inputs or not _is_read_alone(mask, node):
        return None
    if maker.op == "Floor":
        keep = _kept(maker.inputs[0])
        return _divided(scaled, keep) if keep is not None else None
    rate = _compared(maker.inputs[0]) if maker.op == "Cast" else None
    is_own = rate is not None and _is_read_alone(maker.inputs[0], maker)
    return _unscaled(scaled, rate) if rate is not None and is_own else None


def _kept(total: Value) -> Value | None:
    """Return the probability to which a random number is added."""
    node = total.producer
    if node is None or node.op not in ADDS:
        return None
    pairs = (node.inputs, node.inputs[::-1])
    return next((keep for keep, random in pairs if _is_random(random) and not _is_random(keep)), None)


def _compared(condition: Value) -> Value | None:
    """Return the rate that a random number has to reach."""
    node = condition.producer
    if node is None or node.op != "GreaterEqual" or not _is_random(node.inputs[0]):
        return None
    return node.inputs[1]


def _is_random(value: Value) -> bool:
    """Say whether a value is uniform between 0 and 1, be it spelled `random * (1 - 0) + 0`."""
    node = origin(Place(value), passing=_SAME).value.producer
    if node is not None and node.op in ADDS and _number(node.inputs[1]) == 0:
        node = node.inputs[0].producer
    if node is not None and node.op == "Mul" and _number(node.inputs[1]) == 1:
        node = node.inputs[0].producer
    return node is not None and node.op in RANDOM_UNIFORM


def _divided(scaled: Value, keep: Value) -> Value | None:
    node = scaled.producer
    if node is None or len(node.inputs) != 2:
        return None
    if node.op in DIVISIONS and _is_same(node.inputs[1], keep):
        return node.inputs[0]
    return _multiplied(scaled, _number(keep))


def _unscaled(scaled: Value, rate: Value) -> Value | None:
    """Return what is scaled by `1 / (1 - rate)`."""
    node = scaled.producer
    if node is None or len(node.inputs) != 2:
        return None
    if node.op in DIVISIONS and _is_complement(node.inputs[1], rate):
        return node.inputs[0]
    for data, scale in (node.inputs, node.inputs[::-1]) if node.op == "Mul" else ():
        maker = origin(Place(scale), passing=_SAME).value.producer
        is_inverse = maker is not None and maker.op in DIVISIONS and _number(maker.inputs[0]) == 1
        if maker is not None and is_inverse and _is_complement(maker.inputs[1], rate):
            return data
    known = _number(rate)
    return _multiplied(scaled, None if known is None else 1 - known)


def _multiplied(scaled: Value, keep: float | None) -> Value | None:
    node = scaled.producer
    if node is None or node.op != "Mul" or not keep:
        return None
    for data, scale in (node.inputs, node.inputs[::-1]):
        number = _number(scale)
        if number is not None and abs(number * keep - 1) < _CLOSE:
            return data
    return None


def _is_complement(value: Value, rate: Value) -> bool:
    node = origin(Place(value), passing=_SAME).value.producer
    if node is not None and node.op == "Sub" and _number(node.inputs[0]) == 1 and _is_same(node.inputs[1], rate):
        return True
    # keep = 1 - rate, where the rate was made of keep
    of_rate = origin(Place(rate), passing=_SAME).value.producer
    if of_rate is not None and of_rate.op == "Sub" and _number(of_rate.inputs[0]) == 1:
        return _is_same(of_rate.inputs[1], value)
    one, other = _number(value), _number(rate)
    return one is not None and other is not None and abs(one + other - 1) < _CLOSE


def _is_same(one: Value, other: Value) -> bool:
    places = [origin(Place(value), passing=_SAME).value for value in (one, other)]
    numbers = [_number(value) for value in places]
    return places[0] is places[1] or (numbers[0] is not None and numbers[0] == numbers[1])


def _is_zero(value: Value) -> bool:
    node = origin(Place(value), passing=_SAME).value.producer
    if node is None:
        return False
    if node.op == "ZerosLike" or (node.op == "Fill" and _number(node.inputs[1]) == 0):
        return True
    tensor = node.attrs.get("value") if node.op == "Const" else None
    is_small = isinstance(tensor, Tensor) and bool(tensor.dtype.bits) and (tensor.num_elements or 0) <= 1
    return is_small and isinstance(tensor, Tensor) and not any(tensor.items())


def _number(value: Value, depth: int = _DEPTH) -> float | None:
    """Return the number that a value surely is."""
    node = origin(Place(value), passing=_SAME).value.producer
    if node is None or not depth:
        return None
    if node.op == "Const":
        known = element(node)
        return None if known is None else float(known)
    if node.op not in _ARITHMETIC or len(node.inputs) != 2:
        return None
    one, other = (_number(given, depth - 1) for given in node.inputs)
    if one is None or other is None:
        return None
    if node.op in DIVISIONS:
        return one / other if other else None
    return one - other if node.op == "Sub" else one * other if node.op == "Mul" else one + other


_ARITHMETIC = ADDS | DIVISIONS | {"Sub", "Mul"}


def _is_read_alone(value: Value, node: Node) -> bool:
    """Say whether a value is there for one node only."""
    is_result = any(output.value is value for output in value.graph.outputs)
    return value.consumers == (node,) and not is_result
