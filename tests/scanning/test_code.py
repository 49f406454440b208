"""Code that files carry: pickles that hide what they call, objects of Keras, links of HDF5, members of archives."""

from __future__ import annotations

import base64
import io
import json
import shutil
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

from graphsurgeon.scanning.files import keras, pickles
from graphsurgeon.scanning.scan import scan
from tests.scanning.test_files import LAMBDA, layers, pickled, rows, zipped

SYSTEM = pickled("os", "system")
ELF = b"\x7fELF\x02\x01\x01" + bytes(57)


# What `pickle.dumps` makes of an object whose `__reduce__` returns `eval, ("1",)`, by protocol.
EVIL = [
    b"c__builtin__\neval\np0\n(V1\np1\ntp2\nRp3\n.",
    b"c__builtin__\neval\nq\x00(X\x01\x00\x00\x001q\x01tq\x02Rq\x03.",
    b"\x80\x02c__builtin__\neval\nq\x00X\x01\x00\x00\x001q\x01\x85q\x02Rq\x03.",
    b"\x80\x03cbuiltins\neval\nq\x00X\x01\x00\x00\x001q\x01\x85q\x02Rq\x03.",
    b"\x80\x04\x95\x1d\0\0\0\0\0\0\0\x8c\x08builtins\x94\x8c\x04eval\x94\x93\x94\x8c\x011\x94\x85\x94R\x94.",
    b"\x80\x05\x95\x1d\0\0\0\0\0\0\0\x8c\x08builtins\x94\x8c\x04eval\x94\x93\x94\x8c\x011\x94\x85\x94R\x94.",
]
ONE = b"\x80\x04]\x94K\x01a."  # of `[1]`


def array(descr: str, data: bytes) -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': (1,), }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def tarred(*members: tarfile.TarInfo | tuple[str, bytes]) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                archive.addfile(info, io.BytesIO(member[1]))
    return data.getvalue()


# -- pickles -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94h\x00h\x01\x93.", ("critical", "os system")),  # out of the memory
        (b"\x80\x04\x8c\x02os\x8c\x06system\x8c\x05numpy\x8c\x05dtype00\x93.", ("critical", "os system")),  # POP POP
        (b"\x80\x04\x8c\x02os\x8c\x06system(\x8c\x05numpy1\x93.", ("critical", "os system")),  # POP_MARK
        (b"\x80\x04\x8c\x04argv\x8c\x03sys\x8c\x04exit\x862\x93.", ("critical", "a computed name")),
        (b"\x80\x04\x8c\x05numpy\x8c\x04load\x93.", ("high", "numpy load")),
        (b"\x80\x04\x8c\x05numpy\x8c\x10load.__globals__\x93.", ("critical", "numpy load.__globals__")),
        (b"\x80\x04\x8c\x05torch\x8c\x04save\x93.", ("high", "torch save")),
        (b"\x80\x04\x8c\x13torch.serialization\x8c\x04load\x93.", ("high", "torch.serialization load")),
        (b"\x80\x04\x8c\x0ctorch._utils\x8c\x12_rebuild_tensor_v2\x93.", ("info", None)),
        (b"\x80\x04\x8c\x10__torch__.models\x8c\x03Net\x93.", ("info", None)),
        (ONE + SYSTEM, ("critical", "os system")),  # a second one
        (b"(S'id'\nios\nsystem\n.", ("critical", "os system")),
        (EVIL[0], ("critical", "__builtin__ eval")),
    ],
)  # fmt: skip
def test_what_a_pickle_calls(data: bytes, expected: tuple[str, str | None]) -> None:
    assert [(threat.severity, threat.target) for threat in pickles.threats(data, "p")] == [expected]


def test_numbers_behind_a_pickle_are_no_pickle() -> None:
    data = ONE + bytes(range(256))
    assert [threat.severity for threat in pickles.threats(data, "p")] == ["info"]


