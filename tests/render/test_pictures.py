"""Pictures as files: nothing overlaps, nothing is clipped, and no text of a model becomes markup."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import graphviz
import pytest

import graphsurgeon
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.render import View, draw
from graphsurgeon.render.drawing import Drawing
from graphsurgeon.render.picture import build_scene, select_picture
from graphsurgeon.render.place import engine as engines
from graphsurgeon.render.place import layout as layouts
from graphsurgeon.render.place.layout import Layout, Rectangle, lay_out
from graphsurgeon.render.place.pages import WIDEST
from graphsurgeon.render.place.text import LINE_SIZE, TITLE_SIZE, text_width
from graphsurgeon.render.scene.scene import Scene
from tests.render.build import Maker

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
SVG = "{http://www.w3.org/2000/svg}"
PICTURED = (
    "savedmodel/keras_export", "savedmodel/keras_rnn", "savedmodel/control_flow", "graphdef/face_detector.pb",
    "tflite/cnn_int8.tflite",
)  # fmt: skip
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "a&amp;b &lt; ]]> --> \\N \\G {{}}",
    "line\nbreak\ttab\x00null\x1b[31m",
    "שלום‮evil עולם",
    "</svg></style><style>*{display:none}",
    "n" * 10_000,
)
ENGINES = ["dot", "graphviz-pure"]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    programs = [program for program in engines.programs() if Path(program).stem == request.param]
    if not programs:
        pytest.skip(f"needs the program {request.param}")
    monkeypatch.setattr(engines, "programs", lambda: programs)
    return str(request.param)


def scene_of(path: str, **view: object) -> Scene:
    asked = View(**view)  # type: ignore[arg-type]
    return build_scene(select_picture(graphsurgeon.read(FIXTURES / path), asked), asked)


def overlap(a: Rectangle, b: Rectangle) -> bool:
    across = a.x < b.x + b.width - 0.5 and b.x < a.x + a.width - 0.5
    return across and a.y < b.y + b.height - 0.5 and b.y < a.y + a.height - 0.5


def assert_tidy(scene: Scene, layout: Layout) -> None:
    for (first, a), (second, b) in combinations(layout.boxes.items(), 2):
        assert not overlap(a, b), (first, second)
    for box in scene.boxes:
        place = layout.boxes[box.id]
        assert place.x >= -1
        assert place.y >= -1
        assert place.x + place.width <= layout.width + 1
        assert text_width(box.title, TITLE_SIZE, bold=True) <= place.width
        assert all(text_width(line, LINE_SIZE) <= place.width for line in box.lines)
        if box.cluster:
            frame = layout.clusters[box.cluster]
            assert frame.x <= place.x
            assert place.x + place.width <= frame.x + frame.width
            assert frame.y + 12 <= place.y
            assert place.y + place.height <= frame.y + frame.height
    for edge, route in zip(scene.edges, layout.routes, strict=True):
        assert len(route.points) >= 4, edge
        assert (route.label is not None) == bool(edge.label)


@pytest.mark.parametrize("path", PICTURED)
def test_nothing_overlaps_and_texts_fit(path: str, engine: str) -> None:
    scene = scene_of(path)
    assert_tidy(scene, lay_out(scene))


@pytest.mark.parametrize("path", PICTURED)
def test_signature_keys_stand_in_the_picture_as_text(path: str) -> None:
    model = graphsurgeon.read(FIXTURES / path)
    texts = {"".join(text.itertext()) for text in ElementTree.fromstring(draw(model).content).iter(f"{SVG}text")}
    for signature in model.metagraphs[0].signatures.values():
        if not signature.key.startswith("__saved_model"):
            assert {*signature.inputs, *signature.outputs} <= texts


def test_boxes_have_ids_titles_and_classes() -> None:
    drawing = draw(graphsurgeon.read(FIXTURES / "savedmodel/keras_export"))
    root = ElementTree.fromstring(drawing.content)
    groups = {group.get("id"): group for group in root.iter(f"{SVG}g") if group.get("id")}
    for box in drawing.scene.boxes:
        group = groups[box.id]
        assert group.get("data-name") == box.name
        assert f"f-{box.family}" in group.get("class", "")
        assert (group.findtext(f"{SVG}title") or "").startswith(box.name)


def hostile(maker: Maker) -> None:
    """A graph whose names, keys, scopes and attributes are all meant ill."""
    x = maker.placeholder(HOSTILE[0])
    source = x
    for number, name in enumerate(HOSTILE):
        source = maker.node(name, f"{name}/inner{number}/{name}", source, maker.const(f"{number}{name}", 4, 4))
        source.attrs["equation"] = name.encode()
    maker.sign(dict.fromkeys(HOSTILE, x), dict.fromkeys(HOSTILE, source), key=HOSTILE[1])
    maker.model.path = "folder/<img src=x onerror=alert(1)>.pb"


@pytest.mark.parametrize("depth", [None, 1, 9])
def test_hostile_names_are_text(depth: int | None, engine: str) -> None:
    maker = Maker()
    hostile(maker)
    drawing = draw(maker.model, view=View(depth=depth))
    root = ElementTree.fromstring(drawing.content)
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert tags <= {"svg", "title", "style", "rect", "text", "g", "path", "polygon"}
    assert {key for element in root.iter() for key in element.attrib if key.startswith("on")} == set()
    assert any(HOSTILE[0] in (title.text or "") for title in root.iter(f"{SVG}title"))
    assert max(box.width for box in lay_out(drawing.scene).boxes.values()) < 600


def test_hostile_names_in_dot(engine: str) -> None:
    maker = Maker()
    hostile(maker)
    source = draw(maker.model, format="dot").content
    program = engines.programs()[0]
    done = subprocess.run([program, "-Tsvg"], input=source, capture_output=True, check=True, timeout=20)
    # The program writes a document type that names an address; what follows it is what counts.
    texts = ["".join(text.itertext()) for text in ElementTree.fromstring(done.stdout).iter(f"{SVG}text")]
    assert any("<script>" in text for text in texts)


def test_a_file_of_dot_says_what_the_picture_says() -> None:
    source = draw(graphsurgeon.read(FIXTURES / "savedmodel/keras_export"), format="dot").content.decode()
    assert source.startswith("digraph model {")
    assert 'label="Conv2D\\n3×3 · 4 filters · SAME' in source
    assert 'label="?×8×8×3"' in source


def test_a_drawing_is_a_source_of_the_package_graphviz(engine: str) -> None:
    drawing = draw(graphsurgeon.read(FIXTURES / "savedmodel/linear"))
    source = drawing.dot
    assert isinstance(source, graphviz.Source)
    root = ElementTree.fromstring(source.pipe("svg"))
    assert len(root.findall(f".//{SVG}g[@class='node']")) == len(drawing.scene.boxes)
    assert len(root.findall(f".//{SVG}g[@class='edge']")) == len(drawing.scene.edges)
    assert source._repr_mimebundle_()["image/svg+xml"].startswith("<?xml")


def test_dark_paper_through_css_only() -> None:
    root = ElementTree.fromstring(draw(graphsurgeon.read(FIXTURES / "savedmodel/linear")).content)
    (style,) = root.iter(f"{SVG}style")
    assert (style.text or "").startswith("@media (prefers-color-scheme: dark){.graphsurgeon ")


def test_png_and_pdf() -> None:
    pytest.importorskip("vl_convert", reason="needs the package vl-convert-python")
    model = graphsurgeon.read(FIXTURES / "savedmodel/linear")
    assert draw(model, format="png").content.startswith(b"\x89PNG\r\n")
    assert draw(model, format="pdf").content.startswith(b"%PDF-")


def test_png_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(UnsupportedError, match=r"pip install 'tf-graphsurgeon\[pictures\]'"):
        draw(graphsurgeon.read(FIXTURES / "savedmodel/linear"), format="png")


def test_unknown_format() -> None:
    with pytest.raises(UsageError, match="choose svg, dot, png, pdf, html"):
        draw(graphsurgeon.read(FIXTURES / "savedmodel/linear"), format="jpg")


def test_nothing_that_lays_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "programs", list)
    with pytest.raises(UnsupportedError, match="install graphviz, or pip install graphviz-pure"):
        draw(graphsurgeon.read(FIXTURES / "savedmodel/linear"))


def test_a_broken_program_gives_way_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    working = engines.programs()
    broken = shutil.which("false")
    monkeypatch.setattr(engines, "programs", lambda: [str(broken), "/no/such/program", *working])
    assert draw(graphsurgeon.read(FIXTURES / "savedmodel/linear")).content.startswith(b"<svg")


def test_too_slow_means_coarser(monkeypatch: pytest.MonkeyPatch) -> None:
    def impatient(scene: Scene, *, seconds: float, page: object) -> Layout:
        if len(scene.boxes) > 20:
            raise layouts.LayoutTimeoutError(f"laying out {len(scene.boxes)} boxes took longer than {seconds:g} s")
        return lay_out(scene)

    monkeypatch.setattr("graphsurgeon.render.drawing.lay_out_page", impatient)
    model = graphsurgeon.read(FIXTURES / "graphdef/face_detector.pb")
    drawing = draw(model, view=View(depth=9))
    assert len(drawing.scene.boxes) <= 20
    assert any("took longer than 20 s: drawn" in note for note in drawing.scene.notes)


def test_a_stuck_program_is_stopped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stuck = tmp_path / "dot"
    stuck.write_text("#!/bin/sh\nexec sleep 60\n")
    stuck.chmod(0o755)
    monkeypatch.setattr(engines, "programs", lambda: [str(stuck)])
    with pytest.raises(UnsupportedError, match=r"took longer than 0.1 s; draw a part"):
        draw(graphsurgeon.read(FIXTURES / "savedmodel/linear"), seconds=0.1)


def test_models_and_graphs_show_themselves() -> None:
    model = graphsurgeon.read(FIXTURES / "savedmodel/keras_rnn")
    pictures = [model._repr_svg_(), *(graph._repr_svg_() for graph in model.metagraphs[0].graphs[:4])]
    assert all(picture is not None and ElementTree.fromstring(picture).tag == f"{SVG}svg" for picture in pictures)
    assert graphsurgeon.read(FIXTURES / "checkpoint/v1/model.ckpt")._repr_svg_() is None


def test_a_function_by_itself() -> None:
    model = graphsurgeon.read(FIXTURES / "savedmodel/control_flow")
    (name,) = [name for name in model.metagraphs[0].functions if name.startswith("map_while_body")]
    drawing: Drawing = draw(model, view=View(graph=name))
    assert {box.kind for box in drawing.scene.boxes} >= {"input", "output", "operation"}
    with pytest.raises(UsageError, match="functions match"):
        draw(model, view=View(graph="*"))


def test_a_notebook_is_given_the_page_in_a_frame() -> None:
    model = graphsurgeon.read(FIXTURES / "savedmodel/keras_rnn")
    shown = model._repr_html_()
    assert shown is not None
    frame = ElementTree.fromstring(re.sub(r' srcdoc="[^"]*"', "", shown))
    assert frame.tag == "iframe"
    assert set((frame.get("sandbox") or "").split()) == {"allow-scripts", "allow-downloads"}
    (page,) = re.findall(r' srcdoc="([^"]*)"', shown)
    assert html.unescape(page).encode() == draw(model, format="html").content
    assert graphsurgeon.read(FIXTURES / "checkpoint/v1/model.ckpt")._repr_html_() is None


def test_a_page_too_large_for_a_cell_leaves_the_svg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphsurgeon.render.drawing.MOST_IN_NOTEBOOK", 1000)
    model = graphsurgeon.read(FIXTURES / "savedmodel/linear")
    assert model._repr_html_() is None
    assert model._repr_svg_() is not None


def test_a_drawing_shows_itself() -> None:
    model = graphsurgeon.read(FIXTURES / "savedmodel/linear")
    assert (draw(model)._repr_html_() or "").startswith('<div style="width:100%;overflow:auto"><svg')
    assert (draw(model, format="html")._repr_html_() or "").startswith("<iframe")
    assert draw(model, format="dot")._repr_html_() is None


def test_a_picture_too_wide_to_be_read_is_drawn_coarser() -> None:
    maker = Maker()
    x = maker.placeholder()
    towers = []
    for number in range(26):
        first = maker.dense(f"towers/tower{number}/a", x, size=4 + number)
        second = maker.node("Softmax", f"towers/tower{number}/b", first)
        towers.append(maker.node("Sin" if number % 2 else "Cos", f"towers/tower{number}/c", second))
    model = maker.sign({"x": x}, {"y": maker.node("AddN", "total", *towers)})
    auto, asked = draw(model), draw(model, view=View(depth=9))
    widths = [float(re.findall(rb'viewBox="0 0 (\d+)', one.content)[0]) for one in (auto, asked)]
    assert widths[0] <= WIDEST + 60 < widths[1]
    assert len(auto.scene.boxes) < len(asked.scene.boxes)
