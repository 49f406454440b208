"""More kinds of changes to a GraphDef: edges and nodes as a whole, values that attributes take, bodies of functions."""

from __future__ import annotations

import random
from typing import Any

from benchmarks.soundness_graphs import attr_drawn, node_drawn, nodes_drawn
from benchmarks.soundness_kinds import GRAPH, drawn, kind_in


@kind_in(GRAPH)
def _input_port(graph: Any, chance: random.Random) -> str | None:
    node = node_drawn(graph, chance, lambda node: any(not text.startswith("^") for text in node.input))
    if node is None:
        return None
    places = [place for place, text in enumerate(node.input) if not text.startswith("^")]
    place, how = chance.choice(places), chance.choice(("1", "huge", "control", "arg", "name"))
    head = node.input[place].partition(":")[0]
    texts = {"1": head + ":1", "huge": head + ":99999999999", "control": "^" + head, "arg": head + ":none:0"}
    node.input[place] = texts.get(how, head)
    return f"{node.name}({node.op})[{place}]={node.input[place]}"


@kind_in(GRAPH)
def _input_of_another_node(graph: Any, chance: random.Random) -> str | None:
    """Read what some other node gives, of whatever type and shape."""
    nodes = nodes_drawn(graph, chance)
    node = drawn((node for node in nodes if node.input), chance)
    if node is None:
        return None
    place, other = chance.randrange(len(node.input)), chance.choice(nodes)
    texts = [text for one in nodes for text in one.input if text.partition(":")[0] == other.name]
    node.input[place] = texts[0] if texts else other.name
    return f"{node.name}({node.op})[{place}]={node.input[place]}"


@kind_in(GRAPH)
def _control_other(graph: Any, chance: random.Random) -> str | None:
    nodes = nodes_drawn(graph, chance)
    if not nodes:
        return None
    node, other = chance.choice(nodes), chance.choice(nodes)
    text = chance.choice((f"^{node.name}", f"^{other.name}", "^no_such", f"^{other.name}:0", "^"))
    node.input.append(text)
    return f"{node.name}({node.op}) {text}"


@kind_in(GRAPH)
def _node_gone(graph: Any, chance: random.Random) -> str | None:
    functions = [one for one in graph.library.function if one.node_def]
    nodes = chance.choice(functions).node_def if functions and chance.random() < 0.25 else graph.node
    if not nodes:
        return None
    node = chance.choice(list(nodes))
    told = f"{node.name}({node.op})"
    nodes.remove(node)
    return told


@kind_in(GRAPH)
def _node_twice(graph: Any, chance: random.Random) -> str | None:
    functions = [one for one in graph.library.function if one.node_def]
    nodes = chance.choice(functions).node_def if functions and chance.random() < 0.25 else graph.node
    if not nodes:
        return None
    node = chance.choice(list(nodes))
    nodes.add().CopyFrom(node)
    nodes[-1].name = chance.choice((node.name, node.name + "_more"))
    return f"{node.name}({node.op}) and {nodes[-1].name}"


@kind_in(GRAPH)
def _nodes_turned_round(graph: Any, chance: random.Random) -> str | None:
    nodes = list(graph.node)[::-1]
    del graph.node[:]
    graph.node.extend(nodes)
    return "order"


@kind_in(GRAPH)
def _text_other(graph: Any, chance: random.Random) -> str | None:
    found = attr_drawn(graph, chance, lambda value: value.WhichOneof("value") == "s")
    if found is None:
        return None
    text = chance.choice((b"", b"no_such", b"\xff\xfe", b"NCHW", b"SAME", b"1"))
    found[0].attr[found[1]].s = text
    return f"{found[0].name}({found[0].op}).{found[1]}={text!r}"


@kind_in(GRAPH)
def _flag_other(graph: Any, chance: random.Random) -> str | None:
    found = attr_drawn(graph, chance, lambda value: value.WhichOneof("value") == "b")
    if found is None:
        return None
    value = found[0].attr[found[1]]
    value.b = not value.b
    return f"{found[0].name}({found[0].op}).{found[1]}={value.b}"


@kind_in(GRAPH)
def _shape_other(graph: Any, chance: random.Random) -> str | None:
    found = attr_drawn(graph, chance, lambda value: value.WhichOneof("value") == "shape")
    if found is None:
        return None
    shape, how = found[0].attr[found[1]].shape, chance.choice(("rank", "size", "scalar", "unknown", "zero"))
    if how == "rank" or (how in ("size", "zero") and not shape.dim):
        shape.unknown_rank = False
        shape.dim.add().size = 3
    elif how in ("size", "zero"):
        shape.dim[-1].size = 97 if how == "size" else 0
    else:
        shape.Clear()
        shape.unknown_rank = how == "unknown"
    return f"{found[0].name}({found[0].op}).{found[1]} {how}"


@kind_in(GRAPH)
def _types_other(graph: Any, chance: random.Random) -> str | None:
    """Change one type of a list of types."""
    found = attr_drawn(graph, chance, lambda value: value.list.type)
    if found is None:
        return None
    types = found[0].attr[found[1]].list.type
    place, number = chance.randrange(len(types)), chance.choice((1, 3, 7, 9, 20, 0, 101))
    types[place] = number
    return f"{found[0].name}({found[0].op}).{found[1]}[{place}]={number}"