@pytest.mark.parametrize("name", ["a.pkl", "a.pickle", "a.joblib", "unnamed"])
@pytest.mark.parametrize("protocol", range(6))
def test_pickles_of_every_protocol_are_known(name: str, protocol: int, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(EVIL[protocol])
    module = "__builtin__" if protocol < 3 else "builtins"
    assert rows(tmp_path / name) == [("critical", None, "load", f"{module} eval")]


@pytest.mark.parametrize("descr", ["'|O'", "'O'", "'O8'", "'object'", "[('a', '<f4'), ('b', '|O')]"])
def test_arrays_of_objects_are_pickles(descr: str, tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(array(descr, SYSTEM))
    (tmp_path / "a.npz").write_bytes(zipped(whatever=array(descr, SYSTEM)))
    (tmp_path / "a.keras").write_bytes(
        zipped(**{
            "metadata.json": b"{}", "config.json": b"{}", "model.weights.npz": zipped(**{"w.npy": array(descr, SYSTEM)})
        })
    )  # fmt: skip
    for name in ("a.npy", "a.npz", "a.keras"):
        assert ("critical", None, "load", "os system") in rows(tmp_path / name), name


# -- archives ------------------------------------------------------------------------------------------


def linked(name: str, to: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, to
    return info


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (tarred(("m/data.pkl", SYSTEM)), {"critical"}),
        (tarred(("../../x.pkl", SYSTEM)), {"critical", "high"}),
        (tarred(("m/lib.so", ELF)), {"high"}),
        (tarred(linked("m/link", "/etc/passwd")), {"high"}),
        (tarred(linked("m/link", "../../x")), {"high"}),
        (tarred(("m/x", b"x"), linked("m/link", "x"), linked("m/other", "../m/x")), set()),
    ],
)
def test_members_of_a_tar_archive(data: bytes, expected: set[str], tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(data)
    assert {row[0] for row in rows(tmp_path / "a.tar")} == expected


def keras_file(config: object) -> bytes:
    return zipped(**{"metadata.json": b"{}", "config.json": json.dumps(config).encode(), "model.weights.h5": b"x"})


TORCH_FILE = {"archive/data.pkl": SYSTEM, "archive/version": b"3"}


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"m/x.keras": keras_file(LAMBDA)}, ("high", "Lambda")),
        ({"m/x.pt": zipped(**TORCH_FILE)}, ("critical", None)),
        ({"x.npz": zipped(w=array("'O'", SYSTEM))}, ("critical", None)),
        ({"in.bin": zipped(x=zipped(**{"data.pkl": SYSTEM}))}, ("critical", None)),
    ],
)
def test_archives_in_archives(members: dict[str, bytes], expected: tuple[str, str | None], tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped(**members))
    assert expected in [row[:2] for row in rows(tmp_path / "a.zip")]


def test_archives_without_end_are_told(tmp_path: Path) -> None:
    data = zipped(**{"data.pkl": SYSTEM})
    for _ in range(8):
        data = zipped(inner=data)
    (tmp_path / "a.zip").write_bytes(data)
    assert [(row[0], row[1]) for row in rows(tmp_path / "a.zip")] == [("medium", None)]


def test_models_beside_a_model(fixtures_dir: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(fixtures_dir / "savedmodel/linear", tmp_path / "m"))
    (folder / "assets.extra").mkdir()
    (folder / "assets.extra/other.keras").write_bytes(keras_file(LAMBDA))
    (folder / "assets.extra/values.npy").write_bytes(array("'|O'", SYSTEM))
    (folder / "assets.extra/notes.pb").write_bytes(b"\xff")
    assert {row[:4] for row in rows(folder)} == {
        ("medium", "Lambda", "unknown", None), ("medium", None, "unknown", "os system"),
    }  # fmt: skip


def test_arrays_behind_a_tflite_model(fixtures_dir: Path, tmp_path: Path) -> None:
    model = (fixtures_dir / "tflite/float.tflite").read_bytes()
    (tmp_path / "m.tflite").write_bytes(model + zipped(**{"a.npy": array("'O'", SYSTEM)}))
    assert rows(tmp_path / "m.tflite") == [("critical", None, "load", "os system")]


# -- Keras ---------------------------------------------------------------------------------------------


def config(class_name: str, in_module: str | None = "keras.layers", **settings: object) -> dict[str, object]:
    return {"module": in_module, "class_name": class_name, "config": settings, "registered_name": None}


def lookup(vocabulary: object) -> dict[str, object]:
    return config("StringLookup", vocabulary=vocabulary)


def wrapper(module: object) -> dict[str, object]:
    return config("TorchModuleWrapper", module=module)


def function(module: str, name: str) -> dict[str, object]:
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


TORCH = base64.b64encode(SYSTEM).decode()


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (config("Dense", activation=function("os", "system")), ("critical", "system", "os.system")),
        (config("Dense", activation=function("builtins", "eval")), ("critical", "eval", "builtins.eval")),
        (config("exec", "builtins"), ("critical", "exec", "builtins.exec")),
        (config("get_file", "keras.utils", origin="http://evil/x"), ("high", "get_file", "http://evil/x")),
        (lookup("file:///etc/passwd"), ("high", "StringLookup", "file:///etc/passwd")),
        (lookup("https://www.evil.com/v"), ("high", "StringLookup", "https://www.evil.com/v")),
        (lookup("gs://evil/v"), ("high", "StringLookup", "gs://evil/v")),
        (lookup({"class_name": "str", "config": "/etc/passwd"}), ("high", "StringLookup", "/etc/passwd")),
        (wrapper(TORCH), ("critical", None, "os system")),
        (wrapper({"class_name": "__bytes__", "value": TORCH}), ("critical", None, "os system")),
        (wrapper("?"), ("high", "TorchModuleWrapper", None)),
        (config("TFSMLayer", filepath="/tmp/evil"), ("high", "TFSMLayer", "/tmp/evil")),
        (config("JaxLayer", call_fn=LAMBDA), ("high", "Lambda", None)),
        (function("tensorflow.io", "read_file"), ("high", "read_file", "read_file")),
        (function("keras.src.utils.python_utils", "func_load"), ("high", "func_load", "func_load")),
        (config("TFOpLambda", None, function="io.write_file"), ("high", "write_file", "io.write_file")),
        (config("TFOpLambda", None, function="raw_ops.ReadFile"), ("high", "ReadFile", "raw_ops.ReadFile")),
        (config("TensorFlowOpLayer", None, node_def='name: "a" op: "ReadFile"', constants={"0": "/etc/passwd"}),
         ("high", "ReadFile", "/etc/passwd")),
        (config("TensorFlowOpLayer", None, node_def=json.dumps({"op": "WriteFile"})),
         ("high", "WriteFile", "WriteFile")),
        (config("Lambda", function="system", function_type="function", module="os"),
         ("critical", "Lambda", "os.system")),
        (config("TimeDistributed", layer=layers(layers(config("Lambda", function=LAMBDA)))), ("high", "Lambda", None)),
    ],
)  # fmt: skip
def test_objects_of_configurations(item: dict[str, object], expected: tuple[str, str | None, str | None]) -> None:
    found = list(keras.in_config(layers(item)))
    assert {(threat.severity, threat.op, threat.target) for threat in found} == {expected}
    assert {threat.when for threat in found} == {"load"}


