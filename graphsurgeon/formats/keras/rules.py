"""Which release of Keras refuses what, as data: `formats/schema/keras_rules.tsv`."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Literal, NamedTuple

from graphsurgeon.formats import schema

Target = Literal["keras-3", "keras-2", "tf-2.2", "tf-1.15"]
TARGETS: tuple[Target, ...] = ("keras-3", "keras-2", "tf-2.2", "tf-1.15")  # newest first
# What an older release refuses is refused by those before it too.
_INCLUDED: dict[str, tuple[str, ...]] = {
    "keras-3": ("keras-3",),
    "keras-2": ("keras-2",),
    "tf-2.2": ("keras-2", "tf-2.2"),
    "tf-1.15": ("keras-2", "tf-2.2", "tf-1.15"),
}


class ReleaseRule(NamedTuple):
    """One line of the table.

    Attributes:
        classes: it is for; empty for every layer.
        keys: it is about; empty for the class itself.
        values: with which the key can be dropped without changing the model; None for any. Of "differs" those that
            mean something else in the release.
        do: "drop", "rename", "refuse" or "differs".
        new: the other name.
        since: the release that it comes from.
    """

    classes: frozenset[str]
    keys: tuple[str, ...]
    values: tuple[Any, ...] | None
    do: str
    new: str
    since: str


@cache
def rules_for(target: Target) -> tuple[ReleaseRule, ...]:
    """Return the rules of a release and of those whose files it must not get either."""
    found = []
    for line in schema.field_table("keras_rules.tsv").splitlines():
        if line and not line.startswith("#"):
            of, classes, keys, values, do, new, since = line.split("\t")
            if of in _INCLUDED[target]:
                accepted = (
                    None
                    if values in ("any", "")
                    else tuple(json.loads(value.lstrip("!")) for value in values.split("|"))
                )
                names = frozenset() if classes == "*" else frozenset(classes.split(","))
                found.append(ReleaseRule(names, tuple(filter(None, keys.split(","))), accepted, do, new, since))
    return tuple(found)
