"""Requests that are printed: what a shell and Python make of them is the body that the signature wants."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon.analysis.interface.examples import Feature, serialize_example
from graphsurgeon.cli.app import run
from graphsurgeon.model.dtype import FLOAT32, INT64, STRING

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
MODELS = FIXTURES / "savedmodel"


def as_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run(["show", *arguments, "--request", "--json"]) == 0
    request: dict[str, Any] = json.loads(capsys.readouterr().out)["request"]
    return request


@pytest.mark.parametrize(
    ("name", "key", "verb", "body"),
    [
        ("linear", "serving_default", "predict", {"instances": [[0.0] * 4]}),
        ("several_signatures", "serving_default", "predict", {"inputs": {"bias": [0.0] * 4, "query": [[0.0] * 4]}}),
        ("keras_export", "serve", "predict", {"inputs": {"image": [[[[0.0] * 3] * 8] * 8]}}),
        ("v1_methods", "serving_default", "classify", {"examples": [{"age": [0], "x": [0.0] * 4}]}),
        ("v1_methods", "regress", "regress", {"examples": [{"age": [0], "x": [0.0] * 4}]}),
        (
            "default_inputs",
            "serving_default",
            "predict",
            {"inputs": {"scale": 2.5, "shift": [1, -1], "x": [[0.0] * 2]}},
        ),
        ("table_asset", "serving_default", "predict", {"inputs": {"words": ["text"]}}),
    ],
)
def test_bodies(
    name: str, key: str, verb: str, body: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(MODELS / name, tmp_path / "my model" / "7")
    request = as_json(capsys, str(tmp_path / "my model"), "--signature", key)
    assert request["url"] == f"http://localhost:8501/v1/models/my%20model:{verb}"
    assert request["body"] == {"signature_name": key, **body}


@pytest.mark.parametrize("name", ["linear", "keras_export", "string_inputs"])
def test_shell_and_python_send_the_same(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = as_json(capsys, str(MODELS / name), "--signature", "serving_default")["body"]
    assert run(["show", str(MODELS / name), "--request", "--signature", "serving_default"]) == 0
    shell, python = capsys.readouterr().out.split("# in Python")
    fake = tmp_path / "curl"  # prints what it would send
    fake.write_text(
        f"#!{sys.executable}\nimport sys\ndata = sys.argv[sys.argv.index('-d') + 1]\n"
        "print(open(data[1:]).read() if data[0] == '@' else data)\n"
    )
    fake.chmod(0o755)
    (tmp_path / "python3").symlink_to(sys.executable)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    sent = subprocess.run(["sh", "-c", shell], cwd=tmp_path, env=environment, capture_output=True, check=True).stdout
    assert json.loads(sent) == wanted
    body = python.partition("request = ")[0] + "print(json.dumps(body))"
    made = subprocess.run([sys.executable, "-c", body], capture_output=True, check=True).stdout
    assert json.loads(made) == wanted


def test_an_example_by_hand() -> None:
    features = [
        Feature("x", FLOAT32, 1),
        Feature("n", INT64, 2),
        Feature("s", STRING, 1),
        Feature("left out", STRING, 0),
    ]
    x = b"\x0a\x0d\x0a\x01x\x12\x08\x12\x06\x0a\x04\0\0\0\0"
    n = b"\x0a\x0b\x0a\x01n\x12\x06\x1a\x04\x0a\x02\0\0"
    s = b"\x0a\x0d\x0a\x01s\x12\x08\x0a\x06\x0a\x04text"
    assert serialize_example(features) == b"\x0a\x2b" + x + n + s
    step = b"\x0a\x0d\x0a\x01l\x12\x08\x0a\x06\x1a\x04\x0a\x02\0\0"
    assert (
        serialize_example([*features, Feature("l", INT64, 2, is_list=True)])
        == b"\x0a\x2b" + x + n + s + b"\x12\x0f" + step
    )


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("savedmodel/many_dtypes", 4, "bfloat16"),
        ("savedmodel/v1_composite_signature", 4, "composite"),
        ("graphdef/linear.pb", 2, "no signature"),
        ("tflite/float.tflite", 4, "SavedModels only"),
        ("checkpoint/object_graph", 4, "SavedModels only"),
    ],
)
def test_what_cannot_be_asked(path: str, status: int, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["show", str(FIXTURES / path), "--request"]) == status
    assert words in capsys.readouterr().err
