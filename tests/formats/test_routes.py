"""Routes: the page says what the table says, every kind is one that is recognised, and `gs show` ends with its way."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsurgeon.cli import app
from graphsurgeon.formats import registry
from graphsurgeon.formats.recognise.foreign import FOREIGN
from graphsurgeon.formats.recognise.routes import NOT_TRIED, OURS, ROUTES, route_of
from tests.cli.conftest import GS, gs
from tests.test_pages import rows

__all__ = ["gs"]  # the fixture

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "routes.md").read_text("utf-8")


def test_the_page_is_the_table() -> None:
    told = [tuple(row) for row in rows(PAGE)][1:]
    assert told == [(route.have, route.need, f"`{route.how}`", route.standing) for route in ROUTES]


def test_every_standing_is_one() -> None:
    for route in ROUTES:
        is_known = route.standing in (OURS, NOT_TRIED) or route.standing.startswith(("tried 20", "dead since 20"))
        assert is_known, route
        if route.standing == OURS:
            assert route.how.split()[:1] == ["gs"], route
            assert route.how.split()[1] in app.COMMANDS, route


def test_kinds_are_known_and_lead_on_in_one_way() -> None:
    kinds = [kind for route in ROUTES for kind in route.kinds]
    known = {*FOREIGN, *(record.name for record in registry.formats()), "mlir_bytecode"}
    assert (set(kinds) - known, len(kinds)) == (set(), len(set(kinds)))


def test_what_is_not_read_has_one_hint() -> None:
    for kind, (_, hint) in FOREIGN.items():
        assert bool(hint) != (route_of(kind) is not None), kind


@pytest.mark.parametrize("name", ["model.onnx", "net-symbol.json"])
def test_show_ends_with_the_way_of_the_file_that_it_shows(name: str, gs: GS) -> None:
    following, last = gs("show", f"hostile/foreign/{name}").out.splitlines()[-2:]
    path = following.removeprefix("next: gs outputs ")
    assert path.endswith(name)
    assert last == f"to SavedModel: gs convert {path} saved_model/"


def test_what_is_not_read_is_told_its_way(gs: GS) -> None:
    done = gs("show", "hostile/foreign/torch_legacy.pth")
    assert done.status == 4
    assert "to ONNX: torch.onnx.export(" in done.err


def test_models_of_tensorflow_have_no_such_line(gs: GS) -> None:
    assert gs("show", "graphdef/linear.pb").out.splitlines()[-1].startswith("next: gs")
