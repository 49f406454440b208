"""Requests that `gs show --request` prints are answered: TensorFlow computes what they ask for.

The server here takes JSON apart by the rules of TensorFlow Serving's REST interface and runs the signature in a
session, as TensorFlow Serving does.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon.checks.check import check
from graphsurgeon.cli.app import run
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.formats import read
from tests.oracle import sessions

pytestmark = pytest.mark.tensorflow
FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "savedmodel"
# Those that no request can be made for, with the reason.
REFUSED = {
    "v1_composite_signature": "sparse or composite",
    "many_dtypes": "bfloat16",
    "counter:count": "no input",
    "table_mutable:size": "no input",
    "v1_tag_sets:train": "method",
}


def decoded(value: Any, dtype: Any) -> Any:
    """Make an array of JSON: strict in types, as the server is."""
    array = np.array(_strings(value), dtype=object)
    for item in array.ravel():
        if dtype.name == "string":
            assert isinstance(item, bytes), item
        elif dtype.is_bool:
            assert isinstance(item, bool), item
        elif dtype.is_integer:
            assert type(item) is int, item
        else:
            assert isinstance(item, int | float), item
    return array if dtype.name == "string" else array.astype(dtype.as_numpy_dtype)


def _strings(value: Any) -> Any:
    if isinstance(value, list):
        return [_strings(item) for item in value]
    if isinstance(value, dict):
        assert list(value) == ["b64"]
        return base64.b64decode(value["b64"])
    return value.encode() if isinstance(value, str) else value


def example(features: dict[str, Any]) -> bytes:
    """Make a serialized example of JSON features: decimals are floats, whole numbers integers."""
    import tensorflow as tf

    made = {}
    for name, value in features.items():
        items = _strings(value if isinstance(value, list) else [value])
        if all(isinstance(item, bytes) for item in items):
            made[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=items))
        elif all(type(item) is int for item in items):
            made[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=items))
        else:
            assert all(type(item) is float for item in items)
            made[name] = tf.train.Feature(float_list=tf.train.FloatList(value=items))
    data: bytes = tf.train.Example(features=tf.train.Features(feature=made)).SerializeToString()
    return data


def answer(source: sessions.SourceModel, verb: str, body: dict[str, Any]) -> dict[str, Any]:
    key = body.get("signature_name", "serving_default")
    signature = source.meta_graph.signature_def[key]
    assert signature.method_name == "tensorflow/serving/predict" or signature.method_name.endswith(verb)
    inputs, outputs = source.signature(key)
    if verb in ("classify", "regress"):
        feeds = {inputs["inputs"].name: np.array([example(item) for item in body["examples"]], dtype=object)}
    elif "instances" in body:
        rows = body["instances"]
        if len(inputs) == 1 and not (isinstance(rows[0], dict) and list(rows[0]) != ["b64"]):
            rows = [{next(iter(inputs)): row} for row in rows]
        assert all(set(row) == set(inputs) for row in rows)
        feeds = {end.name: decoded([row[name] for row in rows], end.dtype) for name, end in inputs.items()}
    else:
        assert set(body["inputs"]) == set(inputs)
        feeds = {end.name: decoded(body["inputs"][name], end.dtype) for name, end in inputs.items()}
    found = source.run({name: end.name for name, end in outputs.items()}, feeds)
    if "instances" in body:
        assert {len(value) for value in found.values()} == {len(body["instances"])}
    return {name: np.asarray(value).astype(str).tolist() for name, value in found.items()}


def signatures() -> list[tuple[str, str]]:
    found = []
    for path in sorted(FIXTURES.iterdir()):
        for metagraph in read(path).metagraphs[:1]:
            keys = [key for key in metagraph.signatures if not key.startswith("__")]
            found += [(path.name, key) for key in keys]
    return found


@pytest.mark.parametrize(("name", "key"), signatures(), ids=lambda text: text)
def test_requests_fit_their_signatures(name: str, key: str) -> None:
    import tensorflow as tf

    from graphsurgeon.analysis.interface.serving_request import make_request
    from graphsurgeon.cli.text.request import _expanded

    model = read(FIXTURES / name)
    tags = model.metagraphs[0].tags or []
    reason = REFUSED.get(f"{name}:{key}") or REFUSED.get(name)
    if reason:
        with pytest.raises(UnsupportedError, match=reason):
            make_request(model, key, tags=tags or ["none"])
        return
    request = make_request(model, key, tags=tags or ["none"])
    body = json.loads(json.dumps(_expanded(request.body)))
    try:
        with sessions.saved_model(Path(model.path), tags, optimize=False) as source:
            answer(source, request.path.rpartition(":")[2], body)
    except tf.errors.OpError as error:
        # Placeholders that no signature feeds and variables that nothing restores are told by gs check --serving.
        found = [finding for finding in check(model, serving=True) if finding.where == f"signature {key}"]
        assert {"signature-unfed", "signature-variable"} & {finding.rule for finding in found}, error  # noqa: PT017


@contextmanager
def serving(path: Path, tags: list[str]) -> Iterator[str]:
    """Answer requests for a model; yields the address."""
    with sessions.saved_model(path, tags, optimize=False) as source:

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with source.session.graph.as_default():
                    found = answer(source, self.path.rpartition(":")[2], body)
                assert self.path.startswith("/v1/models/")
                data = json.dumps(found).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


@pytest.mark.parametrize(
    ("name", "key"), [("keras_export", "serve"), ("several_signatures", "serving_default"), ("v1_methods", "regress")]
)
def test_what_is_printed_runs_as_it_stands(
    name: str, key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["show", str(FIXTURES / name), "--request", "--signature", key]) == 0
    printed = capsys.readouterr().out
    with serving(FIXTURES / name, ["serve"]) as address:
        shell, python = printed.replace("http://localhost:8501", address).split("# in Python")
        for command in (["sh", "-c", shell.replace("python3", sys.executable)], [sys.executable, "-c", python]):
            done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == 0, done.stderr
            _, outputs = answer_keys(FIXTURES / name, key)
            assert all(output in done.stdout for output in outputs), done.stdout


def answer_keys(path: Path, key: str) -> tuple[list[str], list[str]]:
    signature = read(path).metagraphs[0].signatures[key]
    return list(signature.inputs), list(signature.outputs)


@pytest.fixture(scope="module")
def composites(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SavedModel whose signatures take ragged and sparse tensors, part by part."""
    import tensorflow as tf

    class Module(tf.Module):
        @tf.function(input_signature=[tf.RaggedTensorSpec([None, None], tf.int32, 1, tf.int64)])
        def ragged(self, ids: Any) -> Any:
            return {"sum": tf.reduce_sum(ids, 1)}

        @tf.function(input_signature=[tf.RaggedTensorSpec([None, None, None], tf.float32, 2, tf.int32)])
        def deep(self, ids: Any) -> Any:
            return {"sum": tf.reduce_sum(ids.to_tensor(), [1, 2])}

        @tf.function(input_signature=[tf.SparseTensorSpec([None, 20], tf.float32), tf.TensorSpec([None], tf.int64)])
        def sparse(self, points: Any, other: Any) -> Any:
            return {"sum": tf.sparse.reduce_sum(points, 1), "other": other}

    module = Module()
    path = tmp_path_factory.mktemp("composites") / "model"
    made = {name: getattr(module, name).get_concrete_function() for name in ("ragged", "deep", "sparse")}
    tf.saved_model.save(module, str(path), signatures=made)
    return path


@pytest.mark.parametrize(
    ("key", "parts"),
    [
        ("ragged", {"ids": "values of ragged int32 [?,?]", "ids_1": "row splits of ragged int32 [?,?]"}),
        ("deep", {"ids_1": "row splits of ragged float32 [?,?,?]", "ids_2": "row splits of ragged float32 [?,?,?]"}),
        ("sparse", {"points": "indices of sparse float32 [?,20]", "points_2": "dense shape of sparse float32 [?,20]"}),
    ],
)
def test_parts_of_composite_inputs_fit_each_other(key: str, parts: dict[str, str], composites: Path) -> None:
    from graphsurgeon.analysis.interface.serving_request import make_request
    from graphsurgeon.analysis.summary import summarize
    from graphsurgeon.cli.text.request import _expanded

    request = make_request(read(composites), key)
    body = json.loads(json.dumps(_expanded(request.body)))
    with sessions.saved_model(composites, ["serve"], optimize=False) as source:
        answer(source, "predict", body)
    told = summarize(read(composites)).graphs[0].signatures[key].parts
    assert {name: told[name] for name in parts} == parts
