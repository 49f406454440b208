"""Rules about the operators of TFLite subgraphs: which there are, how many tensors they take, where these come from.

What an interpreter refuses is an error, also where only LiteRT with or only without its delegate XNNPACK does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from graphsurgeon.checks.tflite.places import ANEW, operator, own
from graphsurgeon.errors import plural
from graphsurgeon.formats.tflite.schema import option_tables, option_unions
from graphsurgeon.model.dtype import INT64, RESOURCE, STRING, VARIANT, DType
from graphsurgeon.model.finding import Finding, Severity
from graphsurgeon.model.graph import AttrValue, FunctionRef, Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.traversal import reached
from graphsurgeon.ops.tflite import Builtin, Range, builtin

_CUSTOM = 32  # the code of an operator that is known by name only
_COUNTED = {
    "PACK": ("values_count", "inputs"), "SPLIT": ("num_splits", "outputs"), "SPLIT_V": ("num_splits", "outputs"),
    "UNPACK": ("num", "outputs"),
}  # fmt: skip
_STRIDES, _DILATIONS = ("stride_h", "stride_w"), ("dilation_h_factor", "dilation_w_factor")
# Options that must not be 0.
_STEPS = {
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D"), _STRIDES + _DILATIONS),
    "TRANSPOSE_CONV": _STRIDES,
    **dict.fromkeys(("SPACE_TO_DEPTH", "DEPTH_TO_SPACE"), ("block_size",)),
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"), _STRIDES),
}
# Options that an interpreter looks at while it opens the file (`flatbuffer_conversions.cc`), and what it knows of them.
_FORMATS: dict[str, dict[str, tuple[bytes, ...]]] = {
    "FULLY_CONNECTED": {"weights_format": (b"DEFAULT", b"SHUFFLED4x16INT8")},
    "LSTM": {"kernel_type": (b"FULL", b"BASIC")},
    "MIRROR_PAD": {"mode": (b"REFLECT", b"SYMMETRIC")},
    "LSH_PROJECTION": {"type": (b"SPARSE", b"DENSE")},
}
_OPTIONS_WANTED = ("MIRROR_PAD",)  # what stands for options that are missing is none that the kernel knows
RUNNERS = frozenset({"CALL", "CALL_ONCE", "IF", "STABLEHLO_CASE", "STABLEHLO_COMPOSITE", "STABLEHLO_WHILE", "WHILE"})


def kinds(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find operators that no interpreter has, or not in this version."""
    for graph in metagraph.graphs:
        for number, node in enumerate(graph.nodes):
            what = _unknown(_code(node))
            if what:
                yield Finding("error", operator(graph, number, node), what, ANEW, "operator-kind")
    yield from _unused_kinds(metagraph)


