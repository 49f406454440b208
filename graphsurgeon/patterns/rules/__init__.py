"""Rules that come with the package: a file for each name of `--rule`, read when it is asked for.

The first line of a file is a comment that says what it is for. Rules of a file are tried in their order. Those in
`finding/` put nothing in the place of what they find: a command does something else there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from graphsurgeon.errors import UsageError
from graphsurgeon.patterns.rule_parser import parse_rules
from graphsurgeon.patterns.syntax import Rule

_SUFFIX = ".rules"


@dataclass(frozen=True)
class RuleSet:
    """Rules under one name.

    Attributes:
        name: as `--rule` takes it.
        about: what they are for.
        rules: in the order in which they are tried.
    """

    name: str
    about: str
    rules: tuple[Rule, ...]

    @property
    def exactness(self) -> str:
        """How far numbers may differ afterwards: each answer of the rules once."""
        return "; ".join(dict.fromkeys(rule.exactness for rule in self.rules if rule.exactness))


def rule_names() -> list[str]:
    """Return the names of all rule sets, sorted."""
    return sorted(path.name.removesuffix(_SUFFIX) for path in Path(__file__).parent.glob(f"*{_SUFFIX}"))


@cache
def rule_set(name: str) -> RuleSet:
    """Return the rules of a name.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in rule_names():
        raise UsageError(f"there is no rule {name!r}", hint=_suggestion(name))
    text = Path(__file__).with_name(f"{name}{_SUFFIX}").read_text("utf-8")
    first = text.partition("\n")[0]
    return RuleSet(name, first.removeprefix("#").strip(), tuple(parse_rules(text)))


@cache
def finding_rules(name: str) -> tuple[Rule, ...]:
    """Return the rules of a file in `finding/`."""
    return tuple(parse_rules((Path(__file__).parent / "finding" / f"{name}{_SUFFIX}").read_text("utf-8")))


def _suggestion(name: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, rule_names(), n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else "gs replace --list-rules lists them"
