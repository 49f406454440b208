"""The page in windows of several sizes: in columns where one has room, two models side by side, two fingers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import graphsurgeon
from graphsurgeon.compare.diff.diff import diff
from graphsurgeon.model.model import Model
from graphsurgeon.render import draw
from graphsurgeon.render.difference import draw_difference
from tests.render.build import Maker
from tests.render.test_difference import replace_relu

pytestmark = pytest.mark.browser

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
DESK, PHONE = (1440, 900), (390, 800)
# What stands where: no two boxes share room, every line begins and ends at what it joins, frames hold what is in them.
FAULTS = """() => {
  const found = [];
  const places = [...layout.boxes];
  const apart = (a, b) => a.x + a.width <= b.x + 0.5 || b.x + b.width <= a.x + 0.5
    || a.y + a.height <= b.y + 0.5 || b.y + b.height <= a.y + 0.5;
  places.forEach(([i, a], at) => {
    for (const [j, b] of places.slice(at + 1)) if (!apart(a, b)) found.push(['share room', i, j]);
  });
  const parts = (index) => { const frame = layout.frames.get(index); return [frame, ...(frame.more || [])]; };
  for (const [index, a] of places) {
    for (const scope of tree.around(index)) {
      const holds = (b) => a.x >= b.x && a.y >= b.y
        && a.x + a.width <= b.x + b.width && a.y + a.height <= b.y + b.height;
      if (!parts(scope).some(holds)) found.push(['outside its frame', index, scope]);
    }
  }
  const near = (end, y, [px, py]) => Math.abs(py - y) < 1 && px >= end.x - 1 && px <= end.x + end.width + 1;
  for (const { from, to, points, kind } of layout.segments) {
    if (kind === 'loop') continue;
    const [first, last] = [layout.boxes.get(from), layout.boxes.get(to)];
    if (first && !near(first, first.y + first.height, points[0])) found.push(['begins elsewhere', from, to]);
    if (last && !near(last, last.y, points.at(-1))) found.push(['ends elsewhere', from, to]);
  }
  for (const { x, y, width, height } of [...layout.boxes.values(), ...[...layout.frames.keys()].flatMap(parts)]) {
    if (x < 0 || y < 0 || x + width > layout.width + 1 || y + height > layout.height + 1) found.push(['off the page']);
  }
  return found;
}"""


def tall(blocks: int = 12) -> Model:
    """A network of residual blocks, each a scope of its own and none like another."""
    maker = Maker()
    source = x = maker.placeholder()
    for block in range(blocks):
        before = source
        for layer in range(3 + block % 3):
            source = maker.dense(f"stage{block // 4}/block{block}/layer{layer}", source)
        source = maker.node("AddV2", f"stage{block // 4}/block{block}/add", source, before)
    return maker.sign({"x": x}, {"y": source})


def opened(browser: Any, file: Path, size: tuple[int, int], **more: Any) -> Any:
    page = browser.new_page(viewport={"width": size[0], "height": size[1]}, **more)
    page.goto(file.as_uri())
    page.wait_for_selector("#scene .box")
    return page


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "page.html"
    found.write_bytes(draw(tall(), format="html").content)
    return found


def test_a_tall_picture_is_in_columns_where_there_is_room(browser: Any, file: Path) -> None:
    desk, phone = (opened(browser, file, size) for size in (DESK, PHONE))
    ratios = [page.evaluate("layout.width / layout.height") for page in (desk, phone)]
    assert ratios[0] > 1
    assert ratios[1] < 0.5
    for page in (desk, phone):
        assert page.evaluate("view.zoom * 10") >= 11  # labels of edges have 10 units
        place = page.locator("#scene .box.k-input").bounding_box()
        width = page.viewport_size["width"]
        assert place["x"] >= 0
        assert place["x"] + place["width"] <= width
        for _ in range(4):
            assert page.evaluate(FAULTS) == []
            page.click("#more")
    assert desk.evaluate("[...layout.frames.values()].filter(({ more }) => more?.length).length") > 0
    desk.click("#less")
    assert desk.evaluate(FAULTS) == []


@pytest.mark.parametrize("path", ["savedmodel/keras_rnn", "graphdef/face_detector.pb", "graphdef/lowered.pb"])
def test_loops_and_networks_with_many_ends_are_whole_in_any_window(browser: Any, tmp_path: Path, path: str) -> None:
    (tmp_path / "page.html").write_bytes(draw(graphsurgeon.read(FIXTURES / path), format="html").content)
    for size in ((1440, 900), (2400, 500)):
        page = opened(browser, tmp_path / "page.html", size)
        for _ in range(5):
            assert page.evaluate(FAULTS) == []
            page.click("#more")


def test_two_models_stand_side_by_side(browser: Any, tmp_path: Path) -> None:
    before, after = (graphsurgeon.read(FIXTURES / "graphdef/face_detector.pb") for _ in range(2))
    replace_relu(after, "rnet")
    convolution = after.metagraphs[0].graph.node("onet/conv1/Conv2D")
    assert convolution is not None
    convolution.attrs["padding"] = b"VALID"
    drawing = draw_difference(before, after, diff(before, after), format="html")
    (tmp_path / "page.html").write_bytes(drawing.content)
    page = opened(browser, tmp_path / "page.html", DESK)
    page.click("#sides")
    left, right = (page.locator(one).bounding_box() for one in ("#before", "#canvas"))
    assert left["x"] + left["width"] <= right["x"]
    assert abs(left["width"] - right["width"]) < 8
    shown = "box => getComputedStyle(box).visibility"
    assert page.locator("#scene .box.m-removed").evaluate(shown) == "hidden"
    assert page.locator("#scene .box.m-added").evaluate(shown) == "visible"
    assert page.locator("#scene .edge.at-removed").first.evaluate(shown) == "hidden"
    page.evaluate("centre(tree.parts.findIndex((part) => part.marks?.includes('removed')))")
    place = page.locator("#scene .box.m-removed").bounding_box()
    at = place["x"] + place["width"] / 2 - right["x"], place["y"] + place["height"] / 2
    page.mouse.click(left["x"] + at[0], at[1])  # where it stands in the left pane
    assert page.locator("#panel h2").inner_text() == "Relu"
    page.evaluate("select(tree.parts.findIndex((part) => part.details?.name === 'onet/conv1/Conv2D'), true)")
    assert "SAME → VALID" in page.locator("#panel").inner_text()
    page.keyboard.press("b")
    assert page.locator("#before").is_hidden()
    assert page.locator("#scene .box.m-removed").evaluate(shown) == "visible"


LEFT_AND_RIGHT = """(text) => {
  const found = [...document.querySelectorAll('#scene text')].filter((one) => one.textContent === text);
  const shown = (style) => found.some((one) => getComputedStyle(one).visibility === 'visible');
  const right = shown();
  const pane = getComputedStyle(document.getElementById('before'));
  const names = ['--is-added', '--is-removed', '--is-former', '--is-now'];
  for (const name of names) canvas.style.setProperty(name, pane.getPropertyValue(name) || 'visible');
  const left = shown();
  for (const name of names) canvas.style.removeProperty(name);
  return [left, right];
}"""
DRAWN = """(kind) => arranger.arrange(9999, 9999).segments.filter((one) => one.kind === kind)
  .map(({ from, to }) => `${tree.parts[from].title}>${tree.parts[to].title}`)"""


def test_the_left_pane_has_texts_and_edges_of_the_first_model(browser: Any, tmp_path: Path) -> None:
    """A layer has become wider, and something stands between two operations that are in both."""
    models = []
    for is_second in (False, True):
        maker = Maker()
        x = maker.placeholder()
        source = maker.node("Tanh", "tanh", maker.dense("wide", x, size=8 if is_second else 4))
        source = maker.node("Softplus", "new", source) if is_second else source
        source = maker.node("Exp", "exp", maker.node("Elu", "elu", source))
        models.append(maker.sign({"x": x}, {"y": maker.node("Sigmoid", "sigmoid", source)}))
    before, after = models
    (tmp_path / "page.html").write_bytes(draw_difference(before, after, diff(before, after), format="html").content)
    page = opened(browser, tmp_path / "page.html", DESK)
    assert page.evaluate(DRAWN, "former") == []
    page.click("#sides")
    assert page.evaluate(DRAWN, "former") == ["Tanh>Elu"]
    assert page.evaluate(LEFT_AND_RIGHT, "4×4") == [True, False]
    assert page.evaluate(LEFT_AND_RIGHT, "4×8") == [False, True]
    assert page.evaluate(LEFT_AND_RIGHT, "float32 ?×4") == [True, True]  # an output that is wider now, and an input
    assert page.evaluate(LEFT_AND_RIGHT, "float32 ?×8") == [False, True]
    assert page.evaluate(LEFT_AND_RIGHT, "Softplus") == [False, True]
    assert page.evaluate(LEFT_AND_RIGHT, "Exp") == [True, True]
    page.keyboard.press("b")
    assert page.evaluate(DRAWN, "former") == []
    assert page.evaluate(LEFT_AND_RIGHT, "4×4")[1] is False


def test_an_output_of_another_name_keeps_its_edge_on_both_sides(browser: Any, tmp_path: Path) -> None:
    models = []
    for key in ("logits", "probabilities"):
        maker = Maker()
        x = maker.placeholder()
        models.append(maker.sign({"x": x}, {key: maker.node("Sigmoid", "sigmoid", maker.dense("wide", x))}))
    before, after = models
    (tmp_path / "page.html").write_bytes(draw_difference(before, after, diff(before, after), format="html").content)
    page = opened(browser, tmp_path / "page.html", DESK)
    page.click("#sides")
    assert page.evaluate("tree.edges.filter(({ was, kind }) => was === null || kind === 'former').length") == 0
    assert page.evaluate(LEFT_AND_RIGHT, "logits") == [True, False]
    assert page.evaluate(LEFT_AND_RIGHT, "probabilities") == [False, True]


def test_what_is_not_compared_has_no_second_pane(browser: Any, file: Path) -> None:
    page = opened(browser, file, DESK)
    assert page.locator("#sides").is_hidden()
    page.keyboard.press("b")
    assert page.locator("#before").is_hidden()


def test_two_fingers_zoom_where_they_are(browser: Any, file: Path) -> None:
    page = opened(browser, file, PHONE, has_touch=True)
    session = page.context.new_cdp_session(page)

    def touch(kind: str, *places: tuple[int, int]) -> None:
        points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    top = page.locator("#canvas").bounding_box()["y"]
    under = "(y) => [(195 - view.x) / view.zoom, (400 - y - view.y) / view.zoom]"
    zoom, there = page.evaluate("view.zoom"), page.evaluate(under, top)
    touch("touchStart", (175, 400), (215, 400))
    for spread in (30, 40, 50, 60):
        touch("touchMove", (195 - spread, 400), (195 + spread, 400))
    touch("touchEnd")
    assert page.evaluate("view.zoom") == pytest.approx(3 * zoom, rel=0.02)
    assert page.evaluate(under, top) == pytest.approx(there, abs=2)
    assert page.evaluate("view.selected") == -1


def test_names_in_wide_signs_have_room(browser: Any, tmp_path: Path) -> None:
    maker = Maker()
    source = x = maker.placeholder()
    for number in range(3):
        source = maker.dense(f"编码器的第一个模块与卷积神经网络/层{number}", source)
    model = maker.sign({"x": x}, {"y": maker.node("Softmax", "y", source)})
    (tmp_path / "page.html").write_bytes(draw(model, format="html").content)
    page = opened(browser, tmp_path / "page.html", DESK)
    page.evaluate("select(-1)")
    beyond = page.evaluate(
        """() => [...document.querySelectorAll('#scene .frame')].filter((frame) => {
          const [text, outline] = [frame.querySelector('text'), frame.querySelector('rect.outline')];
          return text.getBoundingClientRect().right > outline.getBoundingClientRect().right;
        }).length"""
    )
    assert page.locator("#scene .frame").count() > 0
    assert beyond == 0
