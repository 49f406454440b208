"""Input texts to objects and back, in both syntaxes.

GraphDef: `node` (output 0), `node:k`, `^node`. FunctionDef: `arg`, `arg:0`, `node:out_arg:i`, `node:out_arg`
(every value of a list argument), `^node`. Both become (producer, flat output index) and only that; see
`tensorflow/core/framework/function.proto` and `node_def.proto`. A text is understood in the names at read
time and keeps its spelling unless its target was renamed or replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from graphsurgeon.model.graph import Graph, Node, Value

Layout = list[tuple[str, int]]  # output arguments of a node: name, number of values
LayoutOf = Callable[[Node], "Layout | None"]


class References:
    """Resolves and spells the inputs of one graph's nodes.

    Args:
        graph: the graph; its original names are those that texts are looked up in.
        layout_of: gives the output arguments of a node, None if its op is unknown. Used for functions only.
    """

    __slots__ = ("_arguments", "_dangling", "_graph", "_is_function", "_layout_of", "_layouts")

    def __init__(self, graph: Graph, layout_of: LayoutOf) -> None:
        self._graph = graph
        self._layout_of = layout_of
        self._is_function = graph.kind == "function"
        self._arguments = graph.original_arguments
        self._dangling: dict[str, Value] = {}
        # Outputs of a node are asked for once per reader: a restore op has hundreds of outputs, and as many readers.
        self._layouts: dict[Node, Layout | None] = {}

    def link_all(self, nodes: Iterable[Node]) -> None:
        """Set the inputs and controls of nodes as they were read."""
        known = None if self._is_function else self._graph.originals.get
        for node in nodes:
            texts = node.raw.input
            if len(texts) == 1 and known is not None:  # as most have it: the first output of a node
                text = texts[0]
                target = known(text) if ":" not in text and text[:1] != "^" else None
                if target is not None:
                    node.start_edges((target.output(0),), ())
                    continue
            if texts:
                self.link(node, texts)

    def link(self, node: Node, texts: Iterable[str]) -> None:
        """Set the inputs and controls of a node from its texts."""
        inputs: list[Value] = []
        controls: list[Node] = []
        graph = self._graph
        originals, is_function = graph.originals, self._is_function
        for text in texts:
            if text[:1] == "^":
                target = originals.get(text[1:])
                argument = self._arguments.get(text[1:]) if target is None else None
                if argument is not None:
                    graph.argument_controls.append((node, argument))
                elif target is None:
                    graph.dangling_controls.append((node, text))
                else:
                    controls.append(target)
            elif is_function or ":" in text or (target := originals.get(text)) is None:
                inputs += self.values(text)
            else:
                inputs.append(target.output(0))
        node.start_edges(inputs, controls)

    def values(self, text: str) -> list[Value]:
        """Return what a data text stands for; a text that names nothing becomes one dangling value."""
        found = self._function_values(text) if self._is_function else self._graph_value(text)
        if found is not None:
            return found
        value = self._dangling.get(text)
        if value is None:
            value = self._dangling[text] = Value(self._graph, None, 0, text)
            value.is_dangling = True
        return [value]

    def spell(self, value: Value) -> str:
        """Return the canonical text of a value in this graph's syntax."""
        node = value.producer
        if node is None:
            return value.name or ""
        if not self._is_function:
            return f"{node.name}:{value.port}" if value.port else node.name
        if isinstance(value.port, str):
            return f"{node.name}:{value.port}"
        rest = value.port
        for name, length in self._layout(node) or ():
            if rest < length:
                return f"{node.name}:{name}:{rest}"
            rest -= length
        return f"{node.name}:{value.port}"

    def texts(self, node: Node, originals: Sequence[str]) -> list[str]:
        """Return the input texts of a node for writing, given those it was read with (none for a new node)."""
        plain = self._plain_texts(node, originals)
        if plain is not None:
            return plain
        kept: list[str] = []
        values: list[Value] = []
        controls: list[Node] = []
        spelled: dict[Value | Node, str] = {}
        same = [self._read_again(text, values, controls, kept, spelled) for text in originals]
        if tuple(values) == node.inputs and tuple(controls) == node.controls:  # nothing but names has changed
            return same
        texts = [spelled.get(value) or self.spell(value) for value in node.inputs]
        return [*texts, *(spelled.get(other) or f"^{other.name}" for other in node.controls), *kept]

    def _plain_texts(self, node: Node, originals: Sequence[str]) -> list[str] | None:
        """Return the texts of a node that still reads what it was read with: first outputs, by name, and controls.

        So are most, and of a large graph every node is asked.
        """
        known, inputs, controls = self._graph.originals, node.inputs, node.controls
        texts: list[str] = []
        waits = 0
        for text in originals:
            is_control = text[:1] == "^"
            target = known.get(text[1:] if is_control else text)
            if target is None:
                return None
            if is_control:
                if waits == len(controls) or controls[waits] is not target:
                    return None
                waits += 1
                texts.append(f"^{target.name}")
            else:
                position = len(texts) - waits
                value = inputs[position] if position < len(inputs) else None
                if value is None or value.producer is not target or value.port != 0:
                    return None
                texts.append(target.name)
        return texts if len(texts) == len(inputs) + len(controls) else None

    def _read_again(
        self,
        text: str,
        values: list[Value],
        controls: list[Node],
        kept: list[str],
        spelled: dict[Value | Node, str],
    ) -> str:
        """Understand a stored text, as when it was read; return it with the current name of what it names."""
        if text[:1] == "^":
            target = self._graph.originals.get(text[1:])
            if target is None:
                kept.append(self._waiting(text))
                return kept[-1]
            controls.append(target)
            spelled[target] = now = text if target.name == text[1:] else f"^{target.name}"
            return now
        found = self.values(text)
        values += found
        now = _respell(text, found[0]) if found else text
        if len(found) == 1:
            spelled[found[0]] = now
        return now

    def _waiting(self, text: str) -> str:
        """Return a control text that names no node: the current name of an argument, else as it is."""
        argument = self._arguments.get(text[1:])
        return text if argument is None else f"^{argument.name}"

    def current(self, text: str) -> str:
        """Return a stored text with the current name of what it names; unchanged if it names nothing."""
        if text[:1] == "^":
            target = self._graph.originals.get(text[1:])
            return self._waiting(text) if target is None else f"^{target.name}"
        return _respell(text, self.values(text)[0]) if self.values(text) else text

    def _layout(self, node: Node) -> Layout | None:
        if node not in self._layouts:
            self._layouts[node] = self._layout_of(node)
        return self._layouts[node]

    def _graph_value(self, text: str) -> list[Value] | None:
        name, _, port = text.partition(":")
        node = self._graph.originals.get(name)
        if node is None:
            return None
        if not port:
            return [node.output(0)]
        return [node.output(int(port))] if port.isdecimal() and len(port) < 10 else None

    def _function_values(self, text: str) -> list[Value] | None:
        name, _, rest = text.partition(":")
        node = self._graph.originals.get(name)
        if node is None:
            argument = self._arguments.get(name)
            return [argument] if argument is not None and rest in ("", "0") else None
        arg, _, index = rest.partition(":")
        if not arg or (index and not (index.isdecimal() and len(index) < 10)):
            return None
        layout = self._layout(node)
        if layout is None:
            return [node.output(f"{arg}:{index or 0}")]
        start = 0
        for output, length in layout:
            if output == arg:
                if not index:
                    return [node.output(start + k) for k in range(length)]
                return [node.output(start + int(index))] if int(index) < length else None
            start += length
        return None


def _respell(text: str, value: Value) -> str:
    """Put the current name of a value's producer (or of the argument) into a text that names it."""
    current = value.producer.name if value.producer is not None else value.name
    name, colon, rest = text.partition(":")
    return text if current is None or value.is_dangling or name == current else f"{current}{colon}{rest}"
