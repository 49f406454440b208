"""The page: one file that asks nothing of a network and runs nothing but itself."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import graphsurgeon
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
    assert not [attrs for _, attrs, _ in Elements(page).found if attrs.keys() & {"src", "href", "srcset", "action"}]
    addresses = set(re.findall(r"https?://[^\s\"'`<>)]+", page))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    assert "sourceMappingURL" not in page
    assert not re.search(r"\b(fetch|XMLHttpRequest|importScripts|eval)\s*\(", page)


def test_the_library_comes_with_its_licence() -> None:
    page = page_of("savedmodel/linear")
    assert "Copyright (c) 2012-2014 Chris Pettitt" in page
    assert "The above copyright notice and this permission notice shall be included in" in page


def test_hostile_names_stay_data() -> None:
    maker = Maker()
    hostile(maker)
    page = draw(maker.model, format="html").content.decode()
    elements = Elements(page)
    assert [tag for tag, _, _ in elements.found if tag in ("img", "iframe", "object", "link", "base")] == []
    assert len(elements.all("script")) == 7
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
    ((_, dtype, shape, statistics),) = product["details"]["weights"]
    assert (dtype, shape) == ("float32", "[4,3]")
    mean = sum(kernel) / len(kernel)
    assert statistics.startswith(f"{min(kernel):.4g} to {max(kernel):.4g}, mean {mean:.4g}, ")


def test_depth_decides_what_is_open_first() -> None:
    opened = [
        [part for part in data_of(page_of("savedmodel/keras_rnn", depth=depth))["parts"] if part.get("open")]
        for depth in (1, 2, 9)
    ]
    assert len(opened[0]) < len(opened[1]) < len(opened[2])
