"""Which renames are proposed for a restore, and which are not: names that are merely alike are no reason."""

from __future__ import annotations

from graphsurgeon.compare.restore.names import RestoreName
from graphsurgeon.compare.restore.proposals import RenameProposal, propose
from graphsurgeon.model.dtype import FLOAT32
from graphsurgeon.model.shape import Shape


def side(**shapes: tuple[int, ...]) -> list[RestoreName]:
    """Make variables; `__` in a name stands for a slash."""
    return named({name.replace("__", "/"): shape for name, shape in shapes.items()})


def named(shapes: dict[str, tuple[int, ...]], called: dict[str, str] | None = None) -> list[RestoreName]:
    return [RestoreName(n, (called or {}).get(n, ""), FLOAT32, Shape(shape), n) for n, shape in shapes.items()]


def only(found: list[RenameProposal]) -> RenameProposal:
    assert len(found) == 1
    return found[0]


def test_a_prefix() -> None:
    wanted = named({"net/a/w": (2, 3), "net/a/b": (3,), "net/c/w": (3, 3)})
    stored = named({"old/a/w": (2, 3), "old/a/b": (3,), "old/c/w": (3, 3), "old/a/w/Adam": (2, 3), "step": ()})
    proposal = only(propose(wanted, stored))
    assert proposal.arguments == ["old/=net/"]
    assert proposal.pairs == {"old/a/w": "net/a/w", "old/a/b": "net/a/b", "old/c/w": "net/c/w"}


def test_a_rule_that_would_move_what_is_found_becomes_pairs() -> None:
    wanted, stored = named({"net/a/w": (2,), "net/b/w": (2,)}), named({"old/a/w": (2,), "old/b/w": (2,)})
    assert only(propose(wanted, stored, ["old/c/w"])).arguments == []


def test_two_prefixes() -> None:
    wanted = named({"net/a/w": (2, 3), "net/c/w": (3, 3), "adam/0": (7,), "adam/1": (8,), "adam/2": (9,)})
    stored = named({"model/a/w": (2, 3), "model/c/w": (3, 3), "opt/0": (7,), "opt/1": (8,), "opt/2": (9,)})
    assert set(only(propose(wanted, stored)).arguments) == {"model/=net/", "opt/=adam/"}


def test_two_towers_are_both_told() -> None:
    wanted = named({"a/w": (2, 3), "b/w": (3, 3)})
    stored = named({f"tower_{n}/{name}/w": shape for n in (0, 1) for name, shape in (("a", (2, 3)), ("b", (3, 3)))})
    assert [
        one.pairs["tower_0/a/w" if "tower_0/a/w" in one.pairs else "tower_1/a/w"] for one in propose(wanted, stored)
    ] == [
        "a/w",
        "a/w",
    ]


def test_a_suffix() -> None:
    wanted, stored = named({"a/w": (2, 3), "b/w": (3,)}), named({"a/w/Average": (2, 3), "b/w/Average": (3,)})
    assert only(propose(wanted, stored)).arguments == ["--regex", "s|/Average$||"]


def test_names_of_variables_lead_from_one_structure_to_another() -> None:
    wanted = named({"x/0": (2,), "x/1": (2,)}, {"x/0": "model_2/enc/kernel", "x/1": "model_2/dec/kernel"})
    stored = named({"deep/y/k": (2,), "z/k": (2,)}, {"deep/y/k": "model/dec/kernel", "z/k": "model/enc/kernel"})
    assert only(propose(wanted, stored)).pairs == {"deep/y/k": "x/1", "z/k": "x/0"}


def test_layers_in_their_order_count_numbers_as_numbers() -> None:
    wanted = named({f"conv2d{'_' + str(n) if n else ''}/kernel": (3, 3, n + 1, 8) for n in range(12)})
    stored = named({f"Net/Conv_{n}/weights": (3, 3, n + 1, 8) for n in range(12)})
    proposal = only(propose(wanted, stored))
    assert proposal.by_order
    assert proposal.pairs["Net/Conv_10/weights"] == "conv2d_10/kernel"
    assert proposal.pairs["Net/Conv_0/weights"] == "conv2d/kernel"


def test_one_shape_that_differs_refuses_the_whole_order() -> None:
    wanted = side(conv__kernel=(3, 4), conv_1__kernel=(4, 5), conv_2__kernel=(5, 6))
    stored = side(c0__weights=(3, 4), c1__weights=(4, 5), c2__weights=(5, 7))
    assert propose(wanted, stored) == []


def test_an_order_passes_over_a_second_head_and_leaves_one_s_own() -> None:
    sizes = [(3, 4), (4, 5), (5, 6), (6, 7), (7, 8)]
    wanted = {f"conv_{n}/kernel": shape for n, shape in enumerate(sizes)}
    body = {f"Net/C{n}/weights": shape for n, shape in enumerate(sizes)}
    aux = {"Net/Aux/C1/weights": (5, 2), "Net/Aux/C2/weights": (2, 2)}
    proposal = only(propose(named(wanted), named(body | aux)))
    assert "without Net/Aux/" in proposal.why
    assert proposal.by_order
    assert proposal.pairs == dict(zip(body, wanted, strict=True))
    assert only(propose(named(wanted), named(body | {"Net/Top/weights": (8, 9), "Net/Top/biases": (9,)}))).pairs
    head = {f"more_{n}/kernel": (n, n) for n in range(20, 35)}
    found = propose(named(wanted | head), named(body | {name.replace("kernel", "w"): s for name, s in head.items()}))
    assert len(only(found).pairs) == 20


def test_two_heads_of_one_size_leave_two_meanings() -> None:
    sizes = [(3, 4), (4, 5), (5, 6)]
    wanted = named({f"conv_{n}/kernel": shape for n, shape in enumerate(sizes * 2)})
    towers = {f"Net/{part}/C{n}/weights": shape for part in "ABC" for n, shape in enumerate(sizes)}
    assert propose(wanted, named(towers)) == []


def test_names_that_are_merely_alike_are_not_proposed() -> None:
    assert propose(side(block_a__w=(2, 3), block_b__w=(3, 3)), side(block_aa__v=(2, 3), block_bb__u=(3, 3))) == []
    assert propose(side(a__kernel=(2, 3)), side(a__kernel_=(2, 4))) == []


def test_a_transposed_shape_is_said() -> None:
    wanted, stored = side(n__a__w=(2, 3), n__b__w=(3, 3), n__c__w=(3, 4)), side(a__w=(3, 2), b__w=(3, 3), c__w=(3, 4))
    proposal = only(propose(wanted, stored))
    assert proposal.pairs == {"b/w": "n/b/w", "c/w": "n/c/w"}
    assert proposal.transposed == [("a/w", "n/a/w")]


def test_what_a_rule_leaves_is_listed() -> None:
    wanted = side(n__a__w=(2, 3), n__b__w=(3, 3), n__head__w=(3, 10))
    stored = side(a__w=(2, 3), b__w=(3, 3), head__w=(3, 1000))
    proposal = only(propose(wanted, stored))
    assert proposal.left == ["n/head/w"]
