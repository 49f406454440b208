"""A pattern language for graphs: what is found, and what takes its place. `docs/patterns.md` has the grammar.

`syntax` is what a pattern is, `parser` and `builders` make one of text and of Python, `match` finds it in a `subject`.
"""

from graphsurgeon.patterns.builders import (
    P,
    anything,
    capture,
    constant,
    either,
    find_rule,
    number,
    ops,
    rest,
    rule,
    through,
    variable,
    weight,
)
from graphsurgeon.patterns.rule_parser import parse_pattern, parse_rule, parse_rules

__all__ = [
    "P",
    "anything",
    "capture",
    "constant",
    "either",
    "find_rule",
    "number",
    "ops",
    "parse_pattern",
    "parse_rule",
    "parse_rules",
    "rest",
    "rule",
    "through",
    "variable",
    "weight",
]