@pytest.mark.parametrize(
    "item",
    [
        lookup(["a", "b"]),
        config("Dense", kernel_initializer=config("GlorotUniform", "keras.initializers", seed=None)),
        function("builtins", "mean_squared_error"),
        config("TFOpLambda", None, function="math.add"),
        config("TensorFlowOpLayer", None, node_def='name: "a" op: "AddV2"', constants={"0": 1.0}),
    ],
)
def test_objects_that_compute_only(item: dict[str, object]) -> None:
    assert list(keras.in_config(layers(item))) == []


def test_the_last_of_two_configurations_counts(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", json.dumps(layers()))
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("config.json", json.dumps(layers(config("Lambda", function=LAMBDA))))
    assert rows(path) == [("high", "Lambda", "load", None)]


# -- HDF5 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("libver", [None, "latest"])
def test_links_of_hdf5_out_of_the_file(libver: str | None, tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "m.h5"
    with h5py.File(path, "w", libver=libver) as file:
        file["within"] = h5py.SoftLink("/values")
        file.create_dataset("values", (4,), "f4")
        file.create_group("g")["far"] = h5py.ExternalLink("/etc/passwd", "/x")
        file["beside"] = h5py.ExternalLink("other.h5", "/x")
        file.create_dataset("outer", (4,), "f4", external=[("/etc/shadow", 0, 16)])
        view = h5py.VirtualLayout((4,), "f4")
        view[:] = h5py.VirtualSource("/etc/hosts", "d", (4,))
        file.create_virtual_dataset("view", view)
    found = {(threat.severity, threat.when, threat.target, threat.where) for threat in scan(path).findings}
    assert found == {
        ("high", "load", "/etc/passwd", "m.h5 > g/far"),
        ("high", "load", "/etc/shadow", "m.h5 > outer"),
        ("high", "load", "/etc/hosts", "m.h5 > view"),
        ("medium", "load", "other.h5", "m.h5 > beside"),
    }
    keras_file = tmp_path / "m.keras"
    inner = {"metadata.json": b"{}", "config.json": b"{}", "model.weights.h5": path.read_bytes()}
    keras_file.write_bytes(zipped(**inner))
    assert [row[0] for row in rows(keras_file)] == ["high", "high", "high", "medium"]


# -- ONNX ----------------------------------------------------------------------------------------------


@pytest.mark.onnx
@pytest.mark.parametrize("place", ["initializer", "sparse", "constant", "branch"])
@pytest.mark.parametrize(
    ("location", "target"),
    [("../../secret", "../../secret"), ("/etc/passwd", "/etc/passwd"), ("link", "/etc/passwd"), ("beside.bin", None)],
)
def test_weights_of_onnx_outside_the_folder(place: str, location: str, target: str | None, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    tensor = onnx.TensorProto(name="w", data_type=1, dims=[4], data_location=onnx.TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    x, y = (helper.make_tensor_value_info(name, 1, [4]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", [x], [y])
    if place == "initializer":
        graph.initializer.append(tensor)
    elif place == "sparse":
        indices = helper.make_tensor("i", 7, [4], [0, 1, 2, 3])
        graph.sparse_initializer.append(onnx.SparseTensorProto(values=tensor, indices=indices, dims=[4]))
    elif place == "constant":
        graph.node.insert(0, helper.make_node("Constant", [], ["w"], value=tensor))
    else:
        body = onnx.GraphProto()
        body.CopyFrom(graph)
        body.initializer.append(tensor)
        graph = helper.make_graph([helper.make_node("If", ["x"], ["y"], then_branch=body)], "g", [x], [y])
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "m.onnx").write_bytes(helper.make_model(graph).SerializeToString())
    assert rows(tmp_path / "m.onnx") == ([("high", None, "load", target)] if target else [])
