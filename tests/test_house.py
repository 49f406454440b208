"""One place for each kind of knowledge, held by reading the source: sets of ops, walks over edges."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from graphsurgeon.ops import catalog
from tests.test_imports import MODULES, name_of, nodes_of, tree_of

CONFTEST = Path(__file__).with_name("conftest.py")
OPS = frozenset(catalog.names())
FEWEST = 3  # names of ops that make a set

# Who may name several ops beside `ops/kinds.py`: tables of what is done for each op, one by one.
MAY_NAME_OPS = {
    "analysis/costs/work.py": "op -> function on shapes",
    "ops/kinds.py": "the place",
    "shapes/elements.py": "op -> function on elements",
    "shapes/tflite.py": "TFLite operator -> the TensorFlow op of the same shapes",
    "surgery/moves/branches/known_scalars.py": "op -> function on scalars",
    "scanning/flow/exact.py": "op -> function on arrays of texts",
    "scanning/flow/fold.py": "op -> function on texts",
    "checks/graphs/lengths.py": "op -> how long the lists of its attributes have to be",
    "checks/graphs/kernels.py": "op -> what its kernel takes of attributes",
}
# One function or rule an op; words of other frameworks.
MAY_NAME_OPS_BELOW = ("shapes/families/", "shapes/onnx/", "patterns/", "lowering/", "kernels/", "formats/stablehlo/")

# Who may walk with a list of what is still to be visited, beside `model/traversal.py`, and why it is no plain walk.
MAY_WALK = {
    "model/traversal.py": {
        "reached",
        "nearest_first",
        "in_preorder",
        "ways",
        "in_postorder",
        "in_order",
        "upstream",
        "downstream",
    },
    # Objects, with the names that lead to them.
    "model/objects.py": {"paths", "paired"},
    "surgery/moves/functions/functionalize.py": {"_paths"},
    # What is known of a node changes as the walk goes on, and nodes are visited again for that.
    "shapes/propagate.py": {"_settle"},
    "surgery/moves/branches/fold_predicates.py": {"_dead"},
    "surgery/moves/branches/known_scalars.py": {"of", "_rank"},
    "surgery/moves/variable_uses.py": {"trace"},
    "surgery/stripping/unneeded.py": {"sort_nodes"},
    # A node is visited with the frames, branches or calls around it, not by itself.
    "analysis/flow/calls.py": {"nodes_inside"},
    "analysis/flow/frames.py": {"_frame_stacks", "_branches"},
    "surgery/freezing/writes.py": {"_inside"},
    "surgery/moves/functions/carry_out.py": {"_no_way"},
    "render/choose/flow.py": {"_enter", "_trace", "insert"},
    "render/choose/select.py": {"run", "_conditions", "_origins", "behind"},
    "scanning/flow/reach.py": {"_spread", "_named_objects"},
    # What ends a walk is answered on the way, beside what it has come to.
    "scanning/flow/training.py": {"is_training_input"},
    # Not a graph, but JSON within JSON.
    "scanning/files/keras.py": {"in_config"},
    "patterns/compiler.py": {"_all"},
    "patterns/routes.py": {"readers"},
    "patterns/subject.py": {"outside_reader"},
    # The graph changes under the walk.
    "surgery/moves/inlining/inline.py": {"run"},
    "surgery/moves/prune.py": {"remove_orphans"},
    "surgery/replacing/exchange.py": {"_sweep"},
    "surgery/optimizing/dead.py": {"remove_dead"},
    # Two graphs at once.
    "compare/align_functions.py": {"follow_calls"},
    "compare/alignment.py": {"_hand_on"},
    # What is looked for is a cycle.
    "checks/graphs/edges.py": {"_find_cycle"},
    # Scopes of a picture, which are opened, joined or written as they are met.
    "render/arrange/compose.py": {"add"},
    "render/arrange/repeats.py": {"fold_repeats"},
    "render/write/dot.py": {"_nest"},
}
WITH_EDGES = (
    "analysis",
    "bridges",
    "checks",
    "compare",
    "model",
    "render",
    "shapes",
    "surgery",
    "scanning",
    "patterns",
)


def test_sets_of_ops_stand_in_one_place() -> None:
    found = {}
    for module in MODULES:
        name = name_of(module)
        if name not in MAY_NAME_OPS and not name.startswith(MAY_NAME_OPS_BELOW) and _spells_enough(module):
            sets = [f"line {line}: {', '.join(sorted(ops))}" for line, ops in op_sets(tree_of(module))]
            found |= {name: sets} if sets else {}
    assert found == {}, "give the set a name in ops/kinds.py"


def _spells_enough(module: Path) -> bool:
    texts = {node.value for node in nodes_of(module) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return len(set().union(*map(_ops_in, texts))) >= FEWEST


@pytest.mark.parametrize(
    "source",
    [
        "X = ('Merge', 'RefMerge', 'Switch')",
        "X = frozenset({'Merge', 'RefMerge'}) | {'Switch'}",
        "X = {'Merge': 1, 'RefMerge': 2, 'Switch': 3}",
        "def f(op): return op == 'Merge' or op == 'RefMerge' or op == 'Switch'",
        "def f(op):\n    return op in ['Merge', 'RefMerge', 'Switch']",
        "def f(op):\n    match op:\n        case 'Merge' | 'RefMerge' | 'Switch':\n            return 1",
        "X = 'Merge RefMerge Switch'.split()",
        "X = re.compile(r'Merge|RefMerge|Switch')",
    ],
)
def test_a_set_is_found_however_it_is_spelled(source: str) -> None:
    assert [ops for _, ops in op_sets(ast.parse(source))] == [{"Merge", "RefMerge", "Switch"}]


def test_what_is_no_set_of_ops() -> None:
    source = "X = ('Merge', 'RefMerge')\n'''Merge RefMerge Switch and more.'''\nY = 'a Merge of three'"
    assert not list(op_sets(ast.parse(source)))


def test_edges_are_walked_in_one_place() -> None:
    walks = {name_of(m): set(worklists(tree_of(m))) for m in MODULES if name_of(m).startswith(WITH_EDGES)}
    assert {name: found for name, found in walks.items() if found - MAY_WALK.get(name, set())} == {}, (
        "use model/traversal.py"
    )
    assert {name: rest for name in MAY_WALK if (rest := MAY_WALK[name] - walks.get(name, set()))} == {}, "no longer so"


@pytest.mark.parametrize(
    "source",
    [
        "def f(w):\n    while w:\n        n = w.pop()\n        w += n.controls",
        "def f(w):\n    while w and len(w) < 9:\n        for n in w.popleft().consumers:\n            w.append(n)",
        "def f(w):\n    for n in w:\n        w.append(n.next)",
        "def f(w):\n    for n in (w := [1]):\n        w += n.others",
    ],
)
def test_a_walk_is_found_however_it_is_spelled(source: str) -> None:
    assert list(worklists(ast.parse(source))) == ["f"]


def test_nothing_is_taken_from_the_front_of_a_list() -> None:
    """`pop(0)` moves all that is behind it: a walk of n steps takes n * n."""
    graphs = [module for module in MODULES if name_of(module).startswith(WITH_EDGES)]
    slow = {name_of(module) for module in graphs for node in nodes_of(module) if _is_front_taken(node)}
    assert slow == set()


def _is_front_taken(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "pop" and ast.unparse(node).endswith("(0)")


def test_definitions_are_asked_for_through_the_vocabulary_of_a_graph() -> None:
    """`catalog.of(node)`: ONNX has an `Add`, a `Max` and an `If` of its own."""
    calls = [(name_of(m), node) for m in MODULES for node in nodes_of(m) if isinstance(node, ast.Call)]
    asked = [(name, call) for name, call in calls if _called(call) == "catalog.get"]
    bare = {name for name, call in asked if re.fullmatch(r"catalog\.get\([\w.]*\.op\)", ast.unparse(call))}
    assert bare - {"ops/catalog.py"} == set()


def test_a_name_of_a_class_means_one_thing() -> None:
    classes = [(one.name, name_of(m)) for m in MODULES for one in nodes_of(m) if isinstance(one, ast.ClassDef)]
    homes: dict[str, list[str]] = {}
    for name, home in classes:
        homes.setdefault(name, []).append(home)
    assert {name: many for name, many in homes.items() if len(many) > 1 and name[0] != "_"} == {}


def test_no_test_looks_at_the_clock() -> None:
    """A busy machine is no fault: `tests/work.py` bounds the work, bytes bound the memory."""
    clock = re.compile(
        r"\btime\.(\w+_ns|perf_counter|process_time|thread_time|monotonic|time)\(|from time import (?!sleep$)"
        r"|\btimeit\b|\bperformance\.now\(|\bDate\.now\(|\bos\.times\(|\bru_[us]time\b|\bdatetime\.now\(",
        re.MULTILINE,
    )
    tests = [path for path in Path(__file__).parent.rglob("*.py") if path != Path(__file__)]
    assert [path.name for path in tests if clock.search(path.read_text("utf-8"))] == []


def test_no_example_has_a_deadline() -> None:
    """The profile of `conftest.py` holds for all, whatever else a test sets."""
    for given in (settings.default, settings(max_examples=3)):
        assert (given.deadline, HealthCheck.too_slow in given.suppress_health_check) == (None, True)
    own = re.compile(r"deadline\s*=(?!None)|suppress_health_check\s*=|load_profile\(")
    tests = [path for path in Path(__file__).parent.rglob("*.py") if path not in (Path(__file__), CONFTEST)]
    assert [path.name for path in tests if own.search(path.read_text("utf-8"))] == []


def test_private_members_of_the_model_are_used_in_the_model_alone() -> None:
    """What a reader or a walk needs of a graph has a public name and a docstring that says what it is for."""
    own = [node for module in MODULES if name_of(module).startswith("model/") for node in nodes_of(module)]
    private = {node.attr for node in own if isinstance(node, ast.Attribute) and _is_of_self(node)}
    found = set()
    for module in MODULES:
        foreign = private - {one.name for one in nodes_of(module) if isinstance(one, ast.FunctionDef)}
        uses = [node for node in nodes_of(module) if isinstance(node, ast.Attribute) and node.attr in foreign]
        if not name_of(module).startswith("model/"):
            found |= {f"{name_of(module)}:{node.lineno}" for node in uses if not _is_of_self(node)}
    assert found == set()


def _is_of_self(node: ast.Attribute) -> bool:
    is_private = node.attr.startswith("_") and not node.attr.startswith("__")
    return is_private and isinstance(node.value, ast.Name) and node.value.id == "self"


def op_sets(tree: ast.Module) -> Iterator[tuple[int, set[str]]]:
    """Yield the line and the names wherever a source spells `FEWEST` names of ops together."""
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        names = set() if id(node) in bare else _named(node)
        if len(names) >= FEWEST:
            yield getattr(node, "lineno", 0), names
        else:
            waiting += ast.iter_child_nodes(node)


def _named(node: ast.AST) -> set[str]:
    """Return the texts that a node holds as members, keys or alternatives of one thing."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return set(_ops_in(node.value))
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        members: list[ast.AST] = list(node.elts)
    elif isinstance(node, ast.Dict):
        members = [key for key in node.keys if key is not None]
    elif isinstance(node, ast.BoolOp):
        members = [n for value in node.values if isinstance(value, ast.Compare) for n in value.comparators]
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        members = [node.left, node.right]
    elif isinstance(node, ast.MatchOr):
        members = [pattern.value for pattern in node.patterns if isinstance(pattern, ast.MatchValue)]
    elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("frozenset", "set"):
        members = list(node.args)
    else:
        return set()
    return set().union(*map(_named, members))


