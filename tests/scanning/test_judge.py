"""What a scan says of graphs: each kind of act, where it runs, on what; and what it does not cry over."""

from __future__ import annotations

import pytest

from graphsurgeon.model.dtype import FLOAT32, INT32, RESOURCE, STRING
from graphsurgeon.model.graph import AttrValue, FunctionRef, Graph, Output
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import Saver
from graphsurgeon.model.objects import ConcreteFunction, ObjectNode
from graphsurgeon.model.tensor import Tensor
from tests.scanning.build import Made, graph_bytes

STEAL = "signature:steal"


def reading(path: bytes = b"/etc/passwd") -> Made:
    """A signature that returns a file."""
    made = Made()
    made.signature("steal", {"y": made.read(made.text(path))})
    return made


def reader(made: Made, name: str) -> Graph:
    """Enter a function that reads a file."""
    function = made.function(name)
    function.outputs = [Output("y", made.read(made.text(b"/etc/passwd")), STRING)]
    return function


# -- when ----------------------------------------------------------------------------------------------


def test_a_signature_that_reads_is_high() -> None:
    assert reading().only() == ("high", "ReadFile", STEAL, "/etc/passwd")
    (threat,) = reading().threats()
    assert threat.where == "steal > ReadFile"


def test_every_signature_that_reaches_it_is_named() -> None:
    made = reading()
    node = made.graph.node("ReadFile")
    assert node is not None
    made.signature("also", {"y": made.add("Identity", [node.output()], {"T": STRING}).output()})
    assert [threat.when for threat in made.threats()] == ["signature:also", STEAL]


@pytest.mark.parametrize("key", ["__saved_model_init_op", "saved_model_main_op", "legacy_init_op"])
def test_what_runs_on_load_is_critical(key: str) -> None:
    made = Made()
    node = made.add("NoOp", after=[made.write_file(b"/tmp/evil")])
    if key.startswith("__"):
        made.on_load(node)
    else:
        made.collect(key, node)
    assert made.only() == ("critical", "WriteFile", "load", "/tmp/evil")


def test_every_init_op_counts_not_only_the_first() -> None:
    made = Made()
    good, bad = made.add("NoOp"), made.write_file(b"/tmp/evil")
    made.signature("__saved_model_init_op", {"__saved_model_init_op": good, "b": bad})
    assert made.only()[0] == "critical"


def test_functions_are_followed_to_the_deepest() -> None:
    made = Made()
    inner = made.function("inner")
    inner.outputs = [Output("y", made.read(made.text(b"/etc/passwd")), STRING)]
    outer = made.function("outer")
    attrs: dict[str, AttrValue] = {"branches": [FunctionRef(inner), FunctionRef(inner)], "Tin": [], "Tout": [STRING]}
    branch = made.number(0, dtype=INT32)
    outer.outputs = [Output("y", made.add("Case", [branch], attrs).output(), STRING)]
    made.main()
    made.signature("steal", {"y": made.call(outer).output()})
    (threat,) = made.threats()
    assert (threat.severity, threat.when) == ("high", STEAL)
    assert threat.where == "steal > StatefulPartitionedCall > outer > Case > inner > ReadFile"


def test_a_function_that_nothing_calls_is_medium() -> None:
    made = Made()
    reader(made, "idle")
    assert made.only() == ("medium", "ReadFile", "unknown", "/etc/passwd")


def test_a_function_that_is_named_in_a_string_counts_as_called() -> None:
    made = Made()
    reader(made, "hidden")
    made.main()
    made.signature("steal", {"y": made.add("Identity", [made.text(b"x")], {"T": STRING, "note": b"hidden"}).output()})
    assert made.only()[::2] == ("high", STEAL)


def test_functions_that_can_stand_for_each_other_count_as_called() -> None:
    made = Made()
    for name, path in (("shown", None), ("swapped", b"/etc/passwd")):
        function = made.function(name)
        function.attrs = {"api_implements": b"lstm"}
        value = made.text(b"x") if path is None else made.read(made.text(path))
        function.outputs = [Output("y", value, STRING)]
    made.main()
    made.signature("steal", {"y": made.call(made.metagraph.functions["shown"]).output()})
    assert made.only()[::2] == ("high", STEAL)


