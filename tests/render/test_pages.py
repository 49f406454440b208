"""Tall pictures in columns, wide ones in rows: everything on the page, nothing over another, edges whole."""

from __future__ import annotations

from itertools import combinations

import pytest

from graphsurgeon.render.place.layout import DrawnRoute, Layout, Rectangle
from graphsurgeon.render.place.pages import WIDEST, Page, paged
from graphsurgeon.render.place.splines import passes, rounded, split
from graphsurgeon.render.scene.scene import Box, Cluster, Edge, Scene

STEP, HEIGHT = 80.0, 50.0


def scene_of(names: list[str], edges: list[tuple[str, str]], frames: dict[str, str] | None = None) -> Scene:
    """A scene of boxes; `frames` says which frame a box stands in."""
    frames = frames or {}
    boxes = [Box(name, "operation", name, (), name, "math", cluster=frames.get(name, "")) for name in names]
    clusters = [Cluster(name, "", "scope", name, name) for name in dict.fromkeys(frames.values())]
    return Scene("made", boxes, [Edge(*ends, "data") for ends in edges], clusters, [], [], 1, 0, (), {})


def strip(count: int, *, skips: int = 0, framed: bool = False) -> tuple[Scene, Layout]:
    """A chain of boxes one above the other, with some edges that pass by the next box, laid out by hand."""
    names = [f"b{number}" for number in range(count)]
    pairs = [(n, n + 1) for n in range(count - 1)] + [(n, n + 2) for n in range(0, count - 2, 5)][:skips]
    boxes = {name: Rectangle(20, number * STEP, 100, HEIGHT) for number, name in enumerate(names)}
    routes = []
    for start, end in pairs:
        x = 70.0 if end == start + 1 else 140.0
        top, low = start * STEP + HEIGHT, end * STEP - 8
        curve = [(70.0, top), (x, top), (x, low), (70.0, low)]
        head = [(66.0, low), (74.0, low), (70.0, low + 8)]
        routes.append(DrawnRoute(curve, head, (x + 30, (top + low) / 2 + 6), 40.0))
    edges = [(names[start], names[end]) for start, end in pairs]
    frames = {"frame": Rectangle(0, -10, 200, count * STEP)} if framed else {}
    scene = scene_of(names, edges, dict.fromkeys(names, "frame") if framed else None)
    return scene, Layout(200, count * STEP, boxes, frames, routes)


def meet(one: Rectangle, other: Rectangle) -> bool:
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )


@pytest.mark.parametrize(
    ("count", "skips", "framed"), [(40, 0, False), (60, 12, False), (60, 12, True), (200, 3, True)]
)
def test_a_strip_becomes_a_page_of_columns(count: int, skips: int, framed: bool) -> None:
    scene, tall = strip(count, skips=skips, framed=framed)
    page = paged(scene, tall)
    assert page.height < tall.height / 3
    assert 0.5 < page.width / page.height < 2.2
    frames = [*page.clusters.values(), *(place for _, place in page.continued)]
    for place in (*page.boxes.values(), *frames):
        assert place.x >= 0
        assert place.x + place.width <= page.width
        assert 0 <= place.y <= place.y + place.height <= page.height
    assert not any(meet(one, other) for one, other in combinations(page.boxes.values(), 2))
    assert not any(meet(one, other) for one, other in combinations(frames, 2))
    if framed:
        assert all(any(meet(box, frame) for frame in frames) for box in page.boxes.values())


def test_edges_still_join_their_boxes() -> None:
    scene, tall = strip(60, skips=12)
    page = paged(scene, tall)
    columns = {place.x for place in page.boxes.values()}
    assert len(columns) > 2
    for edge, route in zip(scene.edges, page.routes, strict=True):
        source, target = page.boxes[edge.source], page.boxes[edge.target]
        assert route.points[0] == pytest.approx((source.x + 50, source.y + HEIGHT))
        assert route.points[-1] == pytest.approx((target.x + 50, target.y - 8))
        assert route.head[-1] == pytest.approx((target.x + 50, target.y))
        assert len(route.points) % 3 == 1


