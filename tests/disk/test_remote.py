"""Models behind URLs: the same answers as here, few bytes, and one line for whatever goes wrong."""

from __future__ import annotations

import json
import shutil
import socket
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from graphsurgeon import check, find, new_model, read, scan, summarize, write
from graphsurgeon.analysis.stored_weights.weights import checksum, list_weights
from graphsurgeon.bridges import fetching
from graphsurgeon.bridges.fetching import here
from graphsurgeon.disk import remote, stores
from graphsurgeon.disk.places import RemotePath, path_of, refuse_writing
from graphsurgeon.disk.remote import SETTINGS
from graphsurgeon.errors import FileError, FormatError, GraphSurgeonError, UsageError
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.model import Model
from graphsurgeon.model.tensor import Tensor
from tests.cli.conftest import GS, gs
from tests.disk.bundles.build import task_of
from tests.disk.servers import Server, serving

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
MODELS = (
    "savedmodel/linear", "checkpoint/multi_shard/ckpt", "graphdef/linear.pb", "tflite/cnn_float.tflite",
    "metagraph/face_resnet/model-1.meta",
)  # fmt: skip
__all__ = ["gs"]


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be known from another test, and nothing be waited for."""
    monkeypatch.setattr(remote, "_opened", {})
    monkeypatch.setattr(remote, "_listed", {})
    monkeypatch.setattr(stores, "_WAIT", 0.0)


@pytest.fixture
def server() -> Iterator[Server]:
    """Give out the fixtures."""
    with serving(FIXTURES) as running:
        yield running


def facts(model: Model) -> object:
    """Return all that is known of a model but where it lies."""
    summary = summarize(model)._replace(path="")
    weights = list_weights(model, model.metagraphs, lambda metagraph: metagraph.graphs, small=True)
    sums = [checksum(weight.tensor) for weight in weights if weight.dtype.bits]
    values = [str(found) for found in find(model)]
    return repr(summary._replace(bytes=0)), sums, values, check(model)


def prefix(name: str) -> str:
    """Return the path of a fixture; a checkpoint's by its prefix."""
    found = FIXTURES / name
    if not found.exists() and not found.with_name(found.name + ".index").exists():
        found = next(found.parent.glob("*.index")).with_suffix("")
    return found.relative_to(FIXTURES).as_posix()


@pytest.mark.parametrize("name", MODELS)
def test_the_web_gives_what_a_disk_gives(server: Server, name: str) -> None:
    here, there = FIXTURES / prefix(name), f"{server.url}/{prefix(name)}"
    assert facts(read(there)) == facts(read(here))
    assert read(there).num_bytes == read(here).num_bytes


def bundles(folder: Path) -> None:
    """Put a task that holds a model and another task, and a packed tar of a SavedModel, into a folder."""
    model = (FIXTURES / "tflite/cnn_float.tflite").read_bytes()
    inner = task_of({"b.tflite": model})
    (folder / "face.task").write_bytes(task_of({"a.tflite": model, "l.txt": b"x\n", "in.task": inner}))
    with tarfile.open(folder / "m.tar.gz", "w:gz") as archive:
        archive.add(FIXTURES / "savedmodel/linear", "m")


def test_a_path_goes_on_behind_a_bundle_on_the_web(tmp_path: Path, gs: GS) -> None:
    bundles(tmp_path)
    with serving(tmp_path) as server:
        for inner in ("face.task/a.tflite", "face.task/in.task/b.tflite"):
            assert facts(read(f"{server.url}/{inner}?sig=secret")) == facts(read(FIXTURES / "tflite/cnn_float.tflite"))
        assert {asked for asked, _ in server.asked} == {"/face.task?sig=secret"}
        assert facts(read(f"{server.url}/m.tar.gz/m")) == facts(read(FIXTURES / "savedmodel/linear"))
        assert read(f"{server.url}/m.tar.gz").path == f"{server.url}/m.tar.gz/m"
        missing = gs("show", f"{server.url}/face.task/c.tflite")
        assert (missing.status, "it holds a.tflite, l.txt, in.task" in missing.err) == (3, True)
        source = f"{server.url}/face.task/a.tflite"
        assert (
            gs("rename", source, "--what", "keys", "serving_default.image=x", "-o", tmp_path / "new.task").status == 0
        )
        assert list(read(tmp_path / "new.task/a.tflite").metagraphs[0].signatures["serving_default"].inputs) == ["x"]
        assert gs("optimize", source, "--in-place").status == 2


