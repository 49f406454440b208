"""Case by nested If: what chooses among many functions, for converters that know the choice between two."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphsurgeon.analysis.flow.attributes import attribute, dtype_of
from graphsurgeon.model.dtype import BOOL, INT32
from graphsurgeon.model.graph import AttrValue, FunctionRef, Graph, Node, Output, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.model.traversal import in_postorder
from graphsurgeon.ops.kinds import CASES

_IF_OF = {"Case": "If", "StatelessCase": "StatelessIf"}


@dataclass(frozen=True)
class NestReport:
    """How many Case nodes became nested Ifs."""

    nested: int

    def told(self) -> list[str]:
        """Return what is told of it: a line, or nothing where there was no Case."""
        return ["Case by nested Ifs"] if self.nested else []


def nest_cases(model: Model) -> NestReport:
    """Make every Case a chain of Ifs, of the first branch and a function that chooses among the others.

    An index that names no branch stands for the last one, as it does in TensorFlow.
    """
    nested = 0
    while chains := [chain for metagraph in model.metagraphs for chain in _chains(metagraph)]:
        for chain in chains:  # of a function that holds itself there may be more in a copy
            chain.nest()
        nested += len(chains)
    return NestReport(nested)


def _chains(metagraph: MetaGraph) -> Iterator[_Chain]:
    inner_first = in_postorder(metagraph.graphs, _called)  # branches are copied when there is no Case left in them
    for node in [node for graph in inner_first for node in graph.nodes if node.op in CASES]:
        branches = attribute(node, "branches")
        named = branches if isinstance(branches, list) else []
        known = [ref for ref in named if isinstance(ref, FunctionRef) and ref.graph is not None]
        if known and len(known) == len(named):
            yield _Chain(metagraph, node, known)


def _called(graph: Graph) -> list[Graph]:
    return [function for node in graph.nodes for function in node.functions]


class _Chain:
    """A Case, and the Ifs that take its place."""

    def __init__(self, metagraph: MetaGraph, case: Node, branches: Sequence[FunctionRef]) -> None:
        self.metagraph = metagraph
        self.case = case
        self.op = _IF_OF[case.op]
        self.branches = branches
        self.attrs: dict[str, AttrValue] = {
            key: case.attrs[key] for key in ("Tout", "output_shapes") if key in case.attrs
        }

    def nest(self) -> None:
        index, *given = self.case.inputs
        if len(self.branches) == 1:
            attrs: dict[str, AttrValue] = {"f": self.branches[0], "Tin": _types(given), "Tout": self.attrs["Tout"]}
            self.case.become("PartitionedCall", given, attrs)
            return
        op, inputs, attrs = self._choice(self.case.graph, self.case.name, 0, index, given)
        self.case.become(op, inputs, attrs)

    def _choice(
        self, graph: Graph, name: str, first: int, index: Value, given: Sequence[Value]
    ) -> tuple[str, list[Value], dict[str, AttrValue]]:
        """Return op, inputs and attributes of the If between the branch of a number and all later ones."""
        number = graph.add_node("Const", graph.unique_name(f"{name}/number"), [], {"dtype": INT32, "value": first})
        is_first = graph.add_node("Equal", graph.unique_name(f"{name}/is_{first}"), [index, number.output()])
        then, other = self.branches[first], self.branches[first + 1]
        if first + 2 < len(self.branches):
            # Both functions of an If take the same: the branch, which needs no index, gets one as well.
            then, other, given = self._with_index(then), self._later(first + 1), [index, *given]
        ways: dict[str, AttrValue] = {"then_branch": then, "else_branch": other}
        return self.op, [is_first.output(), *given], {**self.attrs, "Tcond": BOOL, "Tin": _types(given), **ways}

    def _with_index(self, branch: FunctionRef) -> FunctionRef:
        assert branch.graph is not None
        clone = branch.graph.clone(self.metagraph.unique_function_name(f"{branch.name}_of_index"))
        index = Value(clone, None, 0, clone.unique_name("branch_index"))
        index.dtype = INT32
        clone.inputs = [index, *clone.inputs]
        self.metagraph.add_function(clone)
        return FunctionRef(clone, attrs=branch.attrs)

    def _later(self, first: int) -> FunctionRef:
        """Enter a function that takes the index and what branches take, and chooses among them from a number on."""
        sample = self.branches[first].graph
        assert sample is not None
        function = self.metagraph.new_function(self.metagraph.unique_function_name(f"{sample.name}_or_later"))
        values = [Value(function, None, 0, "branch_index")]
        values += [Value(function, None, 0, f"given_{number}") for number in range(len(sample.inputs))]
        for value, dtype in zip(values, [INT32, *(argument.dtype for argument in sample.inputs)], strict=True):
            value.dtype = dtype
        function.inputs = values
        op, inputs, attrs = self._choice(function, "choice", first, values[0], values[1:])
        inner = function.add_node(op, "choice", inputs, attrs)
        function.outputs = [
            Output(f"result_{number}", inner.output(number), result.dtype)
            for number, result in enumerate(sample.outputs)
        ]
        return FunctionRef(function)


def _types(values: Sequence[Value]) -> list[AttrValue]:
    return [dtype_of(value) for value in values]
