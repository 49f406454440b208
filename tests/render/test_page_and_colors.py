"""Papers, directions and colours by number: what fits, what the legend says, and names of frames that stay free."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import graphsurgeon
from graphsurgeon.cli import app
from graphsurgeon.errors import UsageError
from graphsurgeon.render import View, draw
from graphsurgeon.render.picture import build_scene, select_picture
from graphsurgeon.render.place.frame_titles import drawn_frames, is_crossed, room_of, struck_titles, title_places
from graphsurgeon.render.place.layout import DrawnRoute, Layout, Rectangle
from graphsurgeon.render.place.pages import Page, lay_out_page
from graphsurgeon.render.place.paper import PAPERS, SMALLEST, paper_named
from graphsurgeon.render.scene.scene import Scene
from graphsurgeon.render.write.palette import SCALE
from tests.render.build import Maker

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
FRAMED = ("graphdef/lowered.pb", "graphdef/cnn.pb", "savedmodel/keras_trained")


def scene_of(path: str, **view: object) -> Scene:
    asked = View(**view)  # type: ignore[arg-type]
    return build_scene(select_picture(graphsurgeon.read(FIXTURES / path), asked), asked)


@pytest.mark.parametrize("path", FRAMED)
def test_no_edge_runs_through_the_name_of_a_frame(path: str) -> None:
    scene = scene_of(path)
    layout = lay_out_page(scene, seconds=20)
    frames = [(place, name) for _, place, name in drawn_frames(scene, layout)]
    assert frames
    for (frame, name), at in zip(frames, title_places(layout, frames), strict=True):
        room = room_of(at, name)
        assert not any(is_crossed(room, route) for route in layout.routes), name
        assert frame.x <= room.x
        assert room.x + room.width <= frame.x + frame.width
    assert struck_titles(scene, layout) == {}


def test_a_name_goes_beside_an_edge() -> None:
    line = [(20.0, 0.0), (20.0, 10.0), (20.0, 90.0), (20.0, 100.0)]
    layout = Layout(200, 100, {}, {}, [DrawnRoute(line, (), None)])
    ((x, y),) = title_places(layout, [(Rectangle(0, 0, 200, 100), "name")])
    assert x > 20
    assert y < 20


def test_names_do_not_stand_on_each_other() -> None:
    """Frames that end together, with an edge along their upper borders: both names go to the foot."""
    line = [(0.0, 12.0), (60.0, 12.0), (120.0, 12.0), (200.0, 12.0)]
    inner = [(0.0, 30.0), (60.0, 30.0), (120.0, 30.0), (200.0, 30.0)]
    frames = [(Rectangle(0, 0, 200, 100), "outer"), (Rectangle(0, 18, 200, 82), "inner")]
    layout = Layout(200, 100, {}, {}, [DrawnRoute(line, (), None), DrawnRoute(inner, (), None)])
    (one, other) = (room_of(at, name) for at, (_, name) in zip(title_places(layout, frames), frames, strict=True))
    assert min(one.y, other.y) > 30
    assert one.x + one.width <= other.x or other.x + other.width <= one.x


@pytest.mark.parametrize("name", PAPERS)
def test_a_picture_for_a_paper_fits_and_can_be_read(name: str) -> None:
    paper = paper_named(name)
    model = graphsurgeon.read(FIXTURES / "graphdef/cnn.pb")
    drawing = draw(model, view=View(paper=name))
    size = re.search(rb'width="(\d+)pt" height="(\d+)pt" viewBox="0 0 (\d+) (\d+)"', drawing.content)
    assert size is not None
    width, height, own, _ = map(int, size.groups())
    assert width <= paper.width + 1
    assert height <= paper.height + 1
    smallest = min(float(one) for one in re.findall(rb'font-size="([\d.]+)"', drawing.content))
    said = any("points" in note for note in drawing.scene.notes)
    assert said or smallest * width / own >= SMALLEST - 0.2


def test_papers_and_directions_have_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="there is no paper 'a5'; one of a4, slide, column"):
        paper_named("a5")
    scene = scene_of("graphdef/cnn.pb")
    down, right = (lay_out_page(scene, seconds=20, page=Page(direction=way)) for way in ("down", "right"))
    assert right.width / right.height > 2 * down.width / down.height
    model = str(FIXTURES / "graphdef/cnn.pb")
    assert app.run(["render", model, "-o", str(tmp_path / "a.svg"), "--direction", "up"]) == 2
    assert app.run(["render", model, "-o", str(tmp_path / "a.svg"), "--direction", "right", "--paper", "slide"]) == 0


def test_a_whole_model_is_told_in_numbers() -> None:
    scene = scene_of("savedmodel/keras_export")
    assert re.fullmatch(r"[\d.]+( K)? parameters", scene.facts[0])
    assert scene.facts[1].endswith((" B", "kB"))
    assert scene.facts[2].startswith("SavedModel of TensorFlow ")
    assert scene.facts[3] == "1 input, 2 outputs"
    assert scene_of("savedmodel/keras_export", focus="probs", radius=1).facts == ()
    svg = draw(graphsurgeon.read(FIXTURES / "savedmodel/keras_export")).content.decode()
    assert " · ".join(scene.facts) in svg


def test_boxes_by_parameters() -> None:
    scene = scene_of("graphdef/cnn.pb", color_by="params")
    ranked = sorted((box for box in scene.boxes if box.parameters), key=lambda box: box.parameters)
    steps = [SCALE.index(box.family) for box in ranked]
    assert steps == sorted(steps)
    assert len(set(steps)) > 1
    assert all(
        box.family == "scope" for box in scene.boxes if not box.parameters and box.kind not in ("input", "output")
    )
    assert set(scene.colors) == set(SCALE)
    assert all("param" in text for text in scene.colors.values())


def test_boxes_by_multiplications() -> None:
    scene = scene_of("graphdef/cnn.pb", color_by="macs")
    assert all("MAC" in text for text in scene.colors.values())
    steps = {box.nodes[0].name: SCALE.index(box.family) for box in scene.boxes if box.family in SCALE}
    (stem,) = (step for name, step in steps.items() if "/stem_1/" in name)  # 64 * 4 * 27, the most of all
    (last,) = (step for name, step in steps.items() if "/probs_1/MatMul" in name)  # 5 * 3, the fewest
    assert (stem, last) == (len(SCALE) - 1, 0)
    assert any(box.family == "scope" for box in scene.boxes if box.kind == "operation")


def test_boxes_by_dtype_and_by_own_numbers(tmp_path: Path) -> None:
    scene = scene_of("savedmodel/many_dtypes", color_by="dtype")
    assert any("int" in text for text in scene.colors.values())
    nodes = [box.nodes[0].name for box in scene_of("graphdef/cnn.pb").boxes if box.kind not in ("input", "output")]
    numbers = {name: float(10**number) for number, name in enumerate(nodes[:5])}
    colored = scene_of("graphdef/cnn.pb", color_by=numbers)
    assert {box.family for box in colored.boxes} >= {SCALE[0], SCALE[-1], "scope"}
    file = tmp_path / "times.json"
    file.write_text(json.dumps({**numbers, nodes[5]: "slow"}))
    page = tmp_path / "a.html"
    assert app.run(["render", str(FIXTURES / "graphdef/cnn.pb"), "-o", str(page), "--color-by", str(file)]) == 0
    assert '"scale4"' in page.read_text("utf-8")
    file.write_text('{"a": [1]}')
    assert app.run(["render", str(FIXTURES / "graphdef/cnn.pb"), "--json", "--color-by", str(file)]) == 2
    assert app.run(["render", str(FIXTURES / "graphdef/cnn.pb"), "--json", "--color-by", "speed"]) == 2


@pytest.mark.parametrize("most", [8, 12, 20])
def test_a_long_network_is_divided_as_finely_as_is_wanted(most: int) -> None:
    maker = Maker()
    source = x = maker.placeholder()
    for number in range(14):
        for part in ("expand", "squeeze", "project"):
            source = maker.dense(f"block{number}_{part}_{'abc'[number % 3]}", source)
            source = maker.node("Exp" if number % 2 else "Sigmoid", f"act{number}_{part}", source)
    view = View(most=most)
    scene = build_scene(select_picture(maker.sign({"x": x}, {"y": source}), view), view)
    assert most / 2 <= len(scene.boxes) <= most + 1
    assert [box.title for box in scene.boxes if box.kind == "input"] == ["x"]
