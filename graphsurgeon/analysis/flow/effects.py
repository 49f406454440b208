"""Which nodes do something beside yielding values: assert, print, assign, fill a table, enqueue.

Statefulness in an op's definition is more than that: it also covers reading, creating handles and drawing
random numbers, which nobody notices unless he uses the result. An unknown op is taken to act.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from graphsurgeon.analysis.flow.calls import CALLS, settle
from graphsurgeon.model.graph import Graph, Node
from graphsurgeon.ops import catalog

LOOPS = frozenset({"While", "StatelessWhile"})
BRANCHES = frozenset({"If", "StatelessIf", "Case", "StatelessCase"})
# Ops that run functions on their inputs when they run; they act if one of the functions does.
RUNNERS = CALLS | LOOPS | BRANCHES | {"BatchFunction", "MapDefun", "ReduceDataset", "RemoteCall", "SymbolicGradient"}

_INERT_OPS = """
    VarHandleOp _VarHandlesOp Variable VariableV2 AutoReloadVariable TemporaryVariable ReadVariableOp _ReadVariablesOp
    ReadVariableXlaSplitND ResourceGather ResourceGatherNd VariableShape VarIsInitializedOp IsVariableInitialized
    DisableCopyOnRead LookupTableFind LookupTableFindV2 LookupTableSize LookupTableSizeV2 LookupTableExport
    LookupTableExportV2 Multinomial ParameterizedTruncatedNormal TruncatedNormal NonDeterministicInts
    StatelessRandomGetAlg SampleDistortedBoundingBox SampleDistortedBoundingBoxV2 Restore RestoreSlice RestoreV2
    Iterator IteratorV2 AnonymousIterator AnonymousIteratorV2 AnonymousIteratorV3 OneShotIterator DeviceIndex Empty
    GuaranteeConst DeepCopy Timestamp GlobalIterId _Arg _Retval FIFOQueue FIFOQueueV2 PaddingFIFOQueue
    PaddingFIFOQueueV2 PriorityQueue PriorityQueueV2 RandomShuffleQueue RandomShuffleQueueV2 FakeQueue QueueSizeV2
    QueueIsClosedV2 Barrier MutexV2 GraphDefVersion LoadAndRemapMatrix Skipgram Bucketize PyFuncStateless
    """
_INERT = frozenset(_INERT_OPS.split())
_INERT_PREFIXES = ("Random", "TensorArray", "Stack", "Collective", "IteratorToStringHandle", "IteratorFromStringHandle")
_INERT_PARTS = ("HashTable", "Dataset", "CandidateSampler", "Iterator")
_ACTING = frozenset(
    {
        "DatasetToTFRecord", "ExperimentalDatasetToTFRecord", "SaveDataset", "SaveDatasetV2", "MakeIterator",
        "InitializeTableFromDataset", "IteratorGetNext", "IteratorGetNextSync",
    }
)  # fmt: skip
# Ops on references that hand the reference, or a fact about it, on.
_REF_PASSING = frozenset(
    {
        "RefSwitch", "RefMerge", "RefEnter", "RefExit", "RefNextIteration", "RefIdentity", "RefSelect",
        "IsVariableInitialized",
    }
)  # fmt: skip


class Effects:
    """Answers whether nodes and functions act; remembers the answers, so make one per state of the functions."""

    __slots__ = ("_functions",)

    def __init__(self) -> None:
        self._functions: dict[Graph, bool] = {}

    def of_node(self, node: Node) -> bool:
        """Say whether a node acts when it runs, in a function that it runs included."""
        callee = node.callee
        if callee is not None:
            return self.of_function(callee)
        if node.op in RUNNERS:
            return any(self.of_function(function) for function in node.functions)
        return acts(node.op)

    def of_function(self, function: Graph) -> bool:
        """Say whether any node of a function acts."""
        if function not in self._functions:
            settle(function, self._functions, _acts_itself, _run_by)
        return self._functions[function]


def _acts_itself(function: Graph) -> bool:
    return any(acts(op) for op in function.op_counts if op not in function.metagraph.functions)


def _run_by(function: Graph) -> Iterator[Graph]:
    for node in function.nodes:
        if node.callee is not None:
            yield node.callee
        elif node.op in RUNNERS:
            yield from node.functions


@cache
def acts(op: str) -> bool:
    """Say whether an op acts by itself: asserts, prints, assigns, enqueues; functions it runs are not looked into."""
    opdef = catalog.get(op)
    if opdef is None or op in _ACTING:
        return True
    if any(arg.is_ref for arg in opdef.inputs):
        return op not in _REF_PASSING and op not in _INERT
    if not opdef.is_stateful or op in _INERT or op in RUNNERS or op.startswith(_INERT_PREFIXES):
        return False
    return not any(part in op for part in _INERT_PARTS)
