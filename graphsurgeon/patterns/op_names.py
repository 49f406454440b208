"""Names of ops in patterns: whether there are such ops, and whether a node has one of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from graphsurgeon.patterns.lexer import PatternError, error_at
from graphsurgeon.patterns.subject import Subject
from graphsurgeon.patterns.syntax import (
    Anything,
    Build,
    Known,
    OneVariable,
    Op,
    OpName,
    Pattern,
    Rule,
    Through,
    parts_of,
)
from graphsurgeon.patterns.vocabulary import Vocabulary, owner_of


class OpSet:
    """Some ops, by name or by how their names begin; `is_repeated` if any number of them may follow each other."""

    __slots__ = ("exact", "is_repeated", "prefixes")

    def __init__(self, names: Sequence[OpName], *, is_repeated: bool = False) -> None:
        self.is_repeated = is_repeated
        self.exact = frozenset(name.text for name in names if not name.is_glob)
        self.prefixes = tuple(name.text for name in names if name.is_glob)

    def __contains__(self, op: str) -> bool:
        return op in self.exact or (bool(self.prefixes) and op.startswith(self.prefixes))


def check_names(rule: Rule, subject: Subject) -> None:
    """Refuse ops and attributes that there are not, and captures that are called like an op.

    Raises:
        PatternError: with the place, and what may have been meant.
    """
    words = subject.vocabulary(subject.metagraph.graph)
    known = words.names()
    in_model = {op for graph in subject.metagraph.graphs for op in subject.ops(graph)}
    for pattern in (part for root in rule.roots for part in _all_parts(root)):
        if isinstance(pattern, Anything | Known | OneVariable) and (pattern.name in known or pattern.name in in_model):
            hint = f"write {pattern.name}(_) for its output, or take another name"
            raise error_at(rule.text, pattern.at, f"{pattern.name} is an op", hint=hint)
        if isinstance(pattern, Op | Through):
            for name in pattern.ops:
                _check_op(rule.text, name, words, in_model)
        if isinstance(pattern, Op):
            _check_attrs(rule.text, pattern, subject)


def check_build(rule: Rule, subject: Subject) -> None:
    """Refuse new nodes of ops that there are not, and roots that yield nothing whose place could be taken.

    Raises:
        PatternError: with the place, and what may have been meant.
    """
    words = subject.vocabulary(subject.metagraph.graph)
    in_model = {op for graph in subject.metagraph.graphs for op in subject.ops(graph)}
    for root in (part for one in rule.roots for part in _options(one)):
        definitions = [words.definition(name.text) for name in root.ops if not name.is_glob]
        if rule.builds and definitions and all(one is not None and not one.outputs for one in definitions):
            raise error_at(rule.text, root.at, f"{root.ops[0].text} yields nothing whose place could be taken")
    for build in (part for one in rule.builds for part in builds_in(one)):
        if build.kind == "op":
            _check_op(rule.text, OpName(build.op, at=build.at, is_quoted=bool(build.value)), words, in_model)


def builds_in(build: Build) -> Iterator[Build]:
    """Yield what is built, and all that it reads."""
    yield build
    for arg in build.args:
        yield from builds_in(arg)


def _options(root: Pattern) -> Iterator[Op]:
    if isinstance(root, Op):
        yield root
    else:
        for part in parts_of(root):
            yield from _options(part)


def _check_op(text: str, name: OpName, words: Vocabulary, in_model: Collection[str]) -> None:
    if name.is_quoted:
        return
    known = words.names()
    if name.is_glob:
        found = any(op.startswith(name.text) for op in (*known, *in_model))
    else:
        found = name.text in known or name.text in in_model
    if not found and (known or not in_model):
        raise _unknown(text, name, words, [*known, *in_model])
    if not found and not name.text.isupper() and not name.is_glob:
        raise _unknown(text, name, words, sorted(in_model))  # TFLite writes its ops in capitals


def _unknown(text: str, name: OpName, words: Vocabulary, known: Sequence[str]) -> PatternError:
    from difflib import get_close_matches

    other = owner_of(name.text)
    if other and other != words.title:
        hint = f"the model has ops of {words.title}, and the pattern is for those of {other}"
        return error_at(text, name.at, f"{name.text} is an op of {other}", hint=hint)
    lower = {op.lower(): op for op in known}
    near = [lower[op] for op in get_close_matches(name.text.lower(), lower, n=2, cutoff=0.6)]
    hint = f"did you mean {' or '.join(near)}?" if near else "an op that only the model has is written in quotes"
    return error_at(text, name.at, f"there is no op {name.text}{'*' if name.is_glob else ''}", hint=hint)


def _check_attrs(text: str, pattern: Op, subject: Subject) -> None:
    words = subject.vocabulary(subject.metagraph.graph)
    definitions = [words.definition(name.text) for name in pattern.ops if not name.is_glob]
    if not definitions or len(definitions) < len(pattern.ops) or None in definitions:
        return
    for test in pattern.attrs:
        known = {attr for definition in definitions if definition is not None for attr in definition.attrs}
        if test.name not in known and not test.name.startswith("_"):
            ops = "|".join(name.text for name in pattern.ops)
            listed = ", ".join(sorted(known)) or "it has none"
            raise error_at(text, test.at, f"{ops} has no attribute {test.name!r}", hint=listed)


def _all_parts(pattern: Pattern) -> Iterator[Pattern]:
    yield pattern
    for part in parts_of(pattern):
        yield from _all_parts(part)
