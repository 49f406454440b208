"""The architecture, held by reading the source: who may import whom, and who may open a file."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

from graphsurgeon.formats import registry

PACKAGE = Path(__file__).resolve().parents[1] / "graphsurgeon"
MODULES = sorted(PACKAGE.rglob("*.py"))

# A layer, and what it may import besides itself. The order is the one of docs/concepts.md.
BYTES = {"errors", "disk", "encoding"}
BELOW_ANALYSIS = {"errors", "model", "ops", "shapes"}
LAYERS = {
    "errors": set[str](),
    "disk": {"errors"},
    "encoding": {"errors", "disk"},
    "model": {"errors", "disk"},
    "ops": {"errors", "encoding", "model"},
    "shapes": {"errors", "model", "ops"},
    "patterns": BELOW_ANALYSIS,
    "kernels": {"errors", "model", "ops"},
    "lowering": BELOW_ANALYSIS | {"disk", "kernels"},
    "analysis": BELOW_ANALYSIS | {"encoding", "patterns"},
    "surgery": BELOW_ANALYSIS | {"analysis", "kernels", "lowering", "patterns"},
    "formats": BYTES | {"model", "ops"},
    "compare": BYTES | BELOW_ANALYSIS | {"analysis", "formats"},
    "render": BELOW_ANALYSIS | {"analysis", "compare", "patterns"},
    "checks": BYTES | BELOW_ANALYSIS | {"analysis", "formats"},
    "fleet": BYTES | BELOW_ANALYSIS | {"analysis", "formats", "checks", "scanning", "export"},
    "scanning": BYTES | BELOW_ANALYSIS | {"analysis", "formats", "kernels"},
    "edit": BYTES | BELOW_ANALYSIS | {"analysis", "surgery", "formats", "checks"},
    "export": BYTES | {"model", "formats"},
    "bridges": BYTES
    | BELOW_ANALYSIS
    | {"analysis", "patterns", "surgery", "formats", "checks", "compare", "edit", "export", "scanning"},
}
EVERYTHING = {*LAYERS, "cli"}
LAYERS |= {"adapters": BELOW_ANALYSIS | {"analysis", "formats", "render"}}
LAYERS |= {"cli": EVERYTHING, "__main__": {"cli"}, "moved": set(), "__init__": {*EVERYTHING, "moved"} - {"cli"}}

MESSAGES = {"google", "flatbuffers", "tflite"}
RUNNERS = {"tensorflow", "keras", "tf_keras", "ai_edge_litert", "tf2onnx", "onnx", "onnxruntime"}

OPENERS = {"open", "fdopen", "read_bytes", "read_text", "write_bytes", "write_text", "mkstemp", "NamedTemporaryFile"}
# Files are read through disk/files.py, written through disk/atomic.py; the rest reads the package's own data,
# or what lies in an archive.
FILELESS = set(LAYERS) - {"bridges", "cli", "__main__", "__init__"}
MAY_OPEN = {
    "disk/files.py", "disk/append.py", "disk/atomic.py", "formats/schema/__init__.py",
    "ops/catalog.py", "ops/onnx.py", "ops/tflite.py", "ops/tflite_converter.py",
    "patterns/rules/__init__.py", "render/assets/__init__.py", "scanning/files/archives.py",
    "scanning/files/foreign.py", "scanning/files/pickles.py",
    "scanning/modules.py", "scanning/other_ops.py",
    "scanning/table.py",
}  # fmt: skip


def name_of(module: Path) -> str:
    return module.relative_to(PACKAGE).as_posix()


def layer_of(module: Path) -> str:
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


@functools.cache
def tree_of(module: Path) -> ast.Module:
    """Return a module's syntax tree."""
    return ast.parse(module.read_text("utf-8"))


@functools.cache
def nodes_of(module: Path) -> list[ast.AST]:
    """Return every node of a module's syntax tree."""
    return list(ast.walk(tree_of(module)))