@functools.cache
def _ops_in(text: str) -> frozenset[str]:
    """Return the names of ops that a text is made of; none where it says something else too."""
    words = re.split(r"[\s|()]+", text.strip())
    return OPS.intersection(words) if all(word.isidentifier() for word in words if word) else frozenset()


def worklists(tree: ast.Module) -> Iterator[str]:
    """Yield each function that takes from a list, or goes over it, and adds to it meanwhile."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and any(map(_is_worklist, _own_nodes(function))):
            yield function.name


def _own_nodes(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """Yield what is in a function and not in a function within."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.ClassDef):
            waiting += ast.iter_child_nodes(node)


def _is_worklist(loop: ast.AST) -> bool:
    if isinstance(loop, ast.While):
        lists = {name.id for name in ast.walk(loop.test) if isinstance(name, ast.Name)}
        inner = list(ast.walk(loop))
        return any(_takes_from(name, node) for name in lists for node in inner) and any(
            _adds_to(name, node) for name in lists for node in inner
        )
    if isinstance(loop, ast.For):
        walked = loop.iter.target if isinstance(loop.iter, ast.NamedExpr) else loop.iter
        return isinstance(walked, ast.Name) and any(_adds_to(walked.id, node) for node in ast.walk(loop))
    return False


def _takes_from(name: str, node: ast.AST) -> bool:
    called = _called(node)
    return called in (f"{name}.pop", f"{name}.popleft") or (called == "heapq.heappop" and name in ast.unparse(node))


def _called(node: ast.AST) -> str:
    """Return `x.f` of a call of a function of something that has a name; empty for anything else."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return ""
    return f"{node.func.value.id}.{node.func.attr}" if isinstance(node.func.value, ast.Name) else ""


def _adds_to(name: str, node: ast.AST) -> bool:
    if isinstance(node, ast.AugAssign):
        return isinstance(node.target, ast.Name) and node.target.id == name
    called = _called(node)
    return called in (f"{name}.append", f"{name}.extend") or (called == "heapq.heappush" and name in ast.unparse(node))
