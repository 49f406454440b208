"""Which readers of files feed the training of a graph, and would not run when it serves."""

from __future__ import annotations

from graphsurgeon.model.graph import Node
from graphsurgeon.ops.kinds import VARIABLES

_ENDS = ("Queue", "Iterator", "Dataset", "Barrier")
_READERS = ("Reader", "Dataset", "MatchingFiles")
_MOST = 10_000


def is_training_input(node: Node) -> bool:
    """Say whether whatever comes of the files that a node reads ends in a queue, an iterator or a data set.

    A graph without variables is not trained: there it is input like any other.
    """
    if not any(word in node.op for word in _READERS) or not node.consumers:
        return False
    if not any(op in node.graph.op_counts for op in VARIABLES):
        return False
    seen = {node}
    waiting = [node]
    while waiting and len(seen) < _MOST:
        one = waiting.pop()
        users = [user for user in one.consumers if user not in seen]
        if not users and not one.consumers and one is not node:
            return False  # an end that is none of these
        for user in users:
            seen.add(user)
            if not any(word in user.op for word in _ENDS):
                waiting.append(user)
    return True