def _unused_kinds(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find codes that no operator has: an interpreter looks all of them up while it opens the file."""
    source: Any = metagraph.raw
    if source is None or getattr(source, "drops_codes", True):
        return
    used = {id(_code(node)) for graph in metagraph.graphs for node in graph.nodes}
    for number, code in enumerate(source.operators()):
        what = _unknown(code) if id(code) not in used else ""
        if what:
            yield Finding("error", f"operator code #{number} ({code.name})", what, ANEW, "operator-kind")


def is_custom(node: Node) -> bool:
    """Say whether an operator is a custom one, whatever it is called."""
    code = _code(node)
    return builtin(node.op) is None if code is None else code.code == _CUSTOM


def _code(node: Node) -> Any:
    """Return the operator code that a node was read with, None for one that is new or has become something else."""
    if node.raw is None:
        return None
    source: Any = node.graph.raw
    code = source.model.operator(node.raw.get("opcode_index"))
    return code if code.name == node.op else None


def _unknown(code: Any) -> str:
    """Say what keeps an interpreter from having a kernel for a code; empty if nothing does, or for none."""
    if code is None or code.name.startswith("#"):
        return ""
    if code.code == _CUSTOM:
        return "" if code.custom else "it is a custom operator without a name"
    known = builtin(code.name)
    if known is None:
        return f"no released interpreter has the builtin operator {code.code}"
    if known.versions is None:
        return "no released interpreter has a kernel for it"
    least, most = known.versions
    if not least <= code.version <= (most or code.version):
        return f"version {code.version}; interpreters have {least} to {most}"
    return ""


def tensors(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find operators with too many or too few tensors, and tensors left out that they need."""
    for graph in metagraph.graphs:
        for number, node in enumerate(graph.nodes):
            known = builtin(node.op) if not is_custom(node) else None
            where = operator(graph, number, node)
            if known is None and _options_end(node) > _file_size(node):
                what = f"its options end at byte {_options_end(node)}, behind the end of the file"
                yield Finding("error", where, what, ANEW, "operator-options")
            if known is not None:
                yield from _counts(where, node, known)
                yield from _left_out(where, node, known)
                yield from _said(where, node)


def _counts(where: str, node: Node, known: Builtin) -> Iterator[Finding]:
    if known.inputs is None and known.ran and not node.inputs and node.op != "VAR_HANDLE":
        yield Finding("error", where, "it has no inputs", ANEW, "operator-arity")
    sides = ("input", known.inputs, len(node.inputs)), ("output", known.outputs, len(node.outputs))
    for side, wanted, count in sides:
        if wanted is not None and not wanted[0] <= count <= (count if wanted[1] is None else wanted[1]):
            what = f"it has {plural(count, side)}; its kernel takes {_told(wanted)}"
            yield Finding("error", where, what, ANEW, "operator-arity")


def _options_end(node: Node) -> int:
    """Return where the options of an operator end that lie behind the FlatBuffer; only custom ones are looked at."""
    table: Any = node.raw
    offset = table.get("large_custom_options_offset") if table is not None else 0
    return offset + table.get("large_custom_options_size") if offset > 1 else 0


def _file_size(node: Node) -> int:
    raw: Any = node.raw
    return raw.image.file.size if raw is not None and raw.image.file is not None else 0


def _said(where: str, node: Node) -> Iterator[Finding]:
    """Find numbers of tensors, and options, that a kernel does not take."""
    own = node.attrs if _has_own_options(node) else {}  # those of another operator are none
    yield from (Finding("error", where, what, ANEW, "operator-arity") for what in _miscounted(node, own))
    yield from (Finding("error", where, what, ANEW, "operator-options") for what in _odd_options(node, own))


def _miscounted(node: Node, own: Mapping[str, AttrValue]) -> Iterator[str]:
    if node.op in _COUNTED:
        key, values = _COUNTED[node.op]
        said, count = own.get(key, 0), len(getattr(node, values))
        if said != count:
            yield f"it has {count} {values}, and its {key} says {said!r}"
    if node.op == "FULLY_CONNECTED":
        wanted, noun = (2, "shuffled") if own.get("weights_format") == b"SHUFFLED4x16INT8" else (1, "plain")
        if len(node.outputs) != wanted:
            yield f"it has {plural(len(node.outputs), 'output')}; with {noun} weights it gives {wanted}"


def _odd_options(node: Node, own: Mapping[str, AttrValue]) -> Iterator[str]:
    steps = [
        key for key in _STEPS.get(node.op, ()) if not own.get(key) or (node.op, own[key]) == ("TRANSPOSE_CONV", -1)
    ]
    if steps:
        yield f"its options have no {steps[0]}"
    for key, value in node.attrs.items():
        if isinstance(value, DType) and value.number <= 0:
            yield f"its {key} is the element type {-1 - value.number}, which there is not"
    if node.op == "RESIZE_BILINEAR" and own.get("align_corners") and own.get("half_pixel_centers"):
        yield "it has align_corners and half_pixel_centers"
    if node.op in _OPTIONS_WANTED and not _has_own_options(node):
        yield "it has no options"
    for key, taken in _FORMATS.get(node.op, {}).items():
        said = node.attrs.get(key, taken[0])
        if said not in taken:
            yield f"its {key} is {_shown(said)}, of which there is no such"
    if node.op in RUNNERS - {"CALL"} and not any(isinstance(one, FunctionRef) for one in _flat(node)):
        yield "its options name no subgraph"


def _has_own_options(node: Node) -> bool:
    """Say whether the table of options of an operator is the one that its kernel wants, or it wants none."""
    field, number = option_unions().get(option_tables().get(node.op, ""), ("", 0))
    table: Any = node.raw
    return not field or table is None or table.get(f"{field}_type") == number


def _shown(value: object) -> str:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)


