"""TFLite files as Models, against the object API that LiteRT's package generates, and files made by hand."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon.disk.files import open_source
from graphsurgeon.errors import FileError, FormatError, UnsupportedError
from graphsurgeon.formats.tflite import file as tflite
from graphsurgeon.formats.tflite.elements import packed_chunks, string_buffer, string_elements, unpacked_chunks
from graphsurgeon.formats.tflite.metadata import decode_edges, encode_edges
from graphsurgeon.formats.tflite.schema import dtype_of, option_tables, schema
from graphsurgeon.model import DType, FunctionRef, Graph, Model, Quantization, Value
from tests.formats.tflite_files import (
    FILES,
    FIXTURES,
    corpus_files,
    names,
    old_model,
    packed_file,
    read,
    small_model,
    value,
)
from tests.oracle import tflite_objects

pytestmark = pytest.mark.litert


pytestmark = pytest.mark.litert
# -- everything the object API sees, in every file ---------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=names(FILES))
def test_a_fixture_says_what_the_object_api_says(path: Path) -> None:
    check_file(path)


@pytest.mark.corpus
def test_every_file_of_the_corpus_says_what_the_object_api_says(corpus: Path) -> None:
    checked = [check_file(path) for path in corpus_files(corpus)]
    assert len(checked) > 200


@pytest.mark.corpus
def test_operators_have_the_options_that_real_files_give_them(corpus: Path) -> None:
    found: dict[str, Counter[str]] = {}
    for path in [*FILES, *corpus_files(corpus)]:
        model = tflite_objects.tree(path.read_bytes())
        for operator in (op for graph in model["subgraphs"] or [] for op in graph["operators"] or []):
            for union, number in (("BuiltinOptions", "builtinOptionsType"), ("BuiltinOptions2", "builtinOptions2Type")):
                if operator[number]:
                    table = schema().unions[union][operator[number]]
                    found.setdefault(operator_name(operator, model), Counter())[table] += 1
    usual = {name: counts.most_common(1)[0][0] for name, counts in found.items()}
    del usual["SEGMENT_SUM"]  # all files that have it come from one test of the runtime, which gives it a SUB's options
    assert usual == {name: option_tables()[name] for name in usual}
    assert len(usual) > 40


def check_file(path: Path) -> None:
    data = path.read_bytes()
    expected = tflite_objects.tree(data)
    model = tflite.read(path)
    (metagraph,) = model.metagraphs
    assert metagraph.tags is None
    assert (metagraph.producer["description"] or "") == text(expected["description"])
    graphs = model.raw.subgraphs
    assert len(graphs) == len(expected["subgraphs"] or [])
    if graphs:
        assert metagraph.graphs == graphs
        assert {graph.kind for graph in graphs} == {"subgraph"}
    for graph, subgraph in zip(graphs, expected["subgraphs"] or [], strict=True):
        check_graph(graph, subgraph, expected)
    check_signatures(model, expected)
    entries = [(name, item) for name, entry in metagraph.collections.items() for item in entry.items]
    stored = [
        (text(entry["name"]), bytes(expected["buffers"][entry["buffer"]]["data"] or []))
        for entry in expected["metadata"] or []
    ]
    assert sorted((name, item.value.tobytes()) for name, item in entries) == sorted(stored)


def check_graph(graph: Graph, subgraph: dict[str, Any], model: dict[str, Any]) -> None:
    assert graph.op_counts == operator_counts(subgraph, model)
    tensors = subgraph["tensors"] or []
    assert len(graph.values) == len(tensors)
    for tensor, ours in zip(tensors, graph.values, strict=True):
        check_tensor(ours, tensor, model)
    index = {value: number for number, value in enumerate(graph.values)}
    assert [index[value] for value in graph.inputs] == list(
        subgraph["inputs"] if subgraph["inputs"] is not None else []
    )
    assert [index[out.value] for out in graph.outputs] == list(
        subgraph["outputs"] if subgraph["outputs"] is not None else []
    )
    operators = subgraph["operators"] or []
    assert [node.op for node in graph.nodes] == [operator_name(operator, model) for operator in operators]
    for operator, node in zip(operators, graph.nodes, strict=True):
        inputs, outputs = operator["inputs"] or [], operator["outputs"] or []
        assert [-1 if v.is_absent else index[v] for v in node.inputs] == inputs
        assert [-1 if v.is_absent else index[v] for v in node.outputs] == outputs
        assert all(graph.values[i].producer is node for i in outputs if i >= 0)
        check_attrs(node, operator, graph)


def operator_counts(subgraph: dict[str, Any], model: dict[str, Any]) -> dict[str, int]:
    found = [operator_name(operator, model) for operator in subgraph["operators"] or []]
    return {name: found.count(name) for name in found}


def operator_name(operator: dict[str, Any], model: dict[str, Any]) -> str:
    code = model["operatorCodes"][operator["opcodeIndex"]]
    number = max(code["deprecatedBuiltinCode"], code["builtinCode"])
    return text(code["customCode"]) if number == 32 else str(schema().enum("BuiltinOperator")[number])


def check_tensor(ours: Value, tensor: dict[str, Any], model: dict[str, Any]) -> None:
    assert ours.name == text(tensor["name"])
    assert ours.dtype is dtype_of(tensor["type"])
    dims = (
        tensor["shapeSignature"]
        if tensor["shapeSignature"] is not None and len(tensor["shapeSignature"])
        else tensor["shape"]
    )
    assert ours.shape is not None
    assert ours.shape.dims in (tuple(None if d < 0 else d for d in dims or []), None)
    extra = ours.extra or {}
    assert extra.get("is_variable", False) == tensor["isVariable"]
    quantization = tensor["quantization"] or {
        "scale": None,
        "zeroPoint": None,
        "min": None,
        "max": None,
        "quantizedDimension": 0,
    }
    known = extra.get("quantization", Quantization())
    assert list(known.scale) == list(quantization["scale"] or [])
    assert list(known.zero_point) == list(quantization["zeroPoint"] or [])
    assert (list(known.minimum), list(known.maximum)) == (
        list(quantization["min"] or []),
        list(quantization["max"] or []),
    )
    assert known.axis == quantization["quantizedDimension"]
    data = (
        bytes(model["buffers"][tensor["buffer"]]["data"] or [])
        if model["buffers"] and tensor["buffer"] < len(model["buffers"])
        else b""
    )
    assert (ours.tensor is not None) == bool(data or tensor["externalBuffer"])
    if ours.tensor is None or tensor["externalBuffer"]:
        return
    source: Any = ours.tensor.source
    assert source.range().read() == data
    if ours.dtype.bits >= 8 and tensor["sparsity"] is None:
        assert ours.tensor.tobytes() == data
    if ours.dtype.name == "string":
        assert ours.tensor.items() == reference_strings(data)


def reference_strings(data: bytes) -> list[bytes]:
    (count,) = struct.unpack_from("<i", data)
    offsets = struct.unpack_from(f"<{count + 1}i", data, 4)
    return [data[a:b] for a, b in pairwise(offsets)]


def check_attrs(node: Any, operator: dict[str, Any], graph: Graph) -> None:
    options = operator["builtinOptions"] or operator["builtinOptions2"] or {}
    attrs = dict(node.attrs)
    custom = attrs.pop("custom_options", b"")
    assert custom == bytes(operator["customOptions"] or [])
    attrs.pop("custom_options_format", None)
    assert attrs.pop("mutating_variable_inputs", []) == [
        bool(flag) for flag in operator["mutatingVariableInputs"] or []
    ]
    intermediates = attrs.pop("intermediates", [])
    assert [graph.values.index(item) for item in intermediates] == list(operator["intermediates"] or [])
    stored = {key: item for key, item in options.items() if item is not None}
    deprecated = {"new_height", "new_width"} if node.op == "RESIZE_BILINEAR" else set()
    assert {camel(key) for key in attrs if key not in deprecated} == set(stored)
    for key, item in attrs.items():
        if key not in deprecated:
            check_attr(item, stored[camel(key)], graph)


def check_attr(ours: Any, stored: Any, graph: Graph) -> None:
    if isinstance(ours, list):
        for inner, other in zip(ours, stored, strict=True):
            check_attr(inner, other, graph)
    elif isinstance(ours, FunctionRef):
        assert ours.graph is graph.metagraph.graphs[stored]
    elif isinstance(ours, DType):
        assert ours is dtype_of(stored)
    elif isinstance(ours, bytes) and isinstance(stored, int):
        assert ours.decode() in {
            name for enum in schema().words("enum") for n, name in schema().enum(enum).items() if n == stored
        }
    elif isinstance(ours, bytes):
        assert ours == (bytes(stored) if isinstance(stored, list) else text(stored).encode())
    else:
        assert ours == stored


def check_signatures(model: Model, expected: dict[str, Any]) -> None:
    signatures = model.metagraphs[0].signatures
    stored = expected["signatureDefs"] or []
    assert [signature.key for signature in signatures.values()] == [text(item["signatureKey"]) for item in stored]
    for signature, item in zip(signatures.values(), stored, strict=True):
        assert signature.graph is model.raw.subgraphs[item["subgraphIndex"]]
        for side in ("inputs", "outputs"):
            entries = getattr(signature, side)
            maps = item[side] or []
            assert list(entries) == [text(entry["name"]) for entry in maps]
            for entry, stored_map in zip(entries.values(), maps, strict=True):
                target = entry.mention.target
                assert target is signature.graph.values[stored_map["tensorIndex"]]
                assert (entry.dtype, entry.shape) == (target.dtype, target.shape)


def text(stored: bytes | str | None) -> str:
    return stored.decode("utf-8", "surrogateescape") if isinstance(stored, bytes) else stored or ""


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


# -- what single files hold ----------------------------------------------------------------------------------


def test_small_integers_come_one_per_byte() -> None:
    graph = read("quantized_forms.tflite").graphs[0]
    assert value(graph, "int4").tensor.numpy().dtype == np.int8  # type: ignore[union-attr]
    signed, unsigned = DType.named("int4"), DType.named("uint4")
    assert b"".join(unpacked_chunks([b"\x21\xf8"], signed, 3)) == struct.pack("3b", 1, 2, -8)
    assert b"".join(unpacked_chunks([b"\x21", b"\xf8"], unsigned, 4)) == bytes([1, 2, 8, 15])
    assert b"".join(unpacked_chunks([b"\xe4"], DType.named("int2"), 4)) == struct.pack("4b", 0, 1, -2, -1)


@pytest.mark.parametrize("name", ["int4", "uint4", "int2"])
def test_packing_is_undone_by_unpacking(name: str) -> None:
    dtype = DType.named(name)
    signed = name.startswith("int")
    low, high = (-(1 << dtype.bits - 1), 1 << dtype.bits - 1) if signed else (0, 1 << dtype.bits)
    items = [low + k % (high - low) for k in range(37)]
    data = bytes(item & 255 for item in items)
    small = b"".join(packed_chunks([data[:10], data[10:]], dtype))
    assert len(small) == -(-37 * dtype.bits // 8)
    assert b"".join(unpacked_chunks([small], dtype, 37)) == data


def test_strings_are_stored_as_litert_s_own_functions_do() -> None:
    items = ["héllo".encode(), b"", b"\0\xff"]
    data = bytes.fromhex("03000000 14000000 1a000000 1a000000 1c000000") + b"".join(items)
    assert string_buffer(items) == data
    assert string_elements(data) == items
    for broken in (b"", b"\x01", data[:10], data[:-1], struct.pack("<3i", -1, 0, 0), struct.pack("<3i", 1, 12, 4)):
        with pytest.raises(FormatError):
            string_elements(broken)


def test_a_sparse_constant_reads_as_a_dense_one() -> None:
    tensor = value(read("sparse.tflite").graphs[0], "packed").tensor
    assert tensor is not None
    np.testing.assert_array_equal(tensor.numpy(), [[0, 0, 1, 0], [0, 0, 0, 0], [2, 0, 0, 3]])


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [1, 0, 2, 3], [0, 1, 3, 2]])
@pytest.mark.parametrize("formats", ["dddd", "dsdd", "sddd", "ssdd"])
def test_blocks_are_spread_as_litert_s_converter_spreads_them(order: list[int], formats: str, tmp_path: Path) -> None:
    converter = pytest.importorskip("ai_edge_litert.format_converter_wrapper_pybind11")
    dims = {
        "d": converter.TfLiteDimensionType.TF_LITE_DIM_DENSE,
        "s": converter.TfLiteDimensionType.TF_LITE_DIM_SPARSE_CSR,
    }
    dense = np.zeros((8, 8), np.float32)
    dense[0:2, 4:8], dense[6:8, 0:4] = np.arange(1, 9).reshape(2, 4), np.arange(9, 17).reshape(2, 4)
    levels = [formats[dim] for dim in order]
    made = converter.FormatConverterFp32([8, 8], order, [dims[formats[k]] for k in (0, 1)], [2, 4], [0, 1])
    made.DenseToSparse(dense.ravel())
    objects, model = tflite_objects.generated(), small_model()
    parameters = objects.SparsityParametersT()
    parameters.traversalOrder, parameters.blockMap, parameters.dimMetadata = order, [0, 1], []
    metadata = made.GetDimMetadata()
    for level in range(4):
        entry = objects.DimensionMetadataT()
        if level < 2 and levels[level] == "s":
            entry.format = objects.DimensionType.SPARSE_CSR
            entry.arraySegmentsType = entry.arrayIndicesType = objects.SparseIndexVector.Int32Vector
            entry.arraySegments, entry.arrayIndices = objects.Int32VectorT(), objects.Int32VectorT()
            entry.arraySegments.values, entry.arrayIndices.values = (
                list(metadata[2 * level]),
                list(metadata[2 * level + 1]),
            )
        else:
            entry.denseSize = int(metadata[2 * level][0])
        parameters.dimMetadata.append(entry)
    tensor = model.subgraphs[0].tensors[1]
    tensor.shape, tensor.sparsity = [8, 8], parameters
    model.buffers[1].data = np.frombuffer(np.float32(made.GetData()).tobytes(), "uint8")
    read_back = value(tflite.read(packed_file(tmp_path, model)).graphs[0], "w").tensor
    assert read_back is not None
    np.testing.assert_array_equal(read_back.numpy(), dense)


def test_quantization_by_blocks_names_its_tensors() -> None:
    graph = read("quantized_forms.tflite").graphs[0]
    quantization = value(graph, "blockwise").extra["quantization"]  # type: ignore[index]
    assert quantization.scales is value(graph, "block_scales")
    assert quantization.zero_points is None
    assert quantization.block_size == 2
    assert quantization.is_quantized
    assert value(graph, "custom").extra["quantization"].custom == b"anything"  # type: ignore[index]


def test_an_unknown_rank_is_told_from_a_scalar(tmp_path: Path) -> None:
    assert value(read("quantized_forms.tflite").graphs[0], "unknown_rank").shape.dims is None  # type: ignore[union-attr]
    model = small_model()
    model.subgraphs[0].tensors[0].shape = []
    scalar = value(tflite.read(packed_file(tmp_path, model)).graphs[0], "x")
    assert scalar.shape is not None
    assert scalar.shape.dims == ()  # the file's writer does not know `has_rank` at all
    model.subgraphs[0].tensors[2].hasRank = True
    assert value(tflite.read(packed_file(tmp_path, model)).graphs[0], "x").shape.dims is None  # type: ignore[union-attr]


def test_data_in_another_file_is_read_from_there() -> None:
    model = read("external_buffers/model.tflite")
    tensor = model.graphs[0].values[1].tensor
    assert tensor is not None
    assert tensor.tobytes() == (FIXTURES / "external_buffers" / "weights.bin").read_bytes()
    assert str(FIXTURES / "external_buffers" / "weights.bin") in model.files


@pytest.mark.parametrize("name", ["../weights.bin", "/etc/passwd", "missing.bin"])
def test_another_file_is_followed_only_inside_the_folder(tmp_path: Path, name: str) -> None:
    data = (FIXTURES / "external_buffers" / "model.tflite").read_bytes()
    parsed = tflite_objects.model(data)
    parsed.externalBufferGroups[0].name = name
    (tmp_path / "weights.bin").write_bytes(bytes(48))
    folder = tmp_path / "inner"
    folder.mkdir()
    model = tflite.read(packed_file(folder, parsed))
    tensor = model.graphs[0].values[1].tensor
    assert tensor is not None
    assert tensor.nbytes == 48
    with pytest.raises(FileError):
        tensor.tobytes()
    assert len(model.files) == 1


def test_control_flow_names_its_subgraphs() -> None:
    model = read("control_flow.tflite")
    loops = [node for graph in model.graphs for node in graph.nodes if node.op in ("WHILE", "IF")]
    assert loops
    for node in loops:
        assert [ref.graph for ref in node.function_refs] == node.functions
        assert all(function in model.graphs for function in node.functions)
        assert len(node.functions) == 2


def test_control_edges_are_lifted_from_metadata() -> None:
    model = read("composite.tflite")
    data = model.metagraphs[0].collections["model_control_dependencies"].items[0].value
    edges = decode_edges(data.tobytes())  # type: ignore[attr-defined]
    assert edges is not None
    nodes = model.graphs[0].nodes
    assert [(nodes.index(first), number) for number, node in enumerate(nodes) for first in node.controls] == edges[0]


def test_control_edges_are_coded_as_tensorflow_s_own_serializer_does() -> None:
    edges = [[(1, 2), (2, 3)], [], [(2**31 - 1, -(2**31))]]
    data = bytes.fromhex("01 03 02 02 04 04 06 00 01 feffffff0f ffffffff0f")
    assert encode_edges(edges) == data
    assert decode_edges(data) == edges
    for broken in (b"", b"\x02\x00", data[:-1], data + b"\x00", b"\x01\xff\xff\xff\xff\x0f", b"\xff" * 30):
        assert decode_edges(broken) is None


def test_the_producer_is_told_from_metadata() -> None:
    producer = read("float.tflite").metagraphs[0].producer
    assert producer["tensorflow"].count(".") == 2
    assert producer["min_runtime_version"] == "1.5.0"
    assert producer["schema_version"] == 3


def test_equal_names_get_their_numbers(tmp_path: Path) -> None:
    objects, model = tflite_objects.generated(), small_model()
    for name in ("body", "body", "", "other"):
        graph = objects.SubGraphT()
        graph.name, graph.tensors, graph.operators, graph.inputs, graph.outputs = name, [], [], [], []
        model.subgraphs.append(graph)
    metagraph = tflite.read(packed_file(tmp_path, model)).metagraphs[0]
    assert metagraph.graph.name == "main"
    assert list(metagraph.functions) == ["#1", "#2", "#3", "other"]


def test_an_index_that_points_nowhere_is_dangling_and_kept(tmp_path: Path) -> None:
    model = small_model()
    model.subgraphs[0].operators[0].inputs = [0, 77]
    model.subgraphs[0].outputs = [5]
    model.subgraphs[0].tensors[1].buffer = 99
    model.subgraphs[0].operators[0].opcodeIndex = 4
    graph = tflite.read(packed_file(tmp_path, model)).graphs[0]
    assert [str(v) for v in graph.nodes[0].inputs] == ["x", "#77"]
    assert graph.nodes[0].inputs[1].is_dangling
    assert graph.outputs[0].value.is_dangling
    assert graph.nodes[0].op == "#4"
    assert value(graph, "w").tensor is None


def test_an_operator_newer_than_the_schema_has_its_number(tmp_path: Path) -> None:
    model = small_model()
    model.operatorCodes[0].deprecatedBuiltinCode, model.operatorCodes[0].builtinCode = 127, 4321
    assert tflite.read(packed_file(tmp_path, model)).graphs[0].nodes[0].op == "BUILTIN_4321"


def test_a_name_that_is_no_utf8_survives(tmp_path: Path) -> None:
    path = packed_file(tmp_path, small_model())
    data = path.read_bytes().replace(b"\x01\0\0\0w\0", b"\x01\0\0\0\xff\0")
    path.write_bytes(data)
    graph = tflite.read(path).graphs[0]
    assert graph.values[1].name == "\udcff"


def test_schema_version_2_is_read_without_an_identifier(tmp_path: Path) -> None:
    path = old_model(tmp_path / "old.lite")
    assert tflite.sniff(open_source(path))
    model = tflite.read(path)
    graph = model.graphs[0]
    assert graph.name == "old"
    assert [(node.op, [str(v) for v in node.inputs]) for node in graph.nodes] == [("ADD", ["x", "w"])]
    tensor = value(graph, "w").tensor
    assert tensor is not None
    assert tensor.items() == [1.5, -2.0]
    assert model.metagraphs[0].producer["schema_version"] == 2
    assert not model.metagraphs[0].signatures
    assert not model.metagraphs[0].collections


def test_a_model_without_identifier_is_recognised_and_others_are_not(tmp_path: Path) -> None:
    assert tflite.sniff(open_source(packed_file(tmp_path, small_model(), identifier=b"\0\0\0\0")))
    for name in ("README.md", "graphdef/frozen.pb"):
        for path in FIXTURES.parent.glob(name):
            assert not tflite.sniff(open_source(path))
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    assert not tflite.sniff(open_source(empty))


def test_a_schema_without_subgraphs_is_refused(tmp_path: Path) -> None:
    model = small_model()
    model.version, model.buffers, model.subgraphs = 0, None, None
    with pytest.raises(UnsupportedError, match="schema version 0"):
        tflite.read(packed_file(tmp_path, model))


def test_a_file_cut_short_is_shown_with_a_note(tmp_path: Path) -> None:
    path = tmp_path / "cut.tflite"
    path.write_bytes((FIXTURES / "large_buffers.tflite").read_bytes()[:-70])
    model = tflite.read(path)
    assert any("cut short" in note for note in model.notes)
    (tensor,) = [v.tensor for v in model.graphs[0].values if v.tensor is not None]
    with pytest.raises(FormatError, match="beyond the end"):
        tensor.tobytes()


def test_looking_at_a_model_reads_no_payload_and_imports_nothing_heavy(tmp_path: Path) -> None:
    model = small_model()
    model.buffers[1].data = np.zeros(8 << 20, "uint8")
    path = packed_file(tmp_path, model)
    code = (
        "import sys, resource\n"
        "from pathlib import Path\n"
        "from graphsurgeon.formats.tflite import file as tflite\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        f"graph = tflite.read(Path({str(path)!r})).graphs[0]\n"
        "assert [v.name for v in graph.values] == ['x', 'w', 'y']\n"
        "assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2000\n"
        "heavy = {'numpy', 'flatbuffers', 'tflite', 'google.protobuf', 'tensorflow'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=FIXTURES.parents[1], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
