"""Tell text files apart: text protobufs by the names of their fields, JSON by its keys, pages and programs.

Looks at the head of a file only, and parses nothing: a few names at the outermost level decide.
"""

from __future__ import annotations

import re

HEAD = 256 << 10  # bytes looked at

_NUMBER_OF_NAMES = 200  # fields of a text that are looked at
_TOKENS = re.compile(
    r'"(?:\\.|[^"\\\n])*"?|\'(?:\\.|[^\'\\\n])*\'?|#[^\n]*|(?P<open>[{<])|(?P<close>[}>])'
    r"|(?P<name>[A-Za-z_]\w*)(?=\s*(?:[{<]|:(?!\s*-\s)))"  # not the lists of YAML
)
_JSON_LIST = re.compile(r'\[\s*[\[{"\d\]-]')
_TEXT_START = re.compile(r"(?:\s|#[^\n]*\n)*[A-Za-z_]\w*\s*[:{<]")

# Outermost field names -> what the file is, most telling first. A tuple means: all of these, `a.b` is b inside a.
_MESSAGES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("saved_model_schema_version",), "saved_model"),
    (("meta_graphs",), "saved_model"),
    (("graph_def",), "meta_graph"),
    (("meta_info_def",), "meta_graph"),
    (("signature_def",), "meta_graph"),
    (("collection_def",), "meta_graph"),
    (("saver_def",), "meta_graph"),
    (("opset_import",), "onnx_text"),
    (("ir_version",), "onnx_text"),
    (("node.calculator",), "mediapipe"),
    (("input_stream",), "mediapipe"),
    (("op.input_arg",), "op_list"),
    (("op.output_arg",), "op_list"),
    (("op.type",), "caffe2"),
    (("external_input",), "caffe2"),
    (("external_output",), "caffe2"),
    (("node.op", "node.attr"), "graph_def"),
    (("node.op",), "graph_def"),
    (("library",), "graph_def"),
    (("versions",), "graph_def"),
    (("node.name",), "graph_def"),
    (("node.op_type",), "onnx_text"),
    (("layer",), "caffe_text"),
    (("layers",), "caffe_text"),
    (("input_dim",), "caffe_text"),
    (("base_lr",), "caffe_text"),
    (("item",), "label_map"),
    (("train_config",), "pipeline_config"),
    (("model_config_list",), "serving_config"),
    (("model_checkpoint_path",), "checkpoint_state"),
    (("all_model_checkpoint_paths",), "checkpoint_state"),
    (("backend",), "triton_config"),
    (("max_batch_size",), "triton_config"),
    (("op.name",), "op_list"),
)
_JSON_KEYS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("modelTopology", "class_name"), "tfjs_layers"),
    (("modelTopology", "model_config"), "tfjs_layers"),
    (("modelTopology",), "tfjs_graph"),
    (("weightsManifest",), "tfjs_graph"),
    (("weights", "paths"), "tfjs_weights"),
    (("arg_nodes", "heads"), "mxnet_symbol"),
    (("irVersion", "opsetImport"), "onnx_json"),
    (("node", "op", "attr"), "graph_json"),
    (("class_name", "config"), "keras_json"),
    (("weight_map",), "torch_index"),
    (("architectures",), "hugging_face_config"),
    (("model_type",), "hugging_face_config"),
    (("cells", "nbformat"), "notebook"),
    (("error",), "json_error"),
    (("message",), "json_error"),
)
_STARTS: tuple[tuple[str, str], ...] = (
    ("version https://git-lfs.github.com/spec", "lfs"),
    ("<!doctype html", "html"),
    ("<html", "html"),
    ("<head", "html"),
    ("<?xml", "xml"),
    ("<net ", "openvino"),
    ("<error>", "xml"),
    ("7767517", "ncnn"),
    ("#!", "program"),
    ("import ", "program"),
    ("from ", "program"),
    ("def ", "program"),
    ("module ", "mlir"),
    ("func.func ", "mlir"),
    ("#map", "mlir"),
    ("#loc", "mlir"),
)


def decode(head: bytes) -> str | None:
    """Return the text that the head of a file holds, None if it is binary. A few damaged bytes are let pass."""
    text = head.decode("utf-8", "replace").removeprefix("\ufeff")
    strange = sum(text.count(sign) for sign in _STRANGE)
    return text if head and strange <= 1 + len(text) // 500 else None


def kind(text: str) -> str:
    """Name what a text is: a format of ours, a key of `foreign.FOREIGN`, or "text"."""
    stripped = text.lstrip()
    lowered = stripped[:100].lower()
    for start, found in _STARTS:
        if lowered.startswith(start):
            return _kind_of_xml(stripped[:2000]) if found == "xml" else found
    if stripped[:1] == "{" or _JSON_LIST.match(stripped):
        return _kind_of_json(stripped)
    if _TEXT_START.match(stripped):
        names = _names(stripped)
        for wanted, found in _MESSAGES:
            if names.issuperset(wanted):
                return found
        if "{" in stripped:
            return "text_proto"
    return "text"


_STRANGE = ["\ufffd", *(chr(code) for code in range(32) if chr(code) not in "\t\n\r\f\x1b")]


def _kind_of_xml(text: str) -> str:
    if re.search(r"<net\s[^>]*version=", text):
        return "openvino"
    return "html" if re.search(r"<html[\s>]", text) else "xml"


def _kind_of_json(text: str) -> str:
    keys = set(re.findall(r'"([A-Za-z_]\w*)"\s*:', text))
    for wanted, found in _JSON_KEYS:
        if keys.issuperset(wanted):
            return "mmdnn" if found == "graph_json" and "DataInput" in text else found
    return "json"


def _names(text: str) -> set[str]:
    """Return the field names at the outermost level, and those one level deeper as `outer.inner`."""
    found: set[str] = set()
    depth, outer = 0, ""
    for match in _TOKENS.finditer(text):
        name = match["name"]
        if name is not None and depth < 2:
            outer = outer if depth else name
            found.add(f"{outer}.{name}" if depth else name)
            if len(found) > _NUMBER_OF_NAMES:
                break
        elif match["open"]:
            depth += 1
        elif match["close"]:
            depth = max(0, depth - 1)
    return found
