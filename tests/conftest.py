"""What all tests share: where the models are, and which tests can run here."""

from __future__ import annotations

import gc
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from graphsurgeon.cli import app

# TensorFlow's C++ side logs at import; it must be told before that. Processes that tests start inherit it.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

# What is compiled is kept, whatever the environment says: each worker, and each of the many processes that tests start,
# would compile the package anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A busy machine is no fault: neither how long an example runs is looked at, nor how long it takes to make one.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")

ROOT = Path(__file__).resolve().parents[1]
CORPUS = Path(os.environ.get("GRAPHSURGEON_CORPUS") or ROOT.parent / "shared" / "corpus")
PACKAGES = {"tensorflow": "tensorflow", "litert": "ai_edge_litert", "browser": "playwright", "onnx": "onnx"}


def pytest_collection_finish() -> None:
    """Collect garbage as seldom as `gs` does, and leave out thousands of tests and modules, which stay to the end."""
    gc.set_threshold(app.COLLECT_AFTER)
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose marker asks for what is not here, and say what."""
    for marker, package in PACKAGES.items():
        if item.get_closest_marker(marker) and importlib.util.find_spec(package) is None:
            pytest.skip(f"needs the package {package}")
    if item.get_closest_marker("corpus") and not (CORPUS / "MANIFEST.tsv").is_file():
        pytest.skip(f"needs the collection of real models at {CORPUS}, or where GRAPHSURGEON_CORPUS says")


@pytest.fixture(autouse=True)
def _scratch(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let graphs run in a folder of their own: one that saves its variables writes to where it runs."""
    if request.node.get_closest_marker("tensorflow") is None:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(request.getfixturevalue("tmp_path"))
        yield


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The collection of real models. Mark the test `corpus`, so that it is skipped where there is none."""
    return CORPUS


@pytest.fixture(scope="session")
def fixtures_dir() -> Path:
    """The models that ship with the repository."""
    return ROOT / "fixtures"
