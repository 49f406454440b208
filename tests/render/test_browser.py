"""The page in a real browser, with the network off: opens, searches, expands, tells, saves, and is linked to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import graphsurgeon
from graphsurgeon.model.model import Model
from graphsurgeon.render import draw
from tests.render.build import Maker
from tests.render.conftest import PATIENCE
from tests.render.test_page import repeated
from tests.render.test_pictures import hostile

pytestmark = pytest.mark.browser

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


def detector() -> Model:
    return graphsurgeon.read(FIXTURES / "graphdef/face_detector.pb")


def test_opens_as_the_picture_does(show: Any) -> None:
    scene = draw(detector(), format="dot").scene
    assert sorted(show(detector()).titles()) == sorted(box.title for box in scene.boxes)


def test_scopes_open_and_close_in_place(show: Any) -> None:
    shown = show(detector(), depth=1)
    before = shown.titles()
    place = shown.box("rnet").bounding_box()
    shown.box("rnet").dblclick()
    assert "CropAndResize" in shown.titles()
    frame = shown.page.locator("#scene .frame", has_text="rnet").bounding_box()
    assert abs(frame["x"] - place["x"]) < 4
    assert abs(frame["y"] - place["y"]) < 4
    shown.page.locator("#scene .frame", has_text="rnet").locator(".toggle").click()
    assert shown.titles() == before


def test_panel_tells_about_an_operation(show: Any) -> None:
    shown = show(graphsurgeon.read(FIXTURES / "savedmodel/linear"))
    assert shown.page.locator("#panel").is_hidden()
    shown.box("MatMul").click()
    text = shown.page.locator("#panel").inner_text()
    for fact in ("ATTRIBUTES", "float32 [4,3]", "[?,3]", "mean", "deviation"):
        assert fact in text
    shown.page.locator("#panel button.link", has_text="AddV2").click()
    assert shown.page.locator("#panel h2").inner_text() == "AddV2"
    shown.page.keyboard.press("Escape")
    assert shown.page.locator("#panel").is_hidden()


def test_search_finds_what_is_closed(show: Any) -> None:
    shown = show(detector(), depth=1)
    assert "CropAndResize" not in shown.titles()
    shown.page.keyboard.press("/")
    shown.page.keyboard.type("rnet/cropandresize")
    shown.page.keyboard.press("Enter")
    assert "CropAndResize" in shown.titles()
    assert shown.page.locator("#panel h2").inner_text() == "CropAndResize"
    box = shown.page.locator("#scene .box.selected").bounding_box()
    assert 0 < box["x"] < 1400
    assert 0 < box["y"] < 900
    shown.page.fill("#search", "nothing of the kind")
    assert shown.page.locator("#results").inner_text() == "nothing found"


def test_the_address_reopens_the_view(show: Any, browser: Any) -> None:
    shown = show(detector(), depth=1)
    shown.page.keyboard.press("0")  # everything in the window
    shown.box("onet").dblclick()
    shown.box("CropAndResize").click()
    shown.page.keyboard.press("u")
    address, titles = shown.page.url, shown.titles()
    place = shown.page.locator("#scene").get_attribute("transform")
    again = shown.context.new_page()
    again.goto(address)
    again.wait_for_selector("#scene .box.selected")
    assert again.locator("#scene .box text.title").all_text_contents() == titles
    assert again.locator("#panel h2").inner_text() == "CropAndResize"
    assert again.locator("#scene").get_attribute("transform") == place
    again.goto(address.partition("#")[0] + "#toggled=zzzz.!!&selected=zz&view=a_b_c")
    again.wait_for_selector("#scene .box")


def test_what_a_node_reads_and_feeds_is_marked(show: Any) -> None:
    shown = show(graphsurgeon.read(FIXTURES / "savedmodel/linear"))
    shown.box("AddV2").click()
    assert shown.page.locator("#scene .edge.reads").count() == 1
    assert shown.page.locator("#scene .edge.feeds").count() == 1
    shown.page.keyboard.press("u")
    assert shown.page.locator("#scene .box.reads").count() == 3  # itself, MatMul, the input
    assert shown.page.locator("#scene .edge.feeds").count() == 0
    shown.page.keyboard.press("d")
    assert shown.page.locator("#scene .box.feeds").count() == 3


def test_keys_walk_along_edges(show: Any) -> None:
    shown = show(graphsurgeon.read(FIXTURES / "savedmodel/linear"))
    shown.page.locator("#canvas").focus()
    seen = []
    for _ in range(5):
        shown.page.keyboard.press("ArrowDown")
        seen.append(shown.page.locator("#panel h2").inner_text())
    assert seen == ["x", "MatMul", "AddV2", "Softmax", "output_0"]
    shown.page.keyboard.press("ArrowUp")
    assert shown.page.locator("#panel h2").inner_text() == "Softmax"
    shown.page.keyboard.press("Tab")
    assert shown.page.evaluate("document.activeElement.getAttribute('role')") == "button"


def test_parts_are_saved_as_svg(show: Any, tmp_path: Path) -> None:
    from xml.etree import ElementTree

    shown = show(detector())
    with shown.page.expect_download() as whole:
        shown.page.click("#save")
    whole.value.save_as(tmp_path / "whole.svg")
    assert whole.value.suggested_filename == "face_detector.pb.svg"
    shown.page.fill("#search", "rnet")
    shown.page.keyboard.press("Enter")
    with shown.page.expect_download() as part:
        shown.page.keyboard.press("s")
    part.value.save_as(tmp_path / "part.svg")
    texts = [
        {
            "".join(text.itertext())
            for text in ElementTree.parse(tmp_path / name).iter("{http://www.w3.org/2000/svg}text")
        }
        for name in ("whole.svg", "part.svg")
    ]
    assert "NonMaxSuppressionV3" in texts[0]
    assert "NonMaxSuppressionV3" not in texts[1]
    assert "CropAndResize" in texts[1]


def test_nothing_overlaps_however_far_it_is_opened(show: Any) -> None:
    shown = show(detector(), depth=1)
    for _ in range(4):
        overlaps = shown.page.evaluate(
            """() => {
              const places = [...layout.boxes.values()];
              const apart = (a, b) => a.x + a.width <= b.x + 0.5 || b.x + b.width <= a.x + 0.5
                || a.y + a.height <= b.y + 0.5 || b.y + b.height <= a.y + 0.5;
              return places.flatMap((a, i) => places.slice(i + 1).filter((b) => !apart(a, b))).length;
            }"""
        )
        assert overlaps == 0
        clipped = shown.page.evaluate(
            """() => [...document.querySelectorAll('#scene .box')].filter((box) => {
              const body = box.querySelector('rect.body').getBoundingClientRect();
              return [...box.querySelectorAll('text')].some((text) => {
                const place = text.getBoundingClientRect();
                return place.left < body.left - 1 || place.right > body.right + 4;
              });
            }).map((box) => box.id)"""
        )
        assert clipped == []
        shown.page.click("#more")


def test_hostile_names_do_nothing(show: Any) -> None:
    maker = Maker()
    hostile(maker)
    shown = show(maker.model, depth=1)
    for _ in range(4):
        shown.page.keyboard.press("]")
    shown.page.fill("#search", "script")
    shown.page.locator("#results button").first.click()
    assert shown.page.locator("img, iframe, #panel script, #scene script").count() == 0
    assert "<img src=x" in shown.page.locator("#title").inner_text()


OPENED = """() => {
  const done = { scopes: 0, children: 0, walked: 0, painted: 0 };
  const [lays, walks, paints] = [layered, arranger.path, element];
  window.layered = (nodes, ...more) => {
    done.scopes += 1;
    done.children += nodes.length;
    return lays(nodes, ...more);
  };
  arranger.path = (index) => { done.walked += 1; return walks.call(arranger, index); };
  window.element = (...given) => { done.painted += 1; return paints(...given); };
  const closed = tree.parts.filter((p) => p.scope && !tree.isOpen(p.index) && tree.isVisible(p.index));
  return closed.slice(0, 10).map((part) => {
    for (const key of Object.keys(done)) done[key] = 0;
    toggle(part.index);
    return { ...done, around: tree.around(part.index).length, boxes: layout.boxes.size };
  });
}"""


def test_of_thousands_of_nodes_what_is_opened_is_laid_out_and_what_is_near_is_painted(show: Any) -> None:
    maker = Maker()
    source = x = maker.placeholder()
    for stage in range(6):
        for block in range(12):
            before = source
            for layer in range(14):
                source = maker.dense(f"stage{stage}/block{block}/layer{layer}", source)
                if (layer * block + stage) % 5 == 0:
                    source = maker.node("Tanh", f"stage{stage}/block{block}/tanh{layer}", source)
            source = maker.node("AddV2", f"stage{stage}/block{block}/add", source, before)
    model = maker.sign({"x": x}, {"y": source})
    assert len(maker.graph) > 5000
    shown = show(model)
    counted = shown.page.evaluate(OPENED)
    edges = shown.page.evaluate("tree.edges.length")
    assert len(counted) == 10
    for opened in counted:
        assert 0 < opened["scopes"] <= opened["around"] + 2  # itself, those around it, and the whole
        assert opened["children"] <= 40 * opened["scopes"]
        assert 0 < opened["walked"] <= 2 * edges
        assert 0 < opened["painted"] <= 30 * opened["boxes"]


def test_a_mark_far_below_is_gone_to(show: Any) -> None:
    maker = Maker()
    source = x = maker.placeholder()
    for number in range(30):
        source = maker.node("Relu" if number % 2 else "Tanh", f"step{number}", source)
    maker.sign({"x": x}, {"y": source})
    top = show(maker.model, everything=True)
    far = show(maker.model, everything=True, highlight=("step25",))
    near = show(maker.model, everything=True, highlight=("step1",))
    assert not top.box("Relu").evaluate("box => box.getBoundingClientRect().top < 0")
    place = far.page.locator("#scene .box[class*=m-]").first.bounding_box()
    assert 0 < place["y"] < 900
    assert near.page.locator("#scene .box.k-input").bounding_box()["y"] > 0


def test_the_legend_stays_where_the_panel_is_long(show: Any) -> None:
    maker = Maker()
    x = maker.placeholder()
    maker.sign({"x": x}, {"y": maker.node("Relu", "long" * 2000, x)})
    page = show(maker.model)
    before = page.page.locator("footer").bounding_box()
    page.box("Relu").click()
    page.page.wait_for_selector("#panel h2")
    assert page.page.locator("footer").bounding_box() == before


def found(shown: Any, text: str) -> list[str]:
    shown.page.fill("#search", text)
    return [" | ".join(line.split("\n")) for line in shown.page.locator("#results li").all_inner_texts()]


def test_search_finds_weights_folded_nodes_and_equal_blocks(show: Any) -> None:
    shown = show(repeated(), depth=1)
    assert found(shown, "block0/first/kernel") == ["block0/first/kernel | weight of MatMul"]
    assert found(shown, "block0/passed") == ["block0/passed | folded into MatMul"]
    assert found(shown, "block2/second/kernel") == ["block2/second/kernel | weight of 3 of 4 like MatMul"]
    assert len(found(shown, "block?/first/bias")) == 4
    assert len(found(shown, "/^block[12].first.bias$/")) == 2
    assert found(shown, "/(/") == ["this is no regular expression"]
    found(shown, "block2/second/kernel")
    shown.page.keyboard.press("Enter")
    assert shown.page.locator("#scene .box.selected text.title").inner_html() == "MatMul"
    assert shown.page.locator("#panel select").input_value() == "2"
    assert "block2/second/kernel" in shown.page.locator("#panel .weight").inner_text()


def test_panel_of_a_closed_layer_tells_about_all_inside(show: Any) -> None:
    shown = show(repeated())
    shown.page.fill("#search", "block0/first")
    shown.page.keyboard.press("Enter")
    text = shown.page.locator("#panel").inner_text()
    for fact in ("OPERATIONS INSIDE", "x:0", "BiasAdd", "WEIGHTS: 2", "block0/first/kernel", "float32 [4,4]"):
        assert fact in text
    shown.page.locator("#panel select").select_option("1")
    assert "block1/first/kernel" in shown.page.locator("#panel").inner_text()
    shown.page.keyboard.press("Escape")
    linear = show(graphsurgeon.read(FIXTURES / "savedmodel/linear"))
    linear.box("MatMul").click()
    assert linear.page.locator("#panel svg.histogram rect").count() == 24


def test_the_small_picture_shows_and_goes_where_the_window_is(show: Any) -> None:
    shown = show(graphsurgeon.read(FIXTURES / "savedmodel/linear"))
    assert shown.page.locator("#minimap").is_hidden()  # all is seen
    maker = Maker()
    source = x = maker.placeholder()
    for number in range(150):
        source = maker.node("Relu" if number % 2 else "Tanh", f"step{number}", source)
    shown = show(maker.sign({"x": x}, {"y": source}), everything=True)
    place = shown.page.locator("#minimap").bounding_box()
    shown.page.mouse.click(place["x"] + place["width"] / 2, place["y"] + place["height"] - 8)
    end = shown.page.locator("#scene .box.k-output").bounding_box()
    assert 0 < end["y"] < 900
    shown.page.keyboard.press("m")
    assert shown.page.locator("#minimap").is_hidden()


CROSSED = """() => {
  const all = ([index, place]) => [place, ...(place.more || [])].map((part) => [index, part]);
  const parts = [...layout.frames].flatMap(all);
  const named = parts.filter(([, place]) => place.title !== null);
  return layout.segments.flatMap(({ points }) => points.slice(1).map((end, k) => [points[k], end]))
  .filter(([[ax, ay], [bx, by]]) => named.some(([index, place]) => {
    const left = place.x + place.title + 6;
    const right = left + tree.parts[index].frame.length * 6.6 + 30;
    for (let t = 0; t <= 1; t += 0.05) {
      const [x, y] = [ax + (bx - ax) * t, ay + (by - ay) * t];
      if (x > left && x < right && y > place.y + 5 && y < place.y + 22) return true;
    }
    return false;
  })).length;
}"""


def test_no_line_runs_through_the_name_of_a_frame(show: Any) -> None:
    for model in (detector(), repeated(), graphsurgeon.read(FIXTURES / "savedmodel/keras_rnn")):
        shown = show(model, depth=1)
        for _ in range(4):
            assert shown.page.evaluate(CROSSED) == 0
            shown.page.click("#more")


def test_of_a_large_picture_what_is_near_is_painted(show: Any) -> None:
    maker = Maker()
    source = x = maker.placeholder()
    for number in range(1200):
        source = maker.node("Relu" if number % 2 else "Tanh", f"step{number}", source)
    shown = show(maker.sign({"x": x}, {"y": source}), everything=True)
    assert shown.page.evaluate("layout.boxes.size") > 1200
    assert shown.page.locator("#scene .box").count() < 150
    found(shown, "step1199")
    shown.page.keyboard.press("Enter")
    assert 0 < shown.page.locator("#scene .box.selected").bounding_box()["y"] < 900
    shown.page.keyboard.press("0")  # everything: too small to be read
    assert shown.page.locator("#scene .box").count() > 1200
    assert shown.page.locator("#scene text").count() == 0
    shown.page.locator("#canvas").focus()
    shown.page.keyboard.press("d")
    with shown.page.expect_download() as whole:
        shown.page.keyboard.press("Escape")
        shown.page.click("#save")
    assert whole.value.path().read_text().count("step") > 1200


def test_nothing_stands_in_the_way_of_those_who_cannot_see_it(browser: Any, tmp_path: Path) -> None:
    axe = pytest.importorskip("axe_playwright_python")
    file = tmp_path / "page.html"
    file.write_bytes(draw(repeated(), format="html").content)
    script = next(Path(axe.__file__).parent.glob("axe*.js")).read_text("utf-8")
    for scheme in ("light", "dark"):
        context = browser.new_context(viewport={"width": 1400, "height": 900}, bypass_csp=True, color_scheme=scheme)
        page = context.new_page()
        page.goto(file.as_uri())
        page.evaluate(script)
        for step in ("help()", "select(0, true)", "select(layout.boxes.keys().next().value)", "help()"):
            page.evaluate(step)
            page.fill("#search", "block")
            findings = page.evaluate("axe.run()")["violations"]
            assert [(found["id"], found["nodes"][0]["html"]) for found in findings] == []
        context.close()


def test_the_page_in_a_notebook(browser: Any, tmp_path: Path) -> None:
    shown = graphsurgeon.read(FIXTURES / "savedmodel/keras_export")._repr_html_()
    (tmp_path / "notebook.html").write_text(f"<!DOCTYPE html><html><body>{shown}</body></html>", "utf-8")
    context = browser.new_context(viewport={"width": 1000, "height": 700}, offline=True)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto((tmp_path / "notebook.html").as_uri())
    frame = page.frames[1]
    for button in ("#more", "#reset"):
        frame.wait_for_selector("#scene .box", timeout=PATIENCE)
        frame.click(button)
    frame.wait_for_selector("#scene .box", timeout=PATIENCE)
    assert complaints == []
    context.close()
