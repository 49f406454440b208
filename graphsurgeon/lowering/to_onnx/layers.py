"""Layers of a framework that gives its networks as files of layers: the table of what they become, and the walk.

A lowering function takes a `Net` and a `SourceLayer` and returns the ONNX values that the layer's outputs become: one,
or a list. It raises `LoweringError` for what it does not do. All layers that are refused are named at once.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from graphsurgeon.errors import UnsupportedError, UsageError, plural
from graphsurgeon.lowering.scope import Refused
from graphsurgeon.lowering.table import LoweringError
from graphsurgeon.lowering.to_onnx.net import Net
from graphsurgeon.model.dtype import FLOAT32
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.shape import UNKNOWN_RANK, Shape

Result: TypeAlias = "Value | Sequence[Value]"
LayerFn: TypeAlias = "Callable[[Net, SourceLayer], Result]"
_UNKNOWN = "no counterpart in ONNX is known here"


class MissingWeightsError(UnsupportedError):
    """A network whose weights are not there: its structure alone."""


class SourceLayer:
    """One layer of the source: its settings, and what its inputs have become.

    Attributes:
        node: the layer.
        inputs: what its inputs have become, weights included.
    """

    __slots__ = ("inputs", "node", "prefix")

    def __init__(self, node: Node, inputs: Sequence[Value], prefix: str = "") -> None:
        self.node = node
        self.inputs = list(inputs)
        self.prefix = prefix

    def __getitem__(self, index: int) -> Value:
        if index >= len(self.inputs):
            raise LoweringError(f"its input {index} is missing")
        return self.inputs[index]

    def within(self, message: str) -> SourceLayer:
        """Return the same layer with settings of one message of its own: `convolution_param`."""
        return SourceLayer(self.node, self.inputs, f"{message}.")

    def setting(self, name: str) -> Any:
        """Return a setting as Python has it, None where it is missing."""
        value = self.node.attrs.get(self.prefix + name)
        if not isinstance(value, bytes):
            return value
        text = value.decode("utf-8", "replace")
        if text in ("None", ""):
            return None
        if text[:1] in "([":
            try:
                return ast.literal_eval(text.replace("L", ""))  # Python 2 wrote (3L, 3L)
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                return text
        return text

    def has(self, name: str) -> bool:
        """Say whether a setting is there."""
        return self.setting(name) is not None

    def integer(self, name: str, default: int = 0) -> int:
        """Return an integer."""
        value = self.setting(name)
        value = value[0] if isinstance(value, list | tuple) and value else value
        return int(value) if isinstance(value, int | float) else default

    def number(self, name: str, default: float = 0.0) -> float:
        """Return a number."""
        value = self.setting(name)
        return float(value) if isinstance(value, int | float) else default

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a switch."""
        value = self.setting(name)
        return value.lower() == "true" if isinstance(value, str) else default if value is None else bool(value)

    def text(self, name: str, default: str = "") -> str:
        """Return a word."""
        value = self.setting(name)
        return default if value is None else str(value)

    def numbers(self, name: str) -> list[float]:
        """Return a list of numbers, a single one as a list; empty where it is missing."""
        value = self.setting(name)
        items = value if isinstance(value, list | tuple) else [] if value is None else [value]
        return [item for item in items if isinstance(item, int | float)]

    def integers(self, name: str) -> list[int]:
        """Return a list of integers, a single one as a list; empty where it is missing."""
        return [int(item) for item in self.numbers(name)]


