"""The architecture, held by reading the source: who may import whom, and who may open a file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "graphsurgeon"
MODULES = sorted(PACKAGE.rglob("*.py"))

# A layer, and what it may import besides itself. The order is the one of docs/concepts.md.
BELOW_ANALYSIS = {"errors", "model", "ops", "shapes"}
LAYERS = {
    "errors": set[str](),
    "model": {"errors"},
    "ops": {"errors", "model"},
    "shapes": {"errors", "model", "ops"},
    "analysis": BELOW_ANALYSIS,
    "surgery": BELOW_ANALYSIS | {"analysis"},
    "render": BELOW_ANALYSIS | {"analysis"},
    "formats": {"errors", "model", "ops"},
    "verify": BELOW_ANALYSIS | {"analysis", "formats"},
    "edit": BELOW_ANALYSIS | {"analysis", "surgery", "formats", "verify"},
    "bridges": BELOW_ANALYSIS | {"analysis", "surgery", "formats", "verify", "edit"},
}
EVERYTHING = {*LAYERS, "cli"}
LAYERS |= {"cli": EVERYTHING, "__main__": {"cli"}, "__init__": EVERYTHING - {"cli"}}

MESSAGES = {"google", "flatbuffers", "tflite"}
RUNNERS = {"tensorflow", "keras", "tf_keras", "ai_edge_litert", "tf2onnx", "onnx", "onnxruntime"}

OPENERS = {"open", "fdopen", "read_bytes", "read_text", "write_bytes", "write_text", "mkstemp", "NamedTemporaryFile"}
# Files are read through formats/files.py, written through formats/atomic.py; three modules read the package's own data.
FILELESS = {"errors", "model", "ops", "shapes", "analysis", "surgery", "render", "formats", "verify"}
MAY_OPEN = {
    "formats/files.py", "formats/atomic.py", "formats/schema/__init__.py", "ops/catalog.py",
    "render/assets/__init__.py",
}  # fmt: skip


def name_of(module: Path) -> str:
    return module.relative_to(PACKAGE).as_posix()


def layer_of(module: Path) -> str:
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(module: Path) -> Iterator[tuple[str, bool]]:
    """Yield each imported dotted name, and whether it is imported inside a function."""
    tree = ast.parse(module.read_text("utf-8"))
    in_functions = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in in_functions) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((f"{node.module}.{alias.name}", id(node) in in_functions) for alias in node.names)


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_layers(module: Path) -> None:
    layer = layer_of(module)
    assert layer in LAYERS, f"say in LAYERS where {layer} stands"
    own = {name.split(".")[1] for name, _ in imports(module) if name.startswith("graphsurgeon.")}
    assert own - LAYERS[layer] - {layer, "__version__"} == set()


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_messages_only_in_formats_and_runners_only_in_bridges(module: Path) -> None:
    roots = {(name.split(".")[0], inside) for name, inside in imports(module)}
    if layer_of(module) != "formats":
        assert {root for root, _ in roots} & MESSAGES == set()
    allowed = {(root, True) for root in RUNNERS} if layer_of(module) == "bridges" else set()
    assert {pair for pair in roots if pair[0] in RUNNERS} - allowed == set()


@pytest.mark.parametrize("module", [m for m in MODULES if layer_of(m) in FILELESS], ids=name_of)
def test_files_are_opened_in_one_place(module: Path) -> None:
    calls = [node.func for node in ast.walk(ast.parse(module.read_text("utf-8"))) if isinstance(node, ast.Call)]
    called = {call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "") for call in calls}
    if name_of(module) not in MAY_OPEN:
        assert called & OPENERS == set()


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_sizes(module: Path) -> None:
    source = module.read_text("utf-8")
    assert len(source.splitlines()) <= 500
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    lines = {function.name: (function.end_lineno or 0) - function.lineno + 1 for function in functions}
    assert {name: count for name, count in lines.items() if count > 60} == {}
