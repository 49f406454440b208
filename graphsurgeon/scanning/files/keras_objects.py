"""What one object of a Keras configuration asks for when it is loaded: code, modules, functions, files."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

from graphsurgeon.scanning.files import pickles
from graphsurgeon.scanning.finding import Severity, Threat
from graphsurgeon.scanning.table import ACTS, rules

_OWN = (
    "keras",
    "keras_hub",
    "keras_nlp",
    "keras_cv",
    "keras_core",
    "keras_tuner",
    "tf_keras",
    "tensorflow",
    "builtins",
)
# Functions of these packages that do more than compute, when a configuration names them.
_REACHING = {
    "get_file", "load_model", "load_weights", "save_model", "save_weights", "load_img", "save_img", "load", "save",
    "image_dataset_from_directory", "text_dataset_from_directory", "audio_dataset_from_directory", "load_data",
    "timeseries_dataset_from_array", "func_load", "enable_unsafe_deserialization", "extract_archive", "plot_model",
    "load_op_library", "load_library", "load_file_system_library", "py_function", "numpy_function", "py_func",
    "eager_py_func", "read_file", "write_file", "matching_files", "write_graph", "model_from_json",
}  # fmt: skip
_BUILTINS = {
    "exec", "eval", "compile", "__import__", "open", "getattr", "setattr", "delattr", "globals", "locals", "vars",
    "input", "breakpoint",
}  # fmt: skip
READS = ("vocabulary", "vocabulary_file", "origin", "cache_dir")  # keys of files that loading reads
_OP = re.compile(r"""["']?\bop["']?\s*:\s*["'](\w+)["']""")  # of a NodeDef as text or JSON
_OF_TENSORFLOW = ("TFOpLambda", "ClassMethod", "InstanceMethod", "SlicingOpLambda")
_BYTE_CODE = "holds Python byte code, which loading unpacks and a call runs"


def threats(item: dict[str, object], way: tuple[str, ...]) -> Iterator[Threat]:
    """Yield what one object could do; objects in it are not looked at.

    Args:
        item: a dictionary of a configuration, which is an object where it has a `class_name`.
        way: names that lead to it.
    """
    kind, module, config = item.get("class_name"), item.get("module"), item.get("config")
    if not isinstance(kind, str):
        return
    settings = config if isinstance(config, dict) else {}
    name = config if kind == "function" and isinstance(config, str) else kind
    if kind == "Lambda" and settings:
        yield _lambda(settings, way)
    elif kind == "__lambda__":
        yield threat("high", "Lambda", _BYTE_CODE, way)
    elif isinstance(module, str) and (not _is_own(module) or (module == "builtins" and name in _BUILTINS)):
        what = "imports a Python module and calls what it names there"
        yield threat(_of_module(module), name, what, way, f"{module}.{name}")
    elif kind in _PAYLOADS:
        yield from _PAYLOADS[kind](settings, way)
    elif _reaches(name):
        target = settings.get("origin")
        what = "calls a function that reaches files or the network"
        yield threat("high", name, what, way, target if isinstance(target, str) else name)
    else:
        yield from _custom(item.get("registered_name"), way)


def _custom(registered: object, way: tuple[str, ...]) -> Iterator[Threat]:
    if isinstance(registered, str) and ">" in registered and not _is_own(registered.partition(">")[0]):
        what = "a custom class or function, which whoever loads the model must bring"
        yield threat("medium", registered, what, way)


def read_by(settings: dict[str, object], kind: str, way: tuple[str, ...]) -> Iterator[Threat]:
    """Yield files and addresses that loading reads, by the keys that name them."""
    for key in READS:
        value = settings.get(key)
        value = value.get("config") if isinstance(value, dict) else value
        if isinstance(value, str) and value:
            is_file = "://" not in value or value.startswith("file://")
            what = "reads a file when it is loaded" if is_file else "reads from an address when it is loaded"
            yield threat("high", kind or None, what, way, value)


def _reaches(name: str) -> bool:
    last = name.rpartition(".")[2]
    rule = rules().get(last)
    return last in _REACHING or (rule is not None and rule.kind in ACTS)


def _of_module(module: str) -> Severity:
    """Return how bad it is to import a module: one that runs programs, another, or that of the program itself."""
    if module.partition(".")[0] in pickles.RUNNERS or module in pickles.RUNNERS:
        return "critical"
    return "medium" if module == "__main__" else "high"


def _lambda(config: dict[str, object], way: tuple[str, ...]) -> Threat:
    name = str(config.get("name") or "lambda")
    function, module = config.get("function"), config.get("module")
    is_code = config.get("function_type") == "lambda" or isinstance(function, list)
    if isinstance(function, dict):
        is_code = function.get("class_name") == "__lambda__" or is_code
    elif config.get("function_type") not in ("function", "raw") and isinstance(function, str):
        is_code = is_code or len(function) > 200
    if is_code:
        return threat("high", "Lambda", _BYTE_CODE, (*way, name))
    what = "calls a Python function by name, which whoever loads the model must bring"
    target = function if isinstance(function, str) else function.get("config") if isinstance(function, dict) else None
    target = target if isinstance(target, str) else None
    if isinstance(module, str) and module and not _is_own(module):
        return threat(_of_module(module), "Lambda", what, (*way, name), f"{module}.{target}")
    return threat("medium", "Lambda", what, (*way, name), target)


def _of_torch(settings: dict[str, object], way: tuple[str, ...]) -> Iterator[Threat]:
    """Judge the pickle of a PyTorch module that a layer holds in base64."""
    text = settings.get("module")
    text = text.get("value") if isinstance(text, dict) else text
    try:
        data = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except ValueError:
        data = b""
    found = [one for one in pickles.threats(data, " > ".join(way)) if one.kind == "pickle"] if data else []
    yield from found
    if not found or all(one.severity == "info" for one in found):
        yield threat("high", "TorchModuleWrapper", "holds a Python pickle, which loading unpacks", way)


def _of_saved_model(settings: dict[str, object], way: tuple[str, ...]) -> Iterator[Threat]:
    path = settings.get("filepath")
    what = "loads another SavedModel when it is loaded"
    yield threat("high", "TFSMLayer", what, way, path if isinstance(path, str) else None)


def _of_op(settings: dict[str, object], way: tuple[str, ...]) -> Iterator[Threat]:
    """Judge a layer that is a function, or an op, of TensorFlow by its name."""
    function, node = settings.get("function"), settings.get("node_def")
    names = [function] if isinstance(function, str) else []
    names += _OP.findall(node) if isinstance(node, str) else []
    names += [node["op"]] if isinstance(node, dict) and isinstance(node.get("op"), str) else []
    for name in names:
        if _reaches(name):
            constants = settings.get("constants")
            texts = (
                [text for text in constants.values() if isinstance(text, str)] if isinstance(constants, dict) else []
            )
            op = name.rpartition(".")[2]
            yield threat("high", op, "runs an op that reaches files or the network", way, ", ".join(texts) or name)


_PAYLOADS = {
    "TorchModuleWrapper": _of_torch,
    "TFSMLayer": _of_saved_model,
    "TensorFlowOpLayer": _of_op,
    **dict.fromkeys(_OF_TENSORFLOW, _of_op),
}


def _is_own(module: str) -> bool:
    root = module.partition(".")[0]
    return root in _OWN or (module in ("", "Custom") and root != "Custom")


def threat(severity: Severity, op: str | None, what: str, way: tuple[str, ...], target: str | None = None) -> Threat:
    """Return what loading a configuration does."""
    return Threat(severity, op, what, " > ".join(way) or "config", "load", target, "code")