def test_paths_keep_their_scheme() -> None:
    path = path_of("s3://bucket/models/a.pb")
    assert isinstance(path, RemotePath)
    assert (str(path), str(path.parent / "b"), path.name) == (
        "s3://bucket/models/a.pb", "s3://bucket/models/b", "a.pb",
    )  # fmt: skip
    assert [type(path_of(text)) for text in ("C:/models", "a/b", "./s3:x")] == [type(Path())] * 3
    assert path_of("file:///tmp/a.pb") == Path("/tmp/a.pb")


def test_secrets_are_sent_and_never_told(server: Server, gs: GS) -> None:
    host = server.url.removeprefix("http://")
    url = f"http://me:open@{host}/graphdef/linear.pb?X-Amz-Signature=topsecret"
    shown = gs("show", url, "--json")
    assert (shown.status, shown.json["path"]) == (0, f"{server.url}/graphdef/linear.pb")
    assert {asked for asked, _ in server.asked} == {"/graphdef/linear.pb?X-Amz-Signature=topsecret"}
    assert server.asked[0][1]["Authorization"] == "Basic bWU6b3Blbg=="
    server.status = 403
    remote._opened.clear()
    refused = gs("show", url)
    assert (refused.status, refused.err.count("\n")) == (3, 1)
    assert "403" in refused.err
    for said in (shown.out, shown.err, refused.err, repr(path_of(url))):
        assert "topsecret" not in said
        assert "open@" not in said


def test_a_command_says_what_it_fetched(server: Server, gs: GS, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores.TRAFFIC, "requests", 0)
    monkeypatch.setattr(stores.TRAFFIC, "bytes", 0)
    shown = gs("show", f"{server.url}/tflite/cnn_float.tflite", "-v")
    size = (FIXTURES / "tflite/cnn_float.tflite").stat().st_size
    assert shown.err == f"gs: {size:,} bytes came in 1 requests\n"
    assert (
        gs("show", f"{server.url}/tflite/cnn_float.tflite", f"{server.url}/graphdef/linear.pb", "-j", "2").status == 0
    )


def large(folder: Path) -> Path:
    """Write a graph of 24 constants of a mebibyte."""
    model = new_model()
    dtype = DType.named("float32")
    data = bytes(1 << 20)
    for number in range(24):
        tensor = Tensor(dtype, path_shape(1 << 18), _Zeros(data))
        model.graph.add_node("Const", f"w{number}", (), {"value": tensor, "dtype": dtype})
    target = folder / "large.pb"
    write(model, target)
    return target


class _Zeros:
    def __init__(self, data: bytes) -> None:
        self.data = data

    @property
    def nbytes(self) -> int:
        return len(self.data)

    def chunks(self) -> Iterator[bytes]:
        yield self.data

    def strings(self) -> list[bytes]:
        return []


def path_shape(length: int) -> object:
    """Return the shape of a vector."""
    from graphsurgeon.model.shape import Shape

    return Shape((length,))


def test_structure_moves_few_bytes(tmp_path: Path) -> None:
    target = large(tmp_path)
    with serving(tmp_path) as server:
        summary = summarize(read(f"{server.url}/large.pb"))
        assert summary.graphs[0].ops == {"Const": 24}
        assert server.sent < target.stat().st_size // 50  # of 24 MiB; the first look alone takes 64 KiB


