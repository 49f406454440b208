"""Kinds of changes to a GraphDef that leave it a file that parses: attributes, edges, names, functions."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from benchmarks.soundness_kinds import GRAPH, drawn, kind_in


def nodes_drawn(graph: Any, chance: random.Random) -> list[Any]:
    """Return the nodes of the main graph, or once in four times of a function."""
    functions = [one for one in graph.library.function if one.node_def]
    return list(chance.choice(functions).node_def if functions and chance.random() < 0.25 else graph.node)


def node_drawn(graph: Any, chance: random.Random, wanted: Callable[[Any], object] = bool) -> Any | None:
    """Return a node that is wanted."""
    return drawn((node for node in nodes_drawn(graph, chance) if wanted(node)), chance)


def attr_drawn(
    graph: Any,
    chance: random.Random,
    wanted: Callable[[Any], object],
    wanted_key: Callable[[str], object] = bool,
) -> tuple[Any, str] | None:
    """Return a node and the name of one of its attributes whose value is wanted."""
    found = ((node, key) for node in nodes_drawn(graph, chance) for key in sorted(node.attr) if wanted_key(key))
    return drawn(((node, key) for node, key in found if wanted(node.attr[key])), chance)


def _set_kind(value: Any, kind: str) -> None:
    value.Clear()
    if kind in ("list", "shape", "tensor", "func"):
        getattr(value, kind).SetInParent()
        if kind == "list":
            value.list.i.append(3)
        if kind == "func":
            value.func.name = "no_such"
    else:
        setattr(value, kind, {"s": b"abc", "i": 3, "f": 1.5, "b": True, "type": 1}[kind])


@kind_in(GRAPH)
def _attribute_of_another_kind(graph: Any, chance: random.Random) -> str | None:
    found = attr_drawn(graph, chance, lambda value: True)
    if found is None:
        return None
    value = found[0].attr[found[1]]
    old = value.WhichOneof("value")
    kind = chance.choice([one for one in ("s", "i", "f", "b", "type", "shape", "tensor", "list", "func") if one != old])
    _set_kind(value, kind)
    return f"{found[0].name}({found[0].op}).{found[1]} {old}->{kind}"


@kind_in(GRAPH)
def _attribute_without_value(graph: Any, chance: random.Random) -> str | None:
    found = attr_drawn(graph, chance, lambda value: True)
    if found is None:
        return None
    found[0].attr[found[1]].Clear()
    return f"{found[0].name}({found[0].op}).{found[1]}"


@kind_in(GRAPH)
def _attribute_missing(graph: Any, chance: random.Random) -> str | None:
    found = attr_drawn(graph, chance, lambda value: True)
    if found is None:
        return None
    del found[0].attr[found[1]]
    return f"{found[0].name}({found[0].op}).{found[1]}"


@kind_in(GRAPH)
def _attribute_unknown(graph: Any, chance: random.Random) -> str | None:
    node = node_drawn(graph, chance)
    if node is None:
        return None
    node.attr[chance.choice(("no_such", "_mine"))].i = 3
    return str(node.name)


@kind_in(GRAPH)
def _attribute_placeholder(graph: Any, chance: random.Random) -> str | None:
    found = attr_drawn(graph, chance, lambda value: True)
    if found is None:
        return None
    found[0].attr[found[1]].Clear()
    found[0].attr[found[1]].placeholder = "T"
    return f"{found[0].name}({found[0].op}).{found[1]}"


@kind_in(GRAPH)
def _dtype_other(graph: Any, chance: random.Random) -> str | None:
    found = attr_drawn(graph, chance, lambda value: value.WhichOneof("value") == "type")
    if found is None:
        return None
    number = chance.choice((0, 1, 3, 7, 9, 10, 77, 101))
    found[0].attr[found[1]].type = number
    return f"{found[0].name}({found[0].op}).{found[1]}={number}"


@kind_in(GRAPH)
def _integer_other(graph: Any, chance: random.Random) -> str | None:
    found = attr_drawn(graph, chance, lambda value: value.WhichOneof("value") == "i")
    if found is None:
        return None
    number = chance.choice((-1, 0, 1, 7))
    found[0].attr[found[1]].i = number
    return f"{found[0].name}({found[0].op}).{found[1]}={number}"


@kind_in(GRAPH)
def _list_of_another_length(graph: Any, chance: random.Random) -> str | None:
    def items(value: Any) -> Any:
        return next((field for field, _ in value.list.ListFields()), None)

    found = attr_drawn(graph, chance, items)
    if found is None:
        return None
    values = getattr(found[0].attr[found[1]].list, items(found[0].attr[found[1]]).name)
    if chance.random() < 0.5:
        del values[-1]
    elif hasattr(values, "add"):
        values.add().CopyFrom(values[0])
    else:
        values.append(values[0])
    return f"{found[0].name}({found[0].op}).{found[1]} has {len(values)}"


@kind_in(GRAPH)
def _shape_that_cannot_be(graph: Any, chance: random.Random) -> str | None:
    found = attr_drawn(graph, chance, lambda value: value.WhichOneof("value") == "shape")
    if found is None:
        return None
    shape = found[0].attr[found[1]].shape
    how = chance.choice(("-2", "huge", "both"))
    if how == "both":
        shape.unknown_rank = True
        shape.dim.add().size = 2
    else:
        shape.unknown_rank = False
        shape.dim.add().size = -2 if how == "-2" else 1 << 62
        shape.dim.add().size = 4
    return f"{found[0].name}({found[0].op}).{found[1]} {how}"


@kind_in(GRAPH)
def _input_other(graph: Any, chance: random.Random) -> str | None:
    node = node_drawn(graph, chance, lambda node: node.input)
    if node is None:
        return None
    text = chance.choice(("no_such", "^no_such", node.input[0] + ":9", "", node.name))
    place = chance.randrange(len(node.input))
    node.input[place] = text
    return f"{node.name}({node.op})[{place}]={text}"


@kind_in(GRAPH)
def _input_more_or_fewer(graph: Any, chance: random.Random) -> str | None:
    node = node_drawn(graph, chance, lambda node: node.input)
    if node is None:
        return None
    if chance.random() < 0.5:
        del node.input[chance.randrange(len(node.input))]
    else:
        node.input.insert(0, node.input[0])
    return f"{node.name}({node.op}) has {len(node.input)}"


@kind_in(GRAPH)
def _control_before_data(graph: Any, chance: random.Random) -> str | None:
    node = node_drawn(graph, chance, lambda node: node.input and not node.input[0].startswith("^"))
    if node is None:
        return None
    node.input.insert(0, "^" + node.input[0].partition(":")[0])
    return str(node.name)


@kind_in(GRAPH)
def _control_doubled(graph: Any, chance: random.Random) -> str | None:
    node = node_drawn(graph, chance, lambda node: node.input and node.input[-1].startswith("^"))
    if node is None:
        return None
    node.input.append(node.input[-1])
    return str(node.name)


@kind_in(GRAPH)
def _op_other(graph: Any, chance: random.Random) -> str | None:
    node = node_drawn(graph, chance)
    if node is None:
        return None
    old, node.op = node.op, chance.choice(("", "Identity", "AddV2", "NoOp", "Relu"))
    return f"{node.name} {old}->{node.op}"


@kind_in(GRAPH)
def _op_unknown(graph: Any, chance: random.Random) -> str | None:
    node = node_drawn(graph, chance)
    if node is None:
        return None
    node.op = "NoSuchOpAtAll"
    return str(node.name)


@kind_in(GRAPH)
def _name_other(graph: Any, chance: random.Random) -> str | None:
    nodes = nodes_drawn(graph, chance)
    if not nodes:
        return None
    node = chance.choice(nodes)
    old, new = node.name, chance.choice(("a b", "/x", "a$b", "-x", "_x", "größe", "fine/name/", nodes[0].name))
    for other in nodes:
        for place, text in enumerate(other.input):
            head, colon, rest = text.removeprefix("^").partition(":")
            if head == old:
                other.input[place] = ("^" if text.startswith("^") else "") + new + colon + rest
    node.name = new
    return f"{old}->{new}"


@kind_in(GRAPH)
def _device_other(graph: Any, chance: random.Random) -> str | None:
    node = node_drawn(graph, chance)
    if node is None:
        return None
    node.device = chance.choice(("not a device", "/cpu:x", "/job:a/b", "/xpu:0", "/device:CPU:0", "/cpu:0/gpu:1"))
    return f"{node.name} {node.device}"


@kind_in(GRAPH)
def _class_other(graph: Any, chance: random.Random) -> str | None:
    node = node_drawn(graph, chance)
    if node is None:
        return None
    kind = chance.choice(("s", "i", "b", "list", "func"))
    _set_kind(node.attr["_class"], kind)
    return f"{node.name} {kind}"


@kind_in(GRAPH)
def _constant_other(graph: Any, chance: random.Random) -> str | None:
    node = node_drawn(graph, chance, lambda node: node.op == "Const")
    if node is None:
        return None
    tensor = node.attr["value"].tensor
    how = chance.choice(("dtype", "short", "unknown_rank", "shape", "minus", "dim"))
    if how == "dtype":
        tensor.dtype = 9 if tensor.dtype != 9 else 1
    elif how == "short":
        tensor.tensor_content = b"\0\0\0"
    elif how == "unknown_rank":
        tensor.tensor_shape.unknown_rank = True
    elif how == "shape":
        tensor.tensor_shape.dim.add().size = 3
    elif tensor.tensor_shape.dim:
        tensor.tensor_shape.dim[0].size = -1 if how == "minus" else tensor.tensor_shape.dim[0].size + 1
    return f"{node.name} {how}"


@kind_in(GRAPH)
def _constant_number(graph: Any, chance: random.Random) -> str | None:
    node = node_drawn(graph, chance, lambda node: node.op == "Const" and node.attr["value"].tensor.dtype == 3)
    if node is None:
        return None
    tensor = node.attr["value"].tensor
    number = chance.choice((-9, 0, 7))
    if tensor.int_val:
        tensor.int_val[0] = number
    else:
        tensor.tensor_content = number.to_bytes(4, "little", signed=True) + tensor.tensor_content[4:]
    return f"{node.name}={number}"


@kind_in(GRAPH)
def _versions(graph: Any, chance: random.Random) -> str | None:
    how = chance.choice(("min", "bad", "negative", "far"))
    if how == "min":
        graph.versions.min_consumer = 99999
    elif how == "bad":
        graph.versions.bad_consumers.append(2474)
    else:
        graph.versions.producer = -5 if how == "negative" else 99999
    return how


@kind_in(GRAPH)
def _recorded_shapes(graph: Any, chance: random.Random) -> str | None:
    node = node_drawn(graph, chance, lambda node: "_output_shapes" in node.attr)
    if node is None:
        return None
    shapes = node.attr["_output_shapes"].list.shape
    if chance.random() < 0.5 or not shapes:
        shapes.add()
    else:
        shapes[0].Clear()
        for size in (3, 1, 4):
            shapes[0].dim.add().size = size
    return f"{node.name}({node.op}) {len(shapes)}"


@kind_in(GRAPH)
def _function_arguments(graph: Any, chance: random.Random) -> str | None:
    if not graph.library.function:
        return None
    function = chance.choice(list(graph.library.function))
    signature = function.signature
    how = chance.choice(("untyped", "added", "illegal", "removed", "result"))
    if how == "added":
        signature.input_arg.add(name="more", type=1)
    elif how == "untyped" and signature.input_arg:
        signature.input_arg[0].ClearField("type")
    elif how == "illegal" and signature.input_arg:
        signature.input_arg[0].name = "Bad Arg"
    elif how == "removed" and signature.output_arg:
        function.ret.pop(signature.output_arg[-1].name, None)
        del signature.output_arg[-1]
    elif how == "result" and signature.output_arg:
        signature.output_arg[0].type = 9 if signature.output_arg[0].type != 9 else 1
    else:
        return None
    return f"{signature.name} {how}"


@kind_in(GRAPH)
def _function_library(graph: Any, chance: random.Random) -> str | None:
    if not graph.library.function:
        return None
    function = chance.choice(list(graph.library.function))
    how = chance.choice(("gone", "twice", "differs", "op", "gradient", "gradients", "control"))
    if how == "gone":
        graph.library.function.remove(function)
    elif how in ("twice", "differs"):
        copy = graph.library.function.add()
        copy.CopyFrom(function)
        if how == "differs":
            copy.node_def.add(name="more", op="NoOp")
    elif how == "op":
        graph.library.function.add().signature.name = "Relu"
    elif how == "control":
        function.signature.control_output.append("no_such")
    else:
        graph.library.gradient.add(function_name=function.signature.name, gradient_func="no_such")
    return f"{function.signature.name} {how}"


@kind_in(GRAPH)
def _function_named(graph: Any, chance: random.Random) -> str | None:
    found = attr_drawn(graph, chance, lambda value: value.WhichOneof("value") == "func")
    if found is None:
        return None
    found[0].attr[found[1]].func.name = chance.choice(("", "no_such"))
    return f"{found[0].name}.{found[1]}"