def test_an_edge_runs_over_a_whole_column() -> None:
    scene, tall = strip(60)
    far = DrawnRoute([(120.0, 20.0), (190.0, 20.0), (190.0, 4700.0), (120.0, 4700.0)], [], None)
    scene = scene_of([box.id for box in scene.boxes], [*((e.source, e.target) for e in scene.edges), ("b0", "b59")])
    tall = Layout(tall.width, tall.height, tall.boxes, {}, [*tall.routes, far])
    page = paged(scene, tall)
    last = page.boxes["b59"]
    assert page.routes[-1].points[-1][0] == pytest.approx(last.x + 100)
    assert page.routes[-1].points[-1][1] - last.y == pytest.approx(4700 - 59 * STEP, abs=0.01)


def test_a_page_is_no_wider_than_can_be_read() -> None:
    scene, tall = strip(400)
    square, narrow = paged(scene, tall, Page(widest=float("inf"))), paged(scene, tall, Page(widest=700))
    assert square.width > 700 >= narrow.width
    assert narrow.height > square.height
    names = [f"n{number}" for number in range(60)]
    boxes = {name: Rectangle(number * 120.0, 0, 100, HEIGHT) for number, name in enumerate(names)}
    assert paged(scene_of(names, []), Layout(7200, HEIGHT, boxes, {}, [])).width < WIDEST


def test_what_is_no_strip_stays() -> None:
    scene, small = strip(12)
    assert paged(scene, small) is small
    scene, tall = strip(40)
    side = {f"s{number}": Rectangle(130, number * STEP, 60, STEP) for number in range(40)}
    whole = Layout(200, tall.height, {**tall.boxes, **side}, {}, tall.routes)
    assert paged(scene, whole) is whole  # nowhere to cut


def test_pieces_that_nothing_joins_stand_in_rows() -> None:
    names = [f"n{number}" for number in range(40)]
    edges = [(names[number], names[number + 1]) for number in range(0, 40, 2)]
    boxes = {name: Rectangle(number // 2 * 120.0, number % 2 * STEP, 100, HEIGHT) for number, name in enumerate(names)}
    routes = [
        DrawnRoute([(n * 120 + 50.0, y) for y in (HEIGHT, 55.0, 60.0, 72.0)], [(n * 120 + 50.0, STEP)], None)
        for n in range(20)
    ]
    page = paged(scene_of(names, edges), Layout(2380, STEP + HEIGHT, boxes, {}, routes))
    assert page.width < 900
    assert not any(meet(one, other) for one, other in combinations(page.boxes.values(), 2))
    for edge, route in zip(edges, page.routes, strict=True):
        assert route.head[0] == (page.boxes[edge[1]].x + 50, page.boxes[edge[1]].y)


def test_lines_are_cut_where_they_pass() -> None:
    line = [(0.0, 0.0), (0.0, 10.0), (10.0, 20.0), (10.0, 30.0), (10.0, 40.0), (20.0, 50.0), (20.0, 60.0)]
    assert [passes(line, height) for height in (-1, 15, 45, 61)] == [0, 1, 1, 0]
    first, second = split(line, 15.0)
    assert first[-1] == pytest.approx((5.0, 15.0), abs=1e-4)
    assert second[0] == first[-1]
    assert (first[0], second[-1], len(first), len(second)) == (line[0], line[-1], 4, 7)
    turning = [(0.0, 0.0), (0.0, 40.0), (10.0, 40.0), (10.0, 0.0)]
    assert passes(turning, 20.0) == 2
    corner = rounded([(0.0, 0.0), (0.0, 20.0), (30.0, 20.0)], 7)
    assert (corner[0], corner[-1], len(corner)) == ((0.0, 0.0), (30.0, 20.0), 10)
    assert corner[3] == pytest.approx((0.0, 13.0))