@kind_in(GRAPH)
def _numbers_other(graph: Any, chance: random.Random) -> str | None:
    """Change one number of a list of numbers."""
    found = attr_drawn(graph, chance, lambda value: value.list.i)
    if found is None:
        return None
    numbers = found[0].attr[found[1]].list.i
    place, number = chance.randrange(len(numbers)), chance.choice((-1, 0, 1, 2, 99))
    numbers[place] = number
    return f"{found[0].name}({found[0].op}).{found[1]}[{place}]={number}"


@kind_in(GRAPH)
def _list_of_another_kind(graph: Any, chance: random.Random) -> str | None:
    """Give a list elements of another kind, instead of its own or beside them."""
    found = attr_drawn(graph, chance, lambda value: value.WhichOneof("value") == "list")
    if found is None:
        return None
    value, how = found[0].attr[found[1]], chance.choice(("s", "i", "f", "b", "type", "shape"))
    is_beside = chance.random() < 0.5
    if not is_beside:
        value.list.Clear()
    if how == "shape":
        value.list.shape.add()
    else:
        getattr(value.list, how).append({"s": b"abc", "i": 3, "f": 1.5, "b": True, "type": 1}[how])
    return f"{found[0].name}({found[0].op}).{found[1]} {'and ' if is_beside else ''}{how}"


@kind_in(GRAPH)
def _function_swapped(graph: Any, chance: random.Random) -> str | None:
    """Name another function of the library, which need not take the same."""
    names = [one.signature.name for one in graph.library.function]
    found = attr_drawn(graph, chance, lambda value: value.WhichOneof("value") == "func")
    if found is None or not names:
        return None
    func = found[0].attr[found[1]].func
    old, func.name = func.name, chance.choice(names)
    return f"{found[0].name}({found[0].op}).{found[1]} {old}->{func.name}"


@kind_in(GRAPH)
def _function_results(graph: Any, chance: random.Random) -> str | None:
    function = drawn((one for one in graph.library.function if one.ret), chance)
    if function is None:
        return None
    key, how = (
        chance.choice(sorted(function.ret)),
        chance.choice(("gone", "no_such", "port", "plain", "argument", "more")),
    )
    text = function.ret[key]
    if how == "gone":
        del function.ret[key]
    elif how == "more":
        function.ret["more"] = text
    else:
        arguments = [one.name for one in function.signature.input_arg]
        head, argument = text.partition(":")[0], arguments[0] if arguments else "none"
        texts = {"no_such": "no_such:output:0", "port": text[:-1] + "7", "plain": head, "argument": argument}
        function.ret[key] = texts[how]
    return f"{function.signature.name} {key} {how}"


@kind_in(GRAPH)
def _function_said(graph: Any, chance: random.Random) -> str | None:
    """Change what a function says of itself beside its body: attributes, argument attributes, flags, names."""
    function = drawn(graph.library.function, chance)
    if function is None:
        return None
    how = chance.choice(("attr", "empty attr", "arg attr", "stateful", "control", "unnamed", "twice", "declared"))
    if how in ("attr", "empty attr"):
        value = function.attr[chance.choice(("_noinline", "_XlaMustCompile", "_mine", "api_implements"))]
        value.Clear()
        if how == "attr":
            value.i = 3
    elif how == "arg attr":
        function.arg_attr[chance.choice((0, 99))].attr["_output_shapes"].i = 3
    elif how == "stateful":
        function.signature.is_stateful = not function.signature.is_stateful
    elif how == "control":
        function.control_ret["more"] = "no_such"
    elif how == "unnamed":
        function.signature.name = ""
    elif how == "twice" and len(function.signature.input_arg) > 1:
        function.signature.input_arg[1].name = function.signature.input_arg[0].name
    else:
        function.signature.attr.add(name="T", type=chance.choice(("type", "no_such", "")))
    return f"{function.signature.name} {how}"


@kind_in(GRAPH)
def _handle_other(graph: Any, chance: random.Random) -> str | None:
    """Change what a node says of a resource or of what it reads from one."""
    found = attr_drawn(graph, chance, lambda value: True, wanted_key=lambda key: key in _OF_HANDLES)
    if found is None:
        return None
    value = found[0].attr[found[1]]
    if value.WhichOneof("value") == "type":
        value.type = 3 if value.type != 3 else 1
    elif value.WhichOneof("value") == "shape":
        value.shape.unknown_rank = False
        value.shape.dim.add().size = 5
    else:
        value.s = chance.choice((b"", b"other", b"\xff"))
    return f"{found[0].name}({found[0].op}).{found[1]}"


_OF_HANDLES = frozenset({"dtype", "shape", "shared_name", "container", "key_dtype", "value_dtype", "debug_name"})


@kind_in(GRAPH)
def _told_beside(graph: Any, chance: random.Random) -> str | None:
    """Change what nothing reads: it tells false errors."""
    node = node_drawn(graph, chance)
    if node is None:
        return None
    how = chance.choice(("debug", "full type", "version", "attr", "shapes"))
    if how == "debug":
        node.experimental_debug_info.original_node_names.append("no_such")
    elif how == "full type":
        node.experimental_type.type_id = 1
    elif how == "version":
        graph.version = 9
    elif how == "attr":
        node.attr["_mine"].list.s.append(b"\xff")
    else:
        node.attr.pop("_output_shapes", None)
    return f"{node.name} {how}"