def test_recursion_ends() -> None:
    made = Made()
    function = made.function("again", STRING)
    result = made.read(made.call(function, [function.inputs[0]]).output())
    function.outputs = [Output("y", result, STRING)]
    made.main()
    x = made.placeholder("x")
    made.signature("steal", {"y": made.call(function, [x]).output()}, {"x": x})
    assert made.only()[:3] == ("high", "ReadFile", STEAL)


def test_a_gradient_runs_when_it_is_asked_for() -> None:
    made = Made()
    forward = made.function("forward")
    forward.outputs = [Output("y", made.text(b"x"), STRING)]
    reader(made, "backward")
    made.metagraph.gradients["forward"] = "backward"
    made.main()
    made.signature("steal", {"y": made.call(forward).output()})
    assert made.only() == ("high", "ReadFile", "function:backward", "/etc/passwd")
    made.signature("train", {"g": made.add("SymbolicGradient", [], {"f": FunctionRef(forward), "Tout": [STRING]})})
    assert made.only()[2] == "signature:train"


@pytest.mark.parametrize(
    ("name", "severity", "when"),
    [("_initialize", "critical", "load"), ("attack", "high", "function:resource.attack")],
)
def test_functions_of_objects(name: str, severity: str, when: str) -> None:
    made = Made()
    function = made.function("f")
    function.control_outputs = {"w": made.write_file(b"/tmp/evil")}
    made.objects(("resource", [(name, function)]))
    assert made.only() == (severity, "WriteFile", when, "/tmp/evil")


def test_restore_functions_of_objects_run_on_load() -> None:
    made = Made()
    function = made.function("restore")
    function.control_outputs = {"w": made.write_file(b"/tmp/evil")}
    objects = made.objects(("table", []))
    holder = ObjectNode("function")
    holder.functions = [function]
    objects.nodes[1].saveables = {"t": (ObjectNode("function"), holder)}
    assert made.only()[:3] == ("critical", "WriteFile", "load")


def test_any_node_of_a_bare_graph_may_be_fetched() -> None:
    made = Made("graph_def")
    made.read(made.text(b"/etc/passwd"))
    assert made.only() == ("high", "ReadFile", "unknown", "/etc/passwd")


# -- evaluated while the graph is imported -------------------------------------------------------------


def test_constants_that_a_shape_depends_on_are_evaluated_on_import() -> None:
    made = Made()
    made.function("idle")
    size = made.add("DecodeRaw", [made.read(made.text(b"/etc/passwd"))], {"out_type": INT32}).output()
    made.add("Fill", [size, made.number(1)], {"T": FLOAT32, "index_type": INT32})
    assert made.only() == ("high", "ReadFile", "load", "/etc/passwd")


def test_what_no_shape_depends_on_is_not_evaluated_on_import() -> None:
    made = reading()
    node = made.graph.node("ReadFile")
    assert node is not None
    made.add("StringLength", [node.output()])
    assert made.only()[2] == STEAL


def test_a_debug_op_that_a_shape_depends_on_writes_on_import() -> None:
    made = Made()
    attrs: dict[str, AttrValue] = {"T": INT32, "debug_urls": [b"file:///tmp/evil"]}
    size = made.add("DebugIdentity", [made.number(1, dtype=INT32)], attrs).output()
    made.add("Fill", [size, made.number(1)], {"T": FLOAT32, "index_type": INT32})
    assert made.only() == ("critical", "DebugIdentity", "load", "file:///tmp/evil")


# -- on what -------------------------------------------------------------------------------------------


def test_pieces_of_a_path_are_put_together() -> None:
    made = Made()
    joined = made.add("StringJoin", [made.text(b"/et"), made.text(b"c/pas"), made.text(b"swd")], {"N": 3}).output()
    made.signature("steal", {"y": made.read(joined)})
    assert made.only()[3] == "/etc/passwd"


