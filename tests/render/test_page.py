"""The page: one file that asks nothing of a network and runs nothing but itself."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphsurgeon
from graphsurgeon.model.model import Model
from graphsurgeon.render import View, draw
from tests.render.build import Maker
from tests.render.test_pictures import HOSTILE, hostile

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


class Elements(HTMLParser):
    """Collects elements with their texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), []))

    def handle_endtag(self, tag: str) -> None:
        self.found.append((f"/{tag}", {}, []))

    def handle_data(self, data: str) -> None:
        if self.found:
            self.found[-1][2].append(data)

    def all(self, tag: str) -> list[tuple[dict[str, str | None], str]]:
        return [(attrs, "".join(texts)) for name, attrs, texts in self.found if name == tag]


def page_of(path: str, **view: Any) -> str:
    return draw(graphsurgeon.read(FIXTURES / path), format="html", view=View(**view)).content.decode()


def data_of(page: str) -> dict[str, Any]:
    (data,) = [text for attrs, text in Elements(page).all("script") if attrs.get("type") == "application/json"]
    found: dict[str, Any] = json.loads(data)
    return found


def test_policy_allows_what_is_there_and_nothing_else() -> None:
    elements = Elements(page_of("savedmodel/keras_export"))
    (policy,) = [m.get("content") for m, _ in elements.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in str(policy).split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "blob: data:"
    scripts = [text for attrs, text in elements.all("script") if "type" not in attrs]
    styles = [text for _, text in elements.all("style")]
    for rule, texts in (("script-src", scripts), ("style-src", styles)):
        hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts]
        assert rules[rule].split() == [f"'sha256-{value}'" for value in hashes]


def test_nothing_is_fetched() -> None:
    page = page_of("savedmodel/keras_export")
    named = [attrs.get(key) for _, attrs, _ in Elements(page).found for key in ("src", "href", "srcset", "action")]
    assert {name for name in named if name} <= {"#scene"}  # a place in itself
    addresses = set(re.findall(r"https?://[^\s\"'`<>)]+", page))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    assert "sourceMappingURL" not in page
    assert not re.search(r"\b(fetch|XMLHttpRequest|importScripts|eval)\s*\(", page)


def test_hostile_names_stay_data() -> None:
    maker = Maker()
    hostile(maker)
    page = draw(maker.model, format="html").content.decode()
    elements = Elements(page)
    assert [tag for tag, _, _ in elements.found if tag in ("img", "iframe", "object", "link", "base")] == []
    assert len(elements.all("script")) == 14
    assert not [attrs for _, attrs, _ in elements.found if any(key.startswith("on") for key in attrs)]
    assert {part["title"] for part in data_of(page)["parts"]} >= {HOSTILE[0]}


def test_data_holds_scopes_closed_and_open() -> None:
    data = data_of(page_of("graphdef/face_detector.pb"))
    parts = data["parts"]
    scopes = [part for part in parts if part.get("scope")]
    assert [part for part in scopes if part.get("open")]
    assert all(part["parent"] < index for index, part in enumerate(parts))
    assert all(parts[part["parent"]].get("scope") for part in parts if part["parent"] >= 0)
    assert all(not parts[end].get("scope") for edge in data["edges"] for end in edge[:2])


def test_details_of_an_operation() -> None:
    parts = data_of(page_of("savedmodel/linear"))["parts"]
    (product,) = [part for part in parts if part["title"] == "MatMul"]
    details = product["details"]
    assert (details["op"], details["name"]) == ("MatMul", "MatMul")
    assert details["attributes"] == [["T", "float32"]]  # what is at its default is not stored
    assert [row[1:] for row in details["inputs"]] == [["float32", "[?,4]"], ["float32", "[4,3]"]]
    assert [row[1:] for row in details["outputs"]] == [["float32", "[?,3]"]]


def test_weights_with_statistics_from_the_checkpoint() -> None:
    model = graphsurgeon.read(FIXTURES / "savedmodel/linear")
    parts = data_of(draw(model, format="html").content.decode())["parts"]
    (product,) = [part for part in parts if part["title"] == "MatMul"]
    assert model.checkpoint is not None
    (kernel,) = [v.tensor.items() for v in model.checkpoint.variables.values() if v.tensor.shape.dims == (4, 3)]
    ((_, dtype, shape, statistics, names, (low, high, *counts)),) = product["details"]["weights"]
    assert (dtype, shape) == ("float32", "[4,3]")
    mean = sum(kernel) / len(kernel)
    assert statistics.startswith(f"{min(kernel):.4g} to {max(kernel):.4g}, mean {mean:.4g}, ")
    assert names.endswith(next(key for key, v in model.checkpoint.variables.items() if v.tensor.shape.dims == (4, 3)))
    expected, borders = np.histogram(kernel, bins=24)
    assert counts == expected.tolist()
    assert [low, high] == pytest.approx([borders[0], borders[-1]], rel=1e-5)


def repeated(blocks: int = 4) -> Model:
    """Equal residual blocks, each of two layers, with an Identity between them."""
    maker = Maker()
    source = x = maker.placeholder()
    for number in range(blocks):
        inner = maker.dense(f"block{number}/first", source)
        passed = maker.node("Identity", f"block{number}/passed", inner)
        inner = maker.dense(f"block{number}/second", passed)
        source = maker.node("AddV2", f"block{number}/add", source, inner)
    for number in range(40):
        source = maker.node("Tanh" if number % 2 else "Exp", f"tail/step{number}", source)
    return maker.sign({"x": x}, {"y": source})


def test_equal_blocks_are_named_with_their_own_weights() -> None:
    parts = data_of(draw(repeated(), format="html").content.decode())["parts"]
    (run,) = [part for part in parts if part.get("count", 1) == 4 and part.get("scope")]
    assert [name for (name,) in run["twins"]] == ["block1", "block2", "block3"]
    product = next(part for part in parts if part["name"] == "block0/first/MatMul")
    assert [name for name, _ in product["twins"]] == [f"block{number}/first/MatMul" for number in (1, 2, 3)]
    assert [rows[0][0] for _, rows in product["twins"]] == [f"block{number}/first/kernel" for number in (1, 2, 3)]


def test_nodes_without_a_box_are_told_with_the_box_that_reads_them() -> None:
    data = data_of(draw(repeated(), format="html").content.decode())
    homes = {name: data["parts"][index]["name"] for name, index in data["folded"]}
    assert homes["block0/passed"] == "block0/second/MatMul"
    assert "block0/first/kernel" not in homes  # a weight is told with its statistics


def test_a_scope_about_one_product_names_it() -> None:
    parts = data_of(draw(repeated(), format="html").content.decode())["parts"]
    layer = next(part for part in parts if part.get("scope") and part["name"] == "block0/first")
    assert parts[layer["main"]]["title"] == "MatMul"
    run = next(part for part in parts if part.get("count", 1) == 4 and part.get("scope"))
    assert "main" not in run  # it has two


def test_depth_decides_what_is_open_first() -> None:
    opened = [
        [part for part in data_of(page_of("savedmodel/keras_rnn", depth=depth))["parts"] if part.get("open")]
        for depth in (1, 2, 9)
    ]
    assert len(opened[0]) < len(opened[1]) < len(opened[2])