class LayerTable:
    """What the layers of one framework become.

    Attributes:
        package: its modules hold the functions, by family.
    """

    def __init__(self, package: str) -> None:
        self.package = package
        self._functions: dict[str, LayerFn] = {}
        self._is_loaded = False

    def lowers(self, *kinds: str) -> Callable[[LayerFn], LayerFn]:
        """Enter the decorated function for kinds of layers; may stand several times."""

        def decorate(function: LayerFn) -> LayerFn:
            for kind in kinds:
                assert kind not in self._functions, f"two lowering functions for {kind}"
                self._functions[kind] = function
            return function

        return decorate

    def functions(self) -> Mapping[str, LayerFn]:
        """Return all functions by the kind of layer; the families are imported at the first call."""
        if not self._is_loaded:
            self._is_loaded = True
            for module in pkgutil.iter_modules(importlib.import_module(self.package).__path__):
                importlib.import_module(f"{self.package}.{module.name}")
        return self._functions


class LayerWalk:
    """A graph of layers while it becomes one of ONNX.

    Attributes:
        graph: of the source.
        net: of ONNX.
        refused: the layers that were not lowered.
        labelled: kinds of layers whose inputs behind the first are labels, which are left out.
    """

    def __init__(
        self, graph: Graph, table: LayerTable, shapes: Mapping[str, Shape], labelled: frozenset[str] = frozenset()
    ) -> None:
        self.graph = graph
        self.net = Net(graph.name or "net", graph.metagraph.producer)
        self.refused: list[Refused] = []
        self.labelled = labelled
        self._table = table
        self._values: dict[Value, Value | None] = {}
        self._given = dict(shapes)
        names = [value.name or "" for value in graph.inputs]
        unknown = [name for name in shapes if name not in names]
        if unknown:
            what = f"a shape is given for {unknown[0]!r}, which is no input of the model"
            raise UsageError(what, hint=f"one of {', '.join(names)}")

    def input(self, value: Value, guess: Shape = UNKNOWN_RANK) -> None:
        """Make an input; its shape is the one given, that of the file, or else what its readers tell."""
        name = value.name or "data"
        own = value.shape if value.shape is not None and value.shape.dims is not None else guess
        shape = self._given.get(name, own)
        if shape.dims is None:
            self.refused.append(Refused(name, "input", "its shape is not in the file: give it with --shape"))
        self._values[value] = self.net.input(name, value.dtype or FLOAT32, shape)

    def run(self, nodes: Sequence[Node] | None = None) -> None:
        """Lower layers, all without a list; nothing where the shape of an input is not known."""
        if self.refused:
            return
        for node in self.graph.nodes if nodes is None else nodes:
            self._run(node)

    def output(self, value: Value, name: str) -> None:
        """Make a value of the source an output."""
        found = self.found(value)
        if found is None:
            raise UnsupportedError(f"nothing yields the output {name!r}")
        self.net.output(found, name)

    def found(self, value: Value) -> Value | None:
        """Return what a value of the source has become."""
        if value.tensor is not None:
            return self.net.weight(value)
        return self._values.get(value)

    def _run(self, node: Node) -> None:
        function = self._table.functions().get(node.op)
        self.net.layer = node.name
        try:
            if function is None:
                raise LoweringError(_UNKNOWN)
            read = node.inputs[:1] if node.op in self.labelled else node.inputs
            inputs = [self.found(value) for value in read]
            here = [value for value in inputs if value is not None]
            if len(here) != len(inputs):
                return  # of a layer that was refused: that one is named
            made = function(self.net, SourceLayer(node, here))
            results = [made] if isinstance(made, Value) else list(made)
            self.net.name_results(results, [value.name or node.name for value in node.outputs])
            self._values |= dict(zip(node.outputs, results, strict=False))
        except LoweringError as error:
            self.refused.append(Refused(node.name, node.op, str(error)))


def require_weights(missing: Sequence[str], total: int) -> None:
    """Refuse a network without its weights.

    Raises:
        MissingWeightsError: some are missing.
    """
    if missing:
        shown = ", ".join(missing[:4]) + (" ..." if len(missing) > 4 else "")
        what = "the weights are missing" if len(missing) >= total else f"{plural(len(missing), 'weight')} missing"
        raise MissingWeightsError(f"{what}: {shown}")