def _flat(node: Node) -> Iterator[object]:
    for value in node.attrs.values():
        yield from value if isinstance(value, list) else [value]


def _told(wanted: Range) -> str:
    least, most = wanted
    return f"{least} or more" if most is None else str(least) if least == most else f"{least} to {most}"


def _left_out(where: str, node: Node, known: Builtin) -> Iterator[Finding]:
    for place, value in enumerate(node.inputs):
        if value.is_absent and place not in known.optional and node.op not in RUNNERS:
            yield Finding("error", where, f"its input {place} is left out, and it needs it", ANEW, "operator-input")
    for place, value in enumerate(node.outputs):
        if value.is_absent:
            yield Finding("error", where, f"its output {place} is left out", ANEW, "operator-output")


def results(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find operators that write what they read, what is stored, or what another one writes."""
    for graph in metagraph.graphs:
        written: dict[Value, tuple[int, Node]] = {}
        for number, node in enumerate(graph.nodes):
            for value in node.outputs:
                what = _why_not_written(node, value, graph, written)
                if what:
                    is_copy = value in written and _is_copy(node, written[value][1])  # which does its work again
                    severity: Severity = "warning" if is_copy else "error"
                    yield Finding(severity, operator(graph, number, node), what, ANEW, "operator-result")
                written.setdefault(value, (number, node))


def _is_copy(node: Node, other: Node) -> bool:
    same = node.op == other.op and len(node.inputs) == len(other.inputs) and len(node.outputs) == len(other.outputs)
    pairs = [*zip(node.inputs, other.inputs, strict=False), *zip(node.outputs, other.outputs, strict=False)]
    return same and all(one is two for one, two in pairs)


def _why_not_written(node: Node, value: Value, graph: Graph, written: dict[Value, tuple[int, Node]]) -> str:
    if value.is_absent or value.is_dangling:
        return ""
    if any(read is value for read in node.inputs):
        return f"its output {value} is its input too"
    if value.tensor is not None:
        return f"its output {value} is a constant"
    if value in written:
        return f"its output {value} is written by operator #{written[value][0]} too"
    if value.dtype in (RESOURCE, VARIANT) and any(one is value for one in graph.inputs):
        return f"its output {value} is an input of the subgraph"
    return ""


def sources(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find tensors that are read, or are outputs of a subgraph, and that nothing fills; and constants that are fed."""
    for graph in metagraph.graphs:
        filled = {id(value) for value in graph.inputs}
        filled.update(id(value) for node in graph.nodes for value in node.outputs)
        told: set[int] = set()
        for number, node in enumerate(graph.nodes):
            for value in node.inputs if not is_custom(node) else ():  # which may have scratch memory among its inputs
                if id(value) not in filled and id(value) not in told and _needs_filling(value):
                    told.add(id(value))
                    what = f"it reads {value}, which is neither stored, fed nor computed"
                    yield Finding("error", operator(graph, number, node), what, ANEW, "tensor-source")
        for output in graph.outputs:
            if id(output.value) not in filled and _needs_filling(output.value):
                what = f"its output {output.value} is neither stored, fed nor computed"
                yield Finding("error", own(graph), what, ANEW, "tensor-source")
        for value in graph.inputs:
            if value.tensor is not None:
                severity: Severity = "error" if _is_fed(value, graph) else "warning"
                yield Finding(severity, own(graph), f"its input {value} is a constant", ANEW, "constant-input")


def _is_fed(value: Value, graph: Graph) -> bool:
    """Say whether an input is fed: each of the first subgraph and of what operators run, of others what is named."""
    metagraph = graph.metagraph
    named = [signature for signature in metagraph.signatures.values() if signature.graph is graph]
    entries = [entry for signature in named for entry in signature.inputs.values()]
    is_named = any(entry.mention is not None and entry.mention.target is value for entry in entries)
    return is_named or graph is metagraph.graph or not named


def signature_results(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find outputs of signatures that nothing fills: who calls one is refused."""
    for signature in metagraph.signatures.values():
        filled = {id(value) for value in signature.graph.inputs}
        filled.update(id(value) for node in signature.graph.nodes for value in node.outputs)
        for key, entry in signature.outputs.items():
            value = entry.mention.target if entry.mention is not None else None
            if isinstance(value, Value) and id(value) not in filled and _needs_filling(value):
                what = f"it names {value}, which is neither stored, fed nor computed"
                yield Finding("error", f"signature {signature.key}, output {key}", what, ANEW, "tensor-source")


def _needs_filling(value: Value) -> bool:
    if value.is_absent or value.is_dangling or value.tensor is not None:
        return False
    is_empty = value.shape is not None and value.shape.num_elements == 0
    return not is_empty and not (value.extra or {}).get("is_variable")


def tables(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find tables that are read and never filled, and keys and values of other types than their table's."""
    nodes = [(graph, number, node) for graph in metagraph.graphs for number, node in enumerate(graph.nodes)]
    run = _run(metagraph)
    filled = {_table(node) for graph, _, node in nodes if node.op == "HASHTABLE_IMPORT" and graph in run}
    for graph, number, node in nodes:
        table = _table(node)
        yield from (Finding("error", operator(graph, number, node), what, ANEW, "table") for what in _sought(node))
        if node.op == "HASHTABLE_FIND" and table is not None and table not in filled:
            what = f"it reads the table {table}, which nothing fills"
            yield Finding("error", operator(graph, number, node), what, ANEW, "table")
        kinds = (node.attrs.get("key_dtype"), node.attrs.get("value_dtype"))
        if node.op == "HASHTABLE" and kinds not in ((INT64, STRING), (STRING, INT64)):
            what = f"it is a table from {_shown(kinds[0])} to {_shown(kinds[1])}; there are those of int64 and string"
            yield Finding("error", operator(graph, number, node), what, ANEW, "table")
        if node.op == "HASHTABLE_IMPORT" and len(node.inputs) > 2:
            shapes = [value.shape for value in node.inputs[1:3] if value.tensor is not None]
            if len(shapes) == 2 and shapes[0] != shapes[1]:
                what = f"its keys are {shapes[0]}, its values {shapes[1]}"
                yield Finding("error", operator(graph, number, node), what, ANEW, "table")
        if node.op == "HASHTABLE_IMPORT" and table is not None and len(node.inputs) > 2:
            own = node.inputs[0].producer
            wanted = (own.attrs.get("key_dtype"), own.attrs.get("value_dtype")) if own is not None else ()
            for value, dtype in zip(node.inputs[1:], wanted, strict=False):
                if isinstance(dtype, DType) and value.dtype is not None and value.dtype != dtype:
                    what = f"it fills a table of {dtype} with {value.dtype}"
                    yield Finding("error", operator(graph, number, node), what, ANEW, "table")


def _run(metagraph: MetaGraph) -> Mapping[Graph, None]:
    """Return the subgraphs that are called from outside, and those that their operators run."""
    called = [metagraph.graph, *(signature.graph for signature in metagraph.signatures.values())]
    return reached(called, _inner)


def _inner(graph: Graph) -> Iterator[Graph]:
    return (ref.graph for node in graph.nodes for ref in node.function_refs if ref.graph is not None)


def _sought(node: Node) -> Iterator[str]:
    """Find a default value of another type than what is found, which is of another one than the table's values."""
    if node.op != "HASHTABLE_FIND" or len(node.inputs) < 3 or not node.outputs:
        return
    made, default = node.outputs[0].dtype, node.inputs[2].dtype
    if made is not None and default is not None and made != default:
        yield f"it yields {made}, its default value is {default}"
    own = node.inputs[0].producer
    pairs = zip(("key_dtype", "value_dtype"), (node.inputs[1].dtype, made), strict=True)
    attrs = own.attrs if own is not None and own.op == "HASHTABLE" else {}
    for key, dtype in pairs:
        wanted = attrs.get(key)
        if isinstance(wanted, DType) and dtype is not None and dtype != wanted:
            yield f"its table has the {key} {wanted}, it has {dtype}"


def variables(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find variables that are read as another type than anything puts there."""
    nodes = [(graph, number, node) for graph in metagraph.graphs for number, node in enumerate(graph.nodes)]
    given: dict[tuple[object, object], set[DType | None]] = {}
    for _, _, node in nodes:
        variable = _variable(node)
        if node.op == "ASSIGN_VARIABLE" and variable is not None and len(node.inputs) > 1:
            given.setdefault(variable, set()).add(node.inputs[1].dtype)
    for graph, number, node in nodes:
        variable = _variable(node) if node.op == "READ_VARIABLE" else None
        known = given.get(variable, set()) if variable is not None else set()
        made = node.outputs[0].dtype if node.outputs else None
        if made is not None and known and None not in known and made not in known:
            what = f"it reads {made} from a variable that is given {' or '.join(sorted(map(str, known)))}"
            yield Finding("error", operator(graph, number, node), what, ANEW, "variable-type")


def _variable(node: Node) -> tuple[object, object] | None:
    """Return what names the variable whose handle an operator is given, None where that is not known."""
    own = node.inputs[0].producer if node.inputs and node.op in ("ASSIGN_VARIABLE", "READ_VARIABLE") else None
    is_named = own is not None and own.op == "VAR_HANDLE"
    return (own.attrs.get("container"), own.attrs.get("shared_name")) if own is not None and is_named else None


def _table(node: Node) -> object:
    """Return the number of the table whose handle an operator is given, None where that is not known."""
    own = node.inputs[0].producer if node.inputs and node.op.startswith("HASHTABLE_") else None
    return own.attrs.get("table_id") if own is not None and own.op == "HASHTABLE" else None


def runners(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find control flow whose subgraphs take or give other tensors than it has."""
    for graph in metagraph.graphs:
        for number, node in enumerate(graph.nodes):
            for what in _misfits(node) if node.op in RUNNERS else ():
                yield Finding("error", operator(graph, number, node), what, ANEW, "subgraph-tensors")


def _misfits(node: Node) -> Iterator[str]:
    if node.op == "CALL_ONCE" and node.outputs:
        yield f"it runs a subgraph once, which gives it none of its {plural(len(node.outputs), 'output')}"
    run = {name: ref.graph for name, ref in node.attrs.items() if isinstance(ref, FunctionRef)}
    for name, inner in run.items():
        if inner is None:
            continue
        inputs, outputs = _wanted(node, name)
        if inputs not in (None, len(inner.inputs)):
            yield f"its {name} takes {plural(len(inner.inputs), 'tensor')}, it gives it {inputs}"
        if outputs not in (None, len(inner.outputs)):
            yield f"its {name} gives {plural(len(inner.outputs), 'tensor')}, it takes {outputs}"
    loops = [inner for name, inner in run.items() if inner is not None and ("cond_" in name or "body_" in name)]
    if len(loops) == 2 and loops[0] is loops[1]:
        yield "its condition and its body are one subgraph"


def _wanted(node: Node, name: str) -> tuple[int | None, int | None]:
    """Return how many inputs and outputs the subgraph behind an attribute must have, None where any will do."""
    inputs, outputs = len(node.inputs), len(node.outputs)
    if node.op in ("WHILE", "STABLEHLO_WHILE"):
        return inputs, 1 if name.startswith("cond") else inputs
    if node.op in ("IF", "STABLEHLO_CASE"):
        return inputs - 1, outputs
    if node.op == "CALL_ONCE":
        return 0, 0
    return inputs, outputs