def test_what_a_caller_chooses_is_said() -> None:
    made = Made()
    x = made.placeholder("x")
    made.signature("steal", {"y": made.read(x)}, {"path": x})
    assert made.only()[3] == "whatever the caller passes (path)"
    made = Made()
    x = made.placeholder("x")
    joined = made.add("StringJoin", [made.text(b"/home/"), x], {"N": 2}).output()
    made.signature("steal", {"y": made.read(joined)}, {"path": x})
    assert made.only()[3] == "whatever the caller passes (path), behind '/home/'"


def test_one_function_two_callers_two_paths() -> None:
    made = Made()
    function = made.function("read", STRING)
    function.outputs = [Output("y", made.read(function.inputs[0]), STRING)]
    made.main()
    first, second = (made.call(function, [made.text(path)]).output() for path in (b"/a", b"/b"))
    made.signature("steal", {"a": first, "b": second})
    assert made.only()[3] == "/a, /b"


def test_a_path_that_is_computed_is_no_less_bad() -> None:
    made = Made()
    text = made.add("AsString", [made.number(1)], {"T": FLOAT32}).output()
    made.signature("steal", {"y": made.read(text)})
    assert made.only() == ("high", "ReadFile", STEAL, "what the model computes (AsString)")


def test_elements_of_data_sets_are_followed() -> None:
    made = Made()
    function = made.function("map", STRING)
    function.outputs = [Output("y", made.read(function.inputs[0]), STRING)]
    made.main()
    source = made.add("TensorSliceDataset", [made.text(b"/etc/passwd", b"/etc/hosts")], {"Toutput_types": [STRING]})
    repeated = made.add("ShuffleDataset", [source.output(), *[made.number(1)] * 3])
    mapped = made.add("MapDataset", [repeated.output()], {"f": FunctionRef(function), "Targuments": []})
    made.signature("steal", {"y": made.add("DatasetToSingleElement", [mapped.output()]).output()})
    assert made.only()[3] == "/etc/passwd, /etc/hosts"


def test_names_of_files_come_through_queues() -> None:
    made = Made()
    queue = made.add("FIFOQueueV2", [], {"component_types": [STRING]}).output()
    made.add("QueueEnqueueV2", [queue, made.text(b"/etc/passwd")], {"Tcomponents": [STRING]})
    reader = made.add("WholeFileReaderV2").output()
    made.signature("steal", {"y": made.add("ReaderReadV2", [reader, queue]).output(1)})
    assert {threat[1:4:2] for threat in map(as_row, made.threats())} == {
        ("WholeFileReaderV2", "/etc/passwd"),
        ("ReaderReadV2", "/etc/passwd"),
    }


def as_row(threat: object) -> tuple[object, ...]:
    return tuple(getattr(threat, name) for name in ("severity", "op", "when", "target"))


def test_a_loop_hands_its_path_round() -> None:
    made = Made()
    body = made.function("body", STRING)
    made.read(body.inputs[0])
    body.outputs = [Output("y", made.text(b"/b"), STRING)]
    cond = made.function("cond", STRING)
    cond.outputs = [Output("y", made.text(b"x"), STRING)]
    made.main()
    attrs: dict[str, AttrValue] = {"cond": FunctionRef(cond), "body": FunctionRef(body), "T": [STRING]}
    made.signature("steal", {"y": made.add("While", [made.text(b"/a")], attrs).output()})
    assert made.only()[3] == "/a, /b"


# -- assets and savers ---------------------------------------------------------------------------------


def table(made: Made, path: object) -> None:
    handle = made.add("HashTableV2", [], {"key_dtype": STRING, "value_dtype": STRING}).output()
    made.on_load(made.add("InitializeTableFromTextFileV2", [handle, path]))  # type: ignore[list-item]


def test_a_vocabulary_of_the_model_is_harmless() -> None:
    made = Made()
    table(made, made.asset("vocab.txt"))
    assert made.threats() == []
    (threat,) = made.threats(but_info=False)
    assert (threat.severity, threat.target) == ("info", "assets/vocab.txt")