def test_a_server_without_ranges(tmp_path: Path, gs: GS, monkeypatch: pytest.MonkeyPatch) -> None:
    target = large(tmp_path)
    with serving(tmp_path) as server:
        server.has_ranges = False
        whole = gs("show", f"{server.url}/large.pb", "--json")
        assert whole.json["graphs"][0]["ops"] == {"Const": 24}
        assert "gives out whole files only: fetching 25.2 MB" in whole.err
        assert server.sent < target.stat().st_size * 1.5  # what waits in pipes when the first look ends
        remote._opened.clear()
        monkeypatch.setattr(remote, "MOST_UNASKED", 1000)
        refused = gs("show", f"{server.url}/large.pb")
        assert (refused.status, refused.err.count("\n")) == (2, 1)
        assert "has 25 MB; --download" in refused.err
        remote._opened.clear()
        monkeypatch.setattr(remote.SETTINGS, "download", False)
        assert gs("show", f"{server.url}/large.pb", "--download").status == 0


def test_what_is_not_there(server: Server, gs: GS) -> None:
    for url in (f"{server.url}/nothing.pb", f"{server.url}/savedmodel", "http://127.0.0.1:9/a.pb"):
        refused = gs("show", url)
        assert (refused.status, refused.err.count("\n"), refused.out) == (3, 1, "")
        assert url in refused.err


@pytest.mark.parametrize("status", [500, 503, 404, 401])
def test_a_server_that_fails(server: Server, status: int) -> None:
    server.status = status
    with pytest.raises(FileError):
        read(f"{server.url}/graphdef/linear.pb")
    assert len(server.asked) >= (3 if status >= 500 else 1)


def test_a_cut_connection_is_taken_up_again(tmp_path: Path) -> None:
    here = tmp_path / "w.tflite"
    shutil.copy(FIXTURES / "tflite/cnn_float.tflite", here)
    with serving(tmp_path) as server:
        server.cut, server.cuts = 1000, 2
        file = remote.open_file(path_of(f"{server.url}/w.tflite"))  # type: ignore[arg-type]
        assert file.read_at(0, file.size) == here.read_bytes()
        server.cuts = 10**6
        server.cut = 0
        remote._opened.clear()
        file = remote.open_file(path_of(f"{server.url}/w.tflite"))  # type: ignore[arg-type]
        with pytest.raises(FileError, match="connection was cut"):
            file.read_at(0, file.size)


def test_a_file_that_changes(tmp_path: Path) -> None:
    large(tmp_path)
    with serving(tmp_path) as server:
        model = read(f"{server.url}/large.pb")
        server.mark = '"2"'
        (weight, *_) = list_weights(model, model.metagraphs, lambda metagraph: metagraph.graphs)
        with pytest.raises(FileError, match="replaced while it was being read"):
            weight.tensor.tobytes()


def test_names_in_a_model_lead_nowhere_else() -> None:
    folder = path_of("s3://bucket/model")
    assert isinstance(folder, RemotePath)
    assert str(remote.contained(folder, "assets/a.txt")) == "s3://bucket/model/assets/a.txt"
    for name in ("../other", "/etc/passwd", "http://127.0.0.1/x", "a/../../b", ""):
        with pytest.raises(FormatError, match="leads outside"):
            remote.contained(folder, name)


def test_an_edit_writes_here(server: Server, gs: GS, tmp_path: Path) -> None:
    target = tmp_path / "out"
    done = gs("rename", f"{server.url}/savedmodel/linear", "--what", "keys", "serving_default.x=y", "-o", target)
    assert (done.status, done.err) == (0, "")
    assert gs("check", target).status == 0
    for url in (f"{server.url}/out.pb", "s3://bucket/out.svg"):
        words = ("rename", "--prefix", "a/") if url.endswith("pb") else ("render",)
        refused = gs(words[0], FIXTURES / "graphdef/linear.pb", *words[1:], "-o", url)
        assert (refused.status, refused.err.count("\n")) == (2, 1)
        assert url in refused.err
    assert not Path("s3:").exists()
    with pytest.raises(UsageError):
        refuse_writing(Path("s3://bucket/out.pb"))


