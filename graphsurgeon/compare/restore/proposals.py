"""Which names may be meant by others: proposals that a person judges, never guesses from names that are merely alike.

In order of trust: one change of prefix or suffix that explains all; the same name of a variable in the program; the
same layers, whose weights go by other words; layers of one kind in their natural order, with every shape of the whole
sequence equal, a head aside; one change that explains most. Names that are only similar were wrong in a third of the
cases that this was tried on, and are not looked at.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from graphsurgeon.analysis.names import natural
from graphsurgeon.compare.restore.names import RestoreName

_MOST = 3  # proposals of one kind that are told
_LEAST_PART = 0.5  # of what is missing, that a rule must explain
# What the last part of a name says, by the words of Keras, slim, Sonnet and Haiku.
_KINDS = {
    "weights": "kernel", "w": "kernel", "_kernel": "kernel", "biases": "bias", "b": "bias", "_embeddings": "embeddings",
    "offset": "beta", "scale": "gamma", "depthwise_weights": "depthwise_kernel",
}  # fmt: skip
_MOST_PARTS = 2  # of a checkpoint, such as a second head, that an order passes over
_ORDERED_PART = 0.9  # of what is missing, that an order must explain: another head is the user's own
Rule = tuple[str, str]  # old and new beginning, or end
_Layers = list[dict[str, "RestoreName"]]


@dataclass(frozen=True)
class RenameProposal:
    """Names of a checkpoint, and what they would have to be.

    Attributes:
        why: what the pairs rest on.
        pairs: name in the checkpoint -> name that is looked for.
        arguments: of `gs rename`, where one rule says the pairs; else empty, and a file of pairs is needed.
        by_order: the pairs rest on an order; two equal layers in another order would be exchanged.
        left: what is looked for and has no pair.
        transposed: what would have a pair, if its dimensions came in another order: (name, wanted name).
    """

    why: str
    pairs: dict[str, str]
    arguments: list[str] = field(default_factory=list)
    by_order: bool = False
    left: list[str] = field(default_factory=list)
    transposed: list[tuple[str, str]] = field(default_factory=list)


def propose(
    wanted: Sequence[RestoreName], stored: Sequence[RestoreName], fixed: Iterable[str] = ()
) -> list[RenameProposal]:
    """Return what may be meant, the most trusted kind only; several are equally good.

    Args:
        wanted: what is looked for and not found.
        stored: what there is and nobody looks for.
        fixed: names that are found as they are; no rule may change them.
    """
    if not wanted or not stored:
        return []
    names = list(fixed)
    rules = [*_by_prefix(wanted, stored, names), *_by_suffix(wanted, stored, names)]
    called = _by_called(wanted, stored)
    whole = [one for one in rules if not one.left] or [one for one in called if not one.left]
    if whole:
        return whole[:_MOST]
    part = [*rules, *called]
    joined = [_joined(one, wanted, stored, names) for one in part[:_MOST]]
    for found in (
        [one for one in joined if not one.left][:1],
        _by_kind(wanted, stored),
        _by_order(wanted, stored),
        joined if len(rules) > 1 else joined[:1],
    ):
        if found:
            return found[:_MOST]
    return []


def _joined(
    first: RenameProposal, wanted: Sequence[RestoreName], stored: Sequence[RestoreName], fixed: Sequence[str]
) -> RenameProposal:
    """Let what a proposal leaves be explained by another rule, as where a model and its optimizer have new names."""
    left = [one for one in wanted if one.name in first.left]
    rest = [one for one in stored if one.name not in first.pairs]
    # What the first rule has paired stays as it makes it.
    found = propose(left, rest, [*fixed, *first.pairs])
    if not left or len(found) != 1 or found[0].by_order:
        return first
    other = found[0]
    # Rules apply one after the other; scopes are pairs, which apply at once.
    are_scopes = all(one.arguments and one.arguments[0].endswith("/") for one in (first, other))
    return RenameProposal(
        first.why if first.why == other.why else f"{first.why}, then {other.why}",
        {**first.pairs, **other.pairs},
        [*first.arguments, *other.arguments] if are_scopes else [],
        left=other.left,
        transposed=[*first.transposed, *other.transposed],
    )


def fits(one: RestoreName, other: RestoreName) -> bool:
    """Say whether a value can be assigned to a variable: TensorFlow compares dtype and shape."""
    same_type = one.dtype is None or other.dtype is None or one.dtype.base is other.dtype.base
    return same_type and one.shape.is_compatible_with(other.shape)


def is_transposed(one: RestoreName, other: RestoreName) -> bool:
    """Say whether the shapes have the same dimensions in another order."""
    own, theirs = one.shape.dims or (), other.shape.dims or ()
    is_known = one.shape.is_static and other.shape.is_static
    return is_known and own != theirs and sorted(map(str, own)) == sorted(map(str, theirs))


# -- names of variables ----------------------------------------------------------------------------------


def _by_called(wanted: Sequence[RestoreName], stored: Sequence[RestoreName]) -> list[RenameProposal]:
    for respell in (str, _without_counter):
        ours, theirs = _unique(wanted, respell), _unique(stored, respell)
        both = [(theirs[name], ours[name]) for name in ours if name in theirs]
        pairs = {one.name: other.name for one, other in both if fits(one, other) and one.name != other.name}
        # A few equal names among many are those that every program has.
        if len(pairs) >= max(1, _LEAST_PART * len(wanted)):
            why = "the program calls them the same"
            return [_finished(why, pairs, wanted, transposed=[pair for pair in both if is_transposed(*pair)])]
    return []


def _without_counter(name: str) -> str:
    """Return a name without what Keras counts in its first part: the models that the process had made before."""
    return re.sub(r"^([^/]+?)_\d+/", r"\1/", name)


def _unique(side: Sequence[RestoreName], respell: Callable[[str], str]) -> dict[str, RestoreName]:
    counts = Counter(respell(one.called) for one in side if one.called)
    return {respell(one.called): one for one in side if one.called and counts[respell(one.called)] == 1}


def _by_kind(wanted: Sequence[RestoreName], stored: Sequence[RestoreName]) -> list[RenameProposal]:
    """Pair what stands in the same scope under words of one meaning, such as `weights` and `kernel`; all or nothing."""
    by_kind = Counter(_kind(one.name) for one in stored)
    ours = {_kind(one.name): one for one in wanted}
    both = [(one, ours[_kind(one.name)]) for one in stored if _kind(one.name) in ours and by_kind[_kind(one.name)] == 1]
    pairs = {one.name: other.name for one, other in both if fits(one, other)}
    transposed = [pair for pair in both if is_transposed(*pair)]
    if len(ours) < len(wanted) or not pairs or len(pairs) + len(transposed) < len(wanted):
        return []
    return [_finished("the same layers, whose weights go by other words", pairs, wanted, transposed=transposed)]


def _kind(name: str) -> str:
    scope, slash, last = name.rpartition("/")
    return scope + slash + _KINDS.get(last, last)


# -- one rule ------------------------------------------------------------------------------------------


def _by_prefix(
    wanted: Sequence[RestoreName], stored: Sequence[RestoreName], fixed: Sequence[str]
) -> list[RenameProposal]:
    def rules(one: RestoreName, other: RestoreName) -> Iterable[Rule]:
        old, new = one.name.split("/"), other.name.split("/")
        end = 0
        while end < min(len(old), len(new)) and old[-1 - end] == new[-1 - end]:
            end += 1
        return [(_scope(old[: len(old) - end]), _scope(new[: len(new) - end]))] if end else []

    def apply(rule: Rule, name: str) -> str:
        return rule[1] + name[len(rule[0]) :] if name.startswith(rule[0]) else name

    def arguments(rule: Rule) -> list[str]:
        old, new = rule
        if not old:
            return ["--prefix", new]
        return [f"{old}={new}"] if new else ["--strip-prefix", old]

    return _by_rule("a prefix", wanted, stored, fixed, rules, apply, arguments)


def _scope(parts: Sequence[str]) -> str:
    return "".join(f"{part}/" for part in parts)


def _by_suffix(
    wanted: Sequence[RestoreName], stored: Sequence[RestoreName], fixed: Sequence[str]
) -> list[RenameProposal]:
    def rules(one: RestoreName, other: RestoreName) -> Iterable[Rule]:
        old, new = one.name, other.name
        longer = max(old, new, key=len)[min(len(old), len(new)) :]
        if old.startswith(new) or new.startswith(old):
            return [(old[len(new) :], new[len(old) :])] if not longer[:1].isalnum() else []
        scope, own = old.rpartition("/")[0], new.rpartition("/")[0]
        return [(old[len(scope) :], new[len(scope) :])] if scope and scope == own else []

    def apply(rule: Rule, name: str) -> str:
        return name[: len(name) - len(rule[0])] + rule[1] if name.endswith(rule[0]) else name

    def arguments(rule: Rule) -> list[str]:
        old, new = rule
        # What is put behind every name would be put behind slots and counters too.
        return ["--regex", f"s|{re.escape(old)}$|{new}|"] if old and not set("|\\") & set(old + new) else []

    return _by_rule("a suffix", wanted, stored, fixed, rules, apply, arguments)


def _by_rule(
    why: str,
    wanted: Sequence[RestoreName],
    stored: Sequence[RestoreName],
    fixed: Sequence[str],
    rules: Callable[[RestoreName, RestoreName], Iterable[Rule]],
    apply: Callable[[Rule, str], str],
    arguments: Callable[[Rule], list[str]],
) -> list[RenameProposal]:
    """Return the rules that explain most of what is missing, if that is much and no name that is found would change."""
    by_shape: dict[object, list[RestoreName]] = defaultdict(list)
    for one in stored:
        by_shape[one.shape.dims].append(one)
    counts: Counter[Rule] = Counter()
    for other in wanted:
        alike = by_shape[other.shape.dims] if other.shape.is_static else stored
        counts.update({rule for one in alike for rule in rules(one, other) if rule[0] != rule[1]})
    best = max(counts.values(), default=0)
    needed = len(wanted) if len(wanted) < 2 else max(2, _LEAST_PART * len(wanted))
    found = []
    for rule, count in counts.items():
        if count == best >= needed:
            pairs, transposed = _paired(wanted, stored, lambda name, rule=rule: apply(rule, name))  # type: ignore[misc]
            others = [one.name for one in stored if one.name not in pairs and not one.is_slot] if not rule[0] else []
            is_free = all(apply(rule, name) == name for name in (*fixed, *others))
            found.append(_finished(why, pairs, wanted, arguments(rule) if is_free else [], transposed=transposed))
    return found


def _paired(
    wanted: Sequence[RestoreName], stored: Sequence[RestoreName], respell: Callable[[str], str]
) -> tuple[dict[str, str], list[tuple[RestoreName, RestoreName]]]:
    by_name = {one.name: one for one in wanted}
    both = [(one, by_name[respell(one.name)]) for one in stored if respell(one.name) in by_name]
    pairs = {one.name: other.name for one, other in both if fits(one, other)}
    return pairs, [pair for pair in both if is_transposed(*pair)]


# -- an order ------------------------------------------------------------------------------------------


def _by_order(wanted: Sequence[RestoreName], stored: Sequence[RestoreName]) -> list[RenameProposal]:
    ours, theirs = _layers(wanted), _layers([one for one in stored if not one.is_slot and one.shape.rank])
    if ours is None or theirs is None:
        return []
    part_of = _parts(layer for sequence in theirs.values() for layer in sequence)
    parts = [part for part, count in Counter(part_of.values()).items() if count > 1]
    for count in range(_MOST_PARTS + 1):
        found: dict[tuple[str, ...], dict[str, str]] = {}
        for gone in combinations(parts, count):
            rest = {
                kinds: [layer for layer in sequence if part_of[_any_name(layer)] not in gone]
                for kinds, sequence in theirs.items()
            }
            pairs = _in_order(ours, rest, len(wanted))
            if pairs:
                found[gone] = pairs
        if found:
            # Several ways to leave out as much are several meanings.
            return [_ordered(*one, wanted) for one in found.items()] if len(found) == 1 else []
    return []


def _ordered(gone: tuple[str, ...], pairs: dict[str, str], wanted: Sequence[RestoreName]) -> RenameProposal:
    without = f", without {' and '.join(gone)}" if gone else ""
    why = f"all layers of each kind in their order{without}, every shape equal"
    return _finished(why, {old: new for old, new in pairs.items() if old != new}, wanted, by_order=True)


def _in_order(
    ours: Mapping[tuple[str, ...], _Layers], theirs: Mapping[tuple[str, ...], _Layers], count: int
) -> dict[str, str]:
    """Pair the layers of each kind of which there are as many, in their order.

    Returns:
        Pairs of names; nothing if these are few of what is looked for, or a shape differs before the last layers.
    """
    pairs: dict[str, str] = {}
    for kinds, sequence in ours.items():
        both = list(zip(sequence, theirs.get(kinds, []), strict=False))
        if len(sequence) == len(theirs.get(kinds, [])) and all(
            fits(twin[kind], layer[kind]) for layer, twin in both for kind in kinds
        ):
            pairs |= {twin[kind].name: layer[kind].name for layer, twin in both for kind in kinds}
    changed = [old for old, new in pairs.items() if old != new]
    return pairs if len(changed) > 1 and len(pairs) >= _ORDERED_PART * count else {}


def _parts(layers: Iterable[Mapping[str, RestoreName]]) -> dict[str, str]:
    """Return which part of the network each layer is of, by a name in it: the scope where all begin to differ."""
    scopes = {name: name.split("/")[:-1] for name in map(_any_name, layers)}
    depth = 0
    while (
        scopes
        and all(len(scope) > depth + 1 for scope in scopes.values())
        and len({scope[depth] for scope in scopes.values()}) == 1
    ):
        depth += 1
    return {name: "/".join(scope[: depth + 1]) + "/" for name, scope in scopes.items()}


def _any_name(layer: Mapping[str, RestoreName]) -> str:
    return next(iter(layer.values())).name


def _layers(side: Sequence[RestoreName]) -> dict[tuple[str, ...], list[dict[str, RestoreName]]] | None:
    """Return the layers of each kind (the kinds of what they hold) in natural order; None where one holds a kind twice.

    Names of variables count up as layers are made; paths of objects need not.
    """
    use_called = all(one.called for one in side)
    scopes: dict[str, dict[str, RestoreName]] = {}
    for one in side:
        scope, _, last = (one.called if use_called else one.name).removesuffix(":0").rpartition("/")
        kind = _KINDS.get(last, last)
        if scopes.setdefault(scope, {}).setdefault(kind, one) is not one:
            return None
    found: dict[tuple[str, ...], list[dict[str, RestoreName]]] = {}
    for scope in sorted(scopes, key=natural):
        found.setdefault(tuple(sorted(scopes[scope])), []).append(scopes[scope])
    return found


def _finished(
    why: str,
    pairs: Mapping[str, str],
    wanted: Sequence[RestoreName],
    arguments: Sequence[str] = (),
    *,
    by_order: bool = False,
    transposed: Sequence[tuple[RestoreName, RestoreName]] = (),
) -> RenameProposal:
    reached = set(pairs.values())
    told = [(one.name, other.name) for one, other in transposed]
    left = [one.name for one in wanted if one.name not in reached and one.name not in {new for _, new in told}]
    return RenameProposal(why, dict(pairs), list(arguments), by_order, left, told)