@functools.cache
def imports(module: Path) -> list[tuple[str, bool]]:
    """Return each imported dotted name, and whether it is imported inside a function."""
    found = []
    waiting: list[tuple[ast.AST, bool]] = [(tree_of(module), False)]
    while waiting:
        node, inside = waiting.pop()
        if isinstance(node, ast.Import):
            found += [(alias.name, inside) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [(f"{node.module}.{alias.name}", inside) for alias in node.names]
        elif not isinstance(node, ast.expr):  # which holds no statement
            inside = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            waiting += ((child, inside) for child in ast.iter_child_nodes(node))
    return found


def test_layers() -> None:
    assert {layer_of(module) for module in MODULES} - set(LAYERS) == set(), "say in LAYERS where they stand"
    offenders = {}
    for module in MODULES:
        own = {name.split(".")[1] for name, _ in imports(module) if name.startswith("graphsurgeon.")}
        offenders[name_of(module)] = own - LAYERS[layer_of(module)] - {layer_of(module), "__version__"}
    assert only_some(offenders) == {}


def test_messages_only_in_formats_and_runners_only_in_bridges() -> None:
    offenders = {}
    for module in MODULES:
        roots = {(name.split(".")[0], inside) for name, inside in imports(module)}
        messages = set[str]() if layer_of(module) == "formats" else {root for root, _ in roots} & MESSAGES
        is_bridge = layer_of(module) == "bridges"
        runners = {root for root, inside in roots if root in RUNNERS and not (is_bridge and inside)}
        offenders[name_of(module)] = messages | runners
    assert only_some(offenders) == {}


def test_files_are_opened_in_one_place() -> None:
    offenders = {}
    for module in MODULES:
        calls = [node.func for node in nodes_of(module) if isinstance(node, ast.Call)]
        called = {call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "") for call in calls}
        if layer_of(module) in FILELESS and name_of(module) not in MAY_OPEN:
            offenders[name_of(module)] = called & OPENERS
    assert only_some(offenders) == {}


def test_files_are_written_through_two_doors() -> None:
    """Models go out through `formats/writing.py`, everything else through `export.py`: each has the guard."""
    callers = {}
    for module in MODULES:
        named = {alias.name for node in nodes_of(module) if isinstance(node, ast.ImportFrom) for alias in node.names}
        called = {getattr(node.func, "attr", "") for node in nodes_of(module) if isinstance(node, ast.Call)}
        callers[name_of(module)] = (named | called) & {"write_file", "write_tree", "write_group"}
    assert set(only_some(callers)) == {"formats/writing.py", "export.py"}


# The record of a format, the modules that read and write one, and what goes by the kinds of files or by frameworks
# may say names.
NAMES_FORMATS = (
    "formats/", "model/format.py", "scanning/files/foreign.py", "render/scene/frameworks.py", "render/scene/layers.py",
)  # fmt: skip


def test_formats_are_asked_for_what_they_can_do() -> None:
    """No comparison with the name or the record of a format, and no list of names, outside of `formats/`."""
    names = {record.name for record in registry.formats()}
    offenders = {}
    for module in MODULES:
        if not name_of(module).startswith(NAMES_FORMATS):
            offenders[name_of(module)] = {found for node in nodes_of(module) for found in formats_named(node, names)}
    assert only_some(offenders) == {}


def formats_named(node: ast.AST, names: set[str]) -> Iterator[str]:
    """Yield the formats that a comparison names, and those that stand together in a collection or as keys."""
    if isinstance(node, ast.Compare):
        inside = [part for side in (node.left, *node.comparators) for part in ast.walk(side)]
        yield from (part.value for part in inside if isinstance(part, ast.Constant) and part.value in names)
        yield from (f"registry.{part.attr}" for part in inside if is_record(part))
    members = getattr(node, "keys", None) if isinstance(node, ast.Dict) else getattr(node, "elts", None)
    texts = {member.value for member in members or () if isinstance(member, ast.Constant)} & names
    if len(texts) > 1:
        yield from texts


def is_record(node: ast.AST) -> TypeGuard[ast.Attribute]:
    """Say whether this is the record of a format, as `registry.GRAPH_DEF`."""
    of_registry = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "registry"
    return of_registry and isinstance(node, ast.Attribute) and node.attr.isupper()


def test_a_comparison_with_a_format_is_found() -> None:
    texts = ('model.format == "tflite"', 'x in ("graph_def",)', "{'graph_def': 1, 'tflite': 2}", "t == registry.ABC")
    for text in texts:
        found = [name for node in ast.walk(ast.parse(text)) for name in formats_named(node, {"tflite", "graph_def"})]
        assert found, text


def test_sizes() -> None:
    offenders = {}
    for module in MODULES:
        functions = [node for node in nodes_of(module) if isinstance(node, ast.FunctionDef)]
        long = {function.name for function in functions if (function.end_lineno or 0) - function.lineno >= 60}
        is_long = len(module.read_text("utf-8").splitlines()) > 500
        offenders[name_of(module)] = long | ({"the file"} if is_long else set())
    assert only_some(offenders) == {}


def only_some(offenders: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return the modules that have something to say, for a message that names them all at once."""
    return {module: found for module, found in offenders.items() if found}