@pytest.mark.parametrize("name", ["savedmodel/table_asset", *MODELS[:4]])
def test_a_model_is_fetched_to_be_run(server: Server, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    path = path_of(f"{server.url}/{prefix(name)}")
    with here(path, told.append) as place:
        assert facts(read(place)) == facts(read(FIXTURES / prefix(name)))
        assert isinstance(place, Path)
        kept = place
    assert len(told) == 1
    assert told[0].startswith(f"{path}: fetching ")
    assert not kept.exists()
    with here(FIXTURES / name, told.append) as place:
        assert place == FIXTURES / name
    monkeypatch.setattr(fetching, "MOST_UNASKED", 100)
    with pytest.raises(UsageError, match="it has 0 MB"), here(path, told.append):
        pass
    monkeypatch.setattr(SETTINGS, "download", True)
    with here(path, told.append) as place:
        assert place.parent.is_dir()


@pytest.mark.litert
def test_a_model_behind_a_url_is_run(server: Server, gs: GS) -> None:
    url = f"{server.url}/tflite/float.tflite"
    done = gs("run", url, "--json")
    assert (done.status, done.err) == (0, f"gs: {url}: fetching 0.0 MB, to run it here\n")
    again = gs("run", FIXTURES / "tflite/float.tflite", "--json")
    assert json.loads(done.out)["outputs"] == json.loads(again.out)["outputs"]
    assert gs("verify", url, FIXTURES / "tflite/float.tflite").status == 0


def test_unknown_stores_are_named(gs: GS) -> None:
    refused = gs("show", "nosuch://bucket/a.pb")
    assert (refused.status, refused.err.count("\n")) == (2, 1)
    assert "nosuch:// is no kind of store" in refused.err


# -- stores that list ----------------------------------------------------------------------------------


@pytest.fixture
def memory() -> Iterator[str]:
    """Fill fsspec's store in memory with the fixtures."""
    fsspec = pytest.importorskip("fsspec")
    system = fsspec.filesystem("memory")
    system.store.clear()
    for name in MODELS:
        folder = (FIXTURES / prefix(name)).parent
        for path in folder.rglob("*"):
            if path.is_file():
                system.pipe_file(f"/models/{path.relative_to(FIXTURES).as_posix()}", path.read_bytes())
    yield "memory://models"
    system.store.clear()


@pytest.mark.parametrize("name", MODELS)
def test_a_store_gives_what_a_disk_gives(memory: str, name: str) -> None:
    here, there = FIXTURES / prefix(name), f"{memory}/{prefix(name)}"
    assert facts(read(there)) == facts(read(here))
    assert [threat.what for threat in scan(there).findings] == [threat.what for threat in scan(here).findings]


def test_a_path_goes_on_behind_a_bundle_of_a_store(memory: str, tmp_path: Path) -> None:
    import fsspec

    bundles(tmp_path)
    for name in ("face.task", "m.tar.gz"):
        fsspec.filesystem("memory").pipe_file(f"/models/{name}", (tmp_path / name).read_bytes())
    assert facts(read(f"{memory}/face.task/a.tflite")) == facts(read(FIXTURES / "tflite/cnn_float.tflite"))
    assert facts(read(f"{memory}/m.tar.gz/m")) == facts(read(FIXTURES / "savedmodel/linear"))


def test_a_model_of_one_file_is_written_there(memory: str, gs: GS) -> None:
    source, target = f"{memory}/graphdef/linear.pb", f"{memory}/new/linear.pb"
    words = ("rename", source, "--prefix", "a/", "-o", target)
    assert gs(*words, "--dry-run").status == 0
    assert gs("show", target).status == 3
    done = gs(*words, "--json")
    written = json.loads(done.out)
    assert (done.status, written["output"], written["files"]) == (0, target, {target: written["bytes"]})
    expected = read(FIXTURES / "graphdef/linear.pb")
    assert [node.name for node in read(target).graph] == [f"a/{node.name}" for node in expected.graph]
    again = gs(*words)
    assert (again.status, "--force" in again.err) == (2, True)
    assert gs(*words, "--force").status == 0
    taken = gs("rename", source, "--prefix", "a/", "-o", f"{memory}/graphdef", "--format", "graph_def", "--force")
    assert taken.status == 2
    several = gs("convert", source, f"{memory}/folder")
    assert (several.status, several.err.count("\n")) == (4, 1)
    assert gs("show", f"{memory}/folder").status == 3


def test_missing_credentials_are_told_in_one_line() -> None:
    missing = type("NoCredentialsError", (Exception,), {"__module__": "botocore.exceptions"})
    path = path_of("s3://bucket/a.pb")
    assert isinstance(path, RemotePath)
    told = r"s3://bucket/a\.pb: nobody is signed in to the store; .*environment"
    with pytest.raises(FileError, match=told), stores.Translated(path, "look at"):
        raise missing("Unable to locate credentials")


def test_a_store_that_is_cataloged(memory: str, tmp_path: Path) -> None:
    from graphsurgeon.fleet.row import describe
    from graphsurgeon.fleet.walk import look

    step = look(f"{memory}/tflite")
    assert f"{memory}/tflite/cnn_float.tflite" in step.models
    row = describe(f"{memory}/tflite/cnn_float.tflite")
    assert row["error"] is None
    assert row["structure"] == describe(str(FIXTURES / "tflite/cnn_float.tflite"))["structure"]


@pytest.mark.fleet
def test_an_s3_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, gs: GS) -> None:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "hidden",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        import fsspec

        system = fsspec.filesystem("s3", skip_instance_cache=True)
        system.mkdir("models")
        for name in ("savedmodel/linear", "checkpoint/multi_shard"):
            system.put(str(FIXTURES / name), f"models/{name}", recursive=True)
        for name in ("savedmodel/linear", prefix("checkpoint/multi_shard/ckpt")):
            assert facts(read(f"s3://models/{name}")) == facts(read(FIXTURES / name))
        shown = gs("show", "s3://models/savedmodel/linear", "--json")
        assert (shown.status, json.loads(shown.out)["path"]) == (0, "s3://models/savedmodel/linear")
        target = "s3://models/new.pb"
        assert gs("rename", FIXTURES / "graphdef/linear.pb", "--prefix", "a/", "-o", target).status == 0
        assert read(target).graph.node("a/x") is not None
        for url in ("s3://models/nothing.pb", "s3://nobucket/a.pb"):
            missing = gs("show", url)
            assert (missing.status, missing.err.count("\n")) == (3, 1)
        data = "models/savedmodel/linear/saved_model.pb"
        file = remote.open_file(path_of(f"s3://{data}"))  # type: ignore[arg-type]
        file.read_at(0, 10)
        system.pipe_file(data, b"another")
        with pytest.raises(GraphSurgeonError, match="replaced"):
            file.require_unchanged()
    finally:
        server.stop()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_nobody_answers(gs: GS, scheme: str) -> None:
    with socket.socket() as free:  # a port that nothing listens at
        free.bind(("127.0.0.1", 0))
        url = f"{scheme}://127.0.0.1:{free.getsockname()[1]}/model.pb"
        refused = gs("show", url)
    assert (refused.status, refused.out) == (3, "")
    hint = "look at the address, and whether the server runs"
    assert refused.err == f"gs: {url}: the server cannot be reached: connection refused; {hint}\n"


class Zeros:
    """A store of one file of zeros, which counts what is asked for."""

    def __init__(self) -> None:
        self.pieces: list[int] = []

    def fetch(self, path: object, start: int, stop: int, seen: object) -> bytes:
        self.pieces.append(stop - start)
        return bytes(stop - start)


@pytest.mark.parametrize(
    ("jump", "count", "requests", "share"), [(1_050_000, 1000, 1000, 0.01), (20_000, 10_000, 4000, 1)]
)
def test_many_jumps_stay_cheap(jump: int, count: int, requests: int, share: float) -> None:
    store, size = Zeros(), jump * count
    file = remote.RemoteFile(path_of("http://host/a.pb"), store, stores.Seen(size, ""))  # type: ignore[arg-type]
    for offset in range(0, size, jump):
        file.read_at(offset, 20)
    assert len(store.pieces) <= requests
    assert sum(store.pieces) <= share * size
