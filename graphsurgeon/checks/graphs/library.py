"""Rules about what a graph says beside its nodes: the versions that may load it, and the library of its functions."""

from __future__ import annotations

from collections.abc import Iterator

from graphsurgeon.checks.places import place
from graphsurgeon.formats.graph.metagraph import broken_controls, header
from graphsurgeon.model.finding import Finding
from graphsurgeon.model.graph import Graph
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.ops import catalog

# `TF_GRAPH_DEF_VERSION` of TensorFlow 2.21, the release that the definitions of ops are of (core/public/version.h).
CONSUMER = 2474
# Attributes of functions that Python makes (`MONOMORPHIC_FUNCTION_ALLOWLIST`, attributes.py), and `_input_shapes`.
_WORDS = """
_OutputsOnOpDevice _XlaCompile _XlaMustCompile _XlaScope _XlaSeparateCompiledGradients _construction_context
_disable_acd _disable_call_shape_inference _implements _input_shapes _noinline _original_func_name _tf_data_function
_tftrt_allow_build_at_runtime _tftrt_convert_function _tftrt_is_dyn_op _tftrt_max_batch_size _tftrt_max_cached_engines
_tftrt_max_workspace_size_bytes _tftrt_minimum_segment_size _tftrt_precision_mode _tftrt_profile_strategy
_tftrt_trt_logger_name _tftrt_use_calibration _tftrt_use_implicit_batch api_implements api_preferred_device
backward_function_name disable_summaries_at_runtime experimental_ints_on_device forward_function_name
function_runs_at_most_once go_backwards runtime_constant_optimization shared_rendezvous tf_quant.composite_function
tf_quant.quantized_ops time_major
"""
_FUNCTION_ATTRS = frozenset(_WORDS.split())


def versions(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find versions at which TensorFlow refuses to load the graph, as `CheckVersions` of versions.cc does."""
    found = header(metagraph)
    if found is None:
        return
    if found.producer < 0:
        yield _version("error", f"its producer's version is {found.producer}, and 0 is the least")
    if found.min_consumer > CONSUMER:
        yield _version("error", f"it wants TensorFlow of graph version {found.min_consumer}, 2.21 has {CONSUMER}")
    if CONSUMER in found.bad_consumers:
        yield _version("error", f"it forbids TensorFlow of graph version {CONSUMER}, which is that of 2.21")


def _version(severity: str, what: str) -> Finding:
    hint = "take a TensorFlow that it allows, or get the file again"
    return Finding(severity, "versions of the graph", what, hint, "versions")  # type: ignore[arg-type]


def functions(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find functions of a name that is taken, and arguments without a type."""
    found = header(metagraph)
    for name, is_equal in (found.repeated if found is not None else {}).items():
        # Importers take two that are equal; tf.saved_model.load, which makes each in Python, does not.
        if not is_equal or metagraph.objects is not None:
            what = "the library has it twice" if is_equal else "the library has two that differ"
            yield Finding("error", f"function {name}", what, "get the file again", "repeated-function")
    for function in metagraph.functions.values():
        if catalog.get(function.name) is not None:
            what = f"TensorFlow has an op {function.name!r}, and adds no function of that name"
            yield Finding("error", place(function), what, "gs rename --what functions", "repeated-function")
        yield from _arguments(metagraph, function.name)
        yield from _controls(metagraph, function)
        yield from _attributes(metagraph, function)


def _controls(metagraph: MetaGraph, function: Graph) -> Iterator[Finding]:
    """Find control outputs that nothing makes; of a model with objects each function is made with its own."""
    if metagraph.objects is None or not metagraph.objects.nodes:
        return
    for name in broken_controls(function):
        what = f"nothing makes its control output {name!r}"
        yield Finding("error", place(function), what, "get the file again", "control-output")


def _attributes(metagraph: MetaGraph, function: Graph) -> Iterator[Finding]:
    """Find attributes of a function of which Python makes none; of a model with objects each function is made anew."""
    if metagraph.objects is None or not metagraph.objects.nodes:
        return
    for name in function.attrs:
        if name not in _FUNCTION_ATTRS:
            what = f"tf.saved_model.load makes no function with the attribute {name!r}"
            yield Finding("error", place(function), what, "get the file again", "function-attribute")


def _arguments(metagraph: MetaGraph, name: str) -> Iterator[Finding]:
    function = metagraph.functions[name]
    if function.raw is None:
        return
    for arg in function.raw.opdef(function).inputs:  # type: ignore[attr-defined]
        if not (arg.type or arg.type_attr or arg.type_list_attr):
            what = f"its argument {arg.name!r} has no type"
            yield Finding("error", place(function), what, "get the file again", "argument-type")