def test_an_asset_that_leads_out_is_not() -> None:
    made = Made()
    table(made, made.asset("../../etc/passwd"))
    assert made.only() == ("critical", "InitializeTableFromTextFileV2", "load", "../../etc/passwd")


def test_a_path_behind_an_asset_is_not() -> None:
    made = Made()
    joined = made.add("StringJoin", [made.asset("vocab.txt"), made.text(b"/../../x")], {"N": 2}).output()
    table(made, joined)
    assert made.only()[::3] == ("critical", "the path of the asset vocab.txt, followed by '/../../x'")


def test_an_asset_that_is_captured_by_a_function_is_harmless() -> None:
    made = Made()
    made.asset("vocab.txt")
    function = made.function("init", STRING)
    handle = made.add("HashTableV2", [], {"key_dtype": STRING, "value_dtype": STRING}).output()
    function.control_outputs = {"t": made.add("InitializeTableFromTextFileV2", [handle, function.inputs[0]])}
    objects = made.objects(("table", [("_initialize", function)]))
    objects.concrete_functions = [ConcreteFunction(function, [ObjectNode("asset")])]
    assert made.threats() == []


def saver(made: Made, *, restore_from: bytes = b"", also: object = None) -> None:
    """Give a model a saver as TensorFlow 1 writes it."""
    name = made.placeholder("save/Const")
    path = name
    if restore_from:
        path = made.add("StringJoin", [name, made.text(restore_from)], {"N": 2}).output()
    texts = [made.text(b"v"), made.text(b"")]
    part = made.add("StringJoin", [name, made.text(b"_temp_0123456789abcdef/part")], {"N": 2}).output()
    shard = made.add("ShardedFilename", [part, made.number(0), made.number(1)]).output()
    save = made.add("SaveV2", [shard, *texts, made.number(1)], {"dtypes": [FLOAT32]})
    merge = made.add("MergeV2Checkpoints", [shard, name], after=[save])
    saved = made.add("Identity", [name], {"T": STRING}, after=[merge])
    value = made.add("RestoreV2", [path, *texts], {"dtypes": [FLOAT32]}).output()
    assign = made.add("Assign", [made.add("VariableV2", [], {"dtype": FLOAT32}).output(), value], {"T": FLOAT32})
    restore = made.add("NoOp", after=[assign, *([also] if also is not None else [])])  # type: ignore[list-item]
    mentions = (Mention.of(end, "saver") for end in (name, saved.output(), restore))
    made.metagraph.saver = Saver(*mentions, 2)


def test_an_own_saver_is_harmless() -> None:
    made = Made()
    saver(made)
    assert made.threats() == []
    assert {threat.what.partition(": ")[2] for threat in made.threats(but_info=False)} == {"the model's own saver"}


def test_a_restore_op_that_writes_is_critical() -> None:
    made = Made()
    saver(made, also=made.write_file(b"/tmp/evil"))
    assert made.only() == ("critical", "WriteFile", "load", "/tmp/evil")


def test_a_restore_from_elsewhere_is_critical() -> None:
    made = Made()
    saver(made, restore_from=b"/../../x")
    assert made.only()[:3] == ("critical", "RestoreV2", "load")


def test_saving_while_loading_is_critical_even_under_the_own_name() -> None:
    made = Made()
    saver(made)
    node = made.graph.node("MergeV2Checkpoints")
    restore = made.metagraph.saver
    assert node is not None
    assert restore is not None
    assert restore.restore.node is not None
    restore.restore.node.controls = (*restore.restore.node.controls, node)
    assert {row[:3] for row in map(as_row, made.threats())} == {
        ("critical", "MergeV2Checkpoints", "load"),
        ("critical", "SaveV2", "load"),
    }


def test_a_saver_in_a_signature_is_no_saver() -> None:
    made = Made()
    attrs: dict[str, AttrValue] = {"dtypes": [FLOAT32]}
    value = made.add("RestoreV2", [made.text(b"/models/x"), made.text(b"v"), made.text(b"")], attrs).output()
    made.signature("steal", {"y": value})
    assert made.only() == ("high", "RestoreV2", STEAL, "/models/x")


def test_a_saver_that_a_signature_calls_is_the_caller_s() -> None:
    made = Made()
    saver(made)
    node, name = made.graph.node("RestoreV2"), made.graph.node("save/Const")
    assert node is not None
    assert name is not None
    made.signature("steal", {"y": node.output()}, {"from": name.output()})
    assert made.only() == ("high", "RestoreV2", STEAL, "whatever the caller passes (from)")


def test_a_saver_that_nothing_uses_is_harmless_and_a_warm_start_is_medium() -> None:
    made = Made("graph_def")
    texts = [made.text(b"v"), made.text(b"")]
    made.add("RestoreV2", [made.text(b"model"), *texts], {"dtypes": [FLOAT32]})
    assert made.threats() == []
    value = made.add("RestoreV2", [made.text(b"/home/me/ckpt"), *texts], {"dtypes": [FLOAT32]}).output()
    variable = made.add("VariableV2", [], {"dtype": FLOAT32}).output()
    made.add("Assign", [variable, value], {"T": FLOAT32})
    assert made.only()[::3] == ("medium", "/home/me/ckpt")


# -- what attributes decide ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("op", "attrs", "severity", "target"),
    [
        ("PrintV2", {"output_stream": b"stderr"}, "info", None),
        ("PrintV2", {"output_stream": b"file:///tmp/x"}, "high", "file:///tmp/x"),
        ("DebugIdentityV2", {"debug_urls": []}, None, None),
        ("DebugIdentityV2", {"debug_urls": [b"memcbk://x"]}, None, None),
        ("DebugIdentityV2", {"debug_urls": [b"grpc://evil:1"]}, "high", "grpc://evil:1"),
        ("Copy", {"debug_ops_spec": []}, None, None),
        ("Copy", {"debug_ops_spec": [b"DebugIdentity;file:///tmp/x;0"]}, "high", "file:///tmp/x"),
        ("EncodeProto", {"descriptor_source": b"local://"}, None, None),
        ("EncodeProto", {"descriptor_source": b"/etc/d"}, "high", "/etc/d"),
        ("ImmutableConst", {"memory_region_name": b"/etc/passwd"}, "high", "/etc/passwd"),
        ("FixedUnigramCandidateSampler", {"vocab_file": b""}, None, None),
        ("PyFunc", {"token": b"f"}, "high", "f"),
        ("DecodePng", {}, "info", None),
        ("Abort", {}, "high", None),
        ("XlaCustomCallV2", {"call_target_name": b"evil"}, "medium", "evil"),
        ("RemoteCall", {}, "medium", None),
        ("ParseTensor", {"out_type": RESOURCE}, "medium", None),
        ("ParseTensor", {"out_type": FLOAT32}, None, None),
    ],
)
def test_attributes_decide(op: str, attrs: dict[str, AttrValue], severity: str | None, target: str | None) -> None:
    made = Made()
    made.signature("steal", {"y": made.add(op, [], attrs)})
    found = [as_row(threat)[::3] for threat in made.threats(but_info=False)]
    assert found == ([] if severity is None else [(severity, target)])


@pytest.mark.parametrize(
    ("op", "attr"),
    [("PrintV2", "output_stream"), ("DebugIdentityV2", "debug_urls"), ("EncodeProto", "descriptor_source"),
     ("ImmutableConst", "memory_region_name"), ("FixedUnigramCandidateSampler", "vocab_file")],
)  # fmt: skip
def test_an_attribute_that_a_caller_fills_in_is_no_less_bad(op: str, attr: str) -> None:
    made = Made()
    function = made.function("f")
    function.control_outputs = {"x": made.add(op, [], {attr: "chosen"})}
    made.main()
    made.signature("steal", {"y": made.call(function)})
    assert made.only()[:3] == ("high", op, STEAL)


def test_a_cache_in_memory_is_harmless() -> None:
    for path, expected in ((b"", []), (b"/tmp/cache", ["/tmp/cache"])):
        made = Made()
        source = made.add("RangeDataset", [made.number(1)] * 3).output()
        cached = made.add("CacheDatasetV2", [source, made.text(path), made.add("DummyMemoryCache").output()])
        made.signature("steal", {"y": cached.output()})
        assert [threat.target for threat in made.threats()] == expected


def test_training_input_is_medium_and_serving_input_is_not() -> None:
    made = Made("graph_def")
    iterator = made.add("IteratorV2").output()
    made.add("MakeIterator", [made.add("TFRecordDataset", [made.text(b"train.tfrecord")]).output(), iterator])
    assert made.only()[0] == "high"
    made.add("VariableV2", [], {"dtype": FLOAT32})
    assert made.only()[::3] == ("medium", "train.tfrecord")


# -- what hides ----------------------------------------------------------------------------------------


def inner() -> bytes:
    made = Made("graph_def")
    made.read(made.text(b"/etc/passwd"))
    return graph_bytes(made)


def test_a_graph_inside_a_string_is_judged_as_what_runs_it() -> None:
    made = Made()
    made.signature("steal", {"y": made.add("DatasetFromGraph", [made.text(inner())]).output()})
    assert [as_row(threat) for threat in made.threats()] == [
        ("high", "DatasetFromGraph", STEAL, None),
        ("high", "ReadFile", STEAL, "/etc/passwd"),
    ]


def test_a_graph_that_cannot_be_seen_is_told() -> None:
    made = Made()
    x = made.placeholder("x")
    made.signature("steal", {"y": made.add("DatasetFromGraph", [x]).output()}, {"x": x})
    assert [as_row(threat)[:2] for threat in made.threats()] == [("high", "DatasetFromGraph"), ("medium", None)]


def test_a_graph_in_a_string_that_nothing_runs_is_medium() -> None:
    made = Made()
    made.text(inner())
    assert made.only() == ("medium", "ReadFile", "unknown", "/etc/passwd")


def test_graphs_inside_graphs_end() -> None:
    data = inner()
    for _ in range(20):
        made = Made("graph_def")
        made.add("DatasetFromGraph", [made.text(data)])
        data = graph_bytes(made)
    made = Made()
    made.signature("steal", {"y": made.add("DatasetFromGraph", [made.text(data)]).output()})
    assert any(threat.op is None and "deep" in threat.what for threat in made.threats())


def test_an_unknown_op_is_medium_once_and_one_of_a_known_package_is_info() -> None:
    made = Made()
    made.signature("steal", {"y": made.add("EvilOp"), "z": made.add("EvilOp", name="again")})
    assert made.only() == ("medium", "EvilOp", STEAL, None)
    made = Made()
    made.signature("good", {"y": made.add("SentencepieceTokenizeOp")})
    assert [as_row(threat)[:2] for threat in made.threats(but_info=False)] == [("info", "SentencepieceTokenizeOp")]


def test_a_function_under_the_name_of_an_op_is_told() -> None:
    made = Made()
    function = made.function("Relu")
    function.outputs = [Output("y", made.read(made.text(b"/etc/passwd")), STRING)]
    made.main()
    made.signature("steal", {"y": made.add(function, name="relu").output()})
    assert [as_row(threat)[:3] for threat in made.threats()] == [("high", "ReadFile", STEAL), ("medium", "Relu", STEAL)]


def test_state_of_others_is_medium() -> None:
    made = Made()
    attrs: dict[str, AttrValue] = {"container": b"box", "shared_name": b"v"}
    made.signature("steal", {"y": made.add("VarHandleOp", [], attrs).output()})
    assert made.only() == ("medium", "VarHandleOp", STEAL, "box")
    made = Made()
    constant = {"dtype": RESOURCE, "value": Tensor.of(STRING, [], [b""])}
    made.signature("steal", {"y": made.add("Const", [], constant).output()})
    assert made.only()[:3] == ("medium", "Const", STEAL)


def test_a_model_without_anything_of_interest_is_not_even_lifted() -> None:
    made = Made()
    made.signature("good", {"y": made.add("Identity", [made.placeholder("x")], {"T": STRING}).output()})
    assert made.threats(but_info=False) == []
