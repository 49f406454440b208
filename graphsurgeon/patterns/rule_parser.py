"""Rules from text: patterns, what is built in their places, and conditions."""

from __future__ import annotations

from dataclasses import replace

from graphsurgeon.errors import UsageError, plural
from graphsurgeon.patterns.expressions import FUNCTIONS
from graphsurgeon.patterns.lexer import PatternError
from graphsurgeon.patterns.parser import KEYWORDS, Reader, dtype_named
from graphsurgeon.patterns.syntax import Build, Expr, NewAttr, Op, Pattern, Rule, bound_surely, names_in, parts_of

MOST_RULES = 2_000  # of a file
_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">=", "in"})
_FIELDS = frozenset({"shape", "rank", "dtype", "size"})


def parse_pattern(text: str) -> Rule:
    """Return a rule that only finds, from `pattern & pattern where condition`.

    Raises:
        PatternError: the text is no pattern; its `excerpt` points at the place.
    """
    rule = parse_rule(text)
    if rule.builds:
        raise UsageError(f"{text!r} replaces", hint="gs replace does that")
    return rule


def parse_rule(text: str) -> Rule:
    """Return the rule that a text such as `Erfc(x) => Sub(1, Erf(x))` says.

    Raises:
        PatternError: the text is no rule; its `excerpt` points at the place.
    """
    reader = RuleReader(text)
    rule = reader.body(" ".join(text.split()), 0)
    if reader.token.kind != "end":
        raise reader.error(f"{reader.found()} is too much")
    return rule


def parse_rules(text: str) -> list[Rule]:
    """Return the rules of a file.

    Raises:
        PatternError: the text is none; its `excerpt` points at the place.
        UsageError: it holds too many rules.
    """
    reader = RuleReader(text)
    rules: list[Rule] = []
    while reader.token.kind != "end":
        if reader.accept("let"):
            reader.let()
        elif reader.is_sign("rule"):
            rules.append(reader.rule())
        else:
            raise reader.error(f"a file of rules has no {reader.found()} here", hint="`rule NAME: PATTERN => NEW;`")
        if len(rules) > MOST_RULES:
            raise UsageError(f"a file of more than {plural(MOST_RULES, 'rule')}")
    return rules


def with_replacement(name: str, roots: tuple[Pattern, ...], text: str) -> Rule:
    """Return the rule of patterns made in Python and a replacement as text, `where` conditions included.

    Raises:
        PatternError: the text is none; its `excerpt` points at the place.
    """
    reader = RuleReader(text)
    rule = reader.replacement(name, roots)
    if reader.token.kind != "end":
        raise reader.error(f"{reader.found()} is too much")
    return rule


class RuleReader(Reader):
    """Reads rules."""

    def let(self) -> None:
        """Read `NAME = pattern ;` and remember it."""
        at = self.token
        name = self.name("the name of a pattern")
        if name in self.lets:
            raise self.error(f"${name} is there already", at)
        self.expect("=", "behind the name of a pattern")
        self.lets[name] = self.pattern()
        self.expect(";", "behind a pattern")

    def rule(self) -> Rule:
        """Read `rule NAME "exact": body ;`."""
        at = self.take().at
        name = self.rule_name()
        exactness = str(self.take().value) if self.token.kind == "text" else ""
        self.expect(":", "behind the name of a rule")
        rule = self.body(name, at, exactness)
        self.expect(";", "behind a rule")
        return rule

    def rule_name(self) -> str:
        """Read the name of a rule, which may have hyphens."""
        name = self.name("the name of a rule")
        while self.is_sign("-") and self.peek().kind in ("name", "number"):
            self.take()
            name += "-" + self.take().text
        return name

    def body(self, name: str, at: int, exactness: str = "") -> Rule:
        """Read `roots [=> builds] [where conditions]`."""
        roots = self.roots()
        builds: tuple[Build, ...] = ()
        if self.accept("=>"):
            builds = self._builds(roots)
        return self._checked(Rule(name, roots, builds, exactness=exactness, text=self.text, at=at))

    def replacement(self, name: str, roots: tuple[Pattern, ...]) -> Rule:
        """Read `builds [where conditions]` for roots that are there already."""
        return self._checked(Rule(name, roots, self._builds(roots), text=self.text))

    def _checked(self, rule: Rule) -> Rule:
        lets, conditions = self._conditions() if self.accept("where") else ((), ())
        rule = replace(rule, lets=lets, conditions=conditions)
        _Checker(self, rule).check()
        return rule

    def _builds(self, roots: tuple[Pattern, ...]) -> tuple[Build, ...]:
        builds = [self.build()]
        while self.accept("&"):
            builds.append(self.build())
        if len(builds) != len(roots):
            raise self.error(f"{plural(len(roots), 'root')} cannot be replaced by {len(builds)}", builds[-1].at)
        return tuple(builds)

    def _conditions(self) -> tuple[tuple[tuple[str, Expr], ...], tuple[Expr, ...]]:
        lets, conditions = [], []
        while True:
            if self.token.kind == "name" and self.peek().text == "=":
                name = self.name("a name")
                self.take()
                lets.append((name, self.expr()))
            else:
                conditions.append(self.expr())
            if not self.accept(","):
                return tuple(lets), tuple(conditions)

    # -- what is built ---------------------------------------------------------------------------------

    def build(self) -> Build:
        """Read one replacement."""
        return self._nested(self._build)

    def _build(self) -> Build:
        token = self.token
        name = None
        if token.kind == "name" and self.peek().text == "=" and token.text not in KEYWORDS:
            name = self.take().text
            self.take()
            token = self.token
        if token.kind == "number" or self.is_sign("-"):
            return Build("number", self._number("a number"), name, at=token.at)
        if self.accept("{"):
            expr = self.expr()
            self.expect("}", "behind an expression")
            return Build("expr", expr, name, at=token.at)
        if token.kind == "text" or (token.kind == "name" and self.peek().text in ("(", "[")):
            return self._new_node(name)
        if token.kind != "name" or token.text in KEYWORDS or token.text == "_":
            raise self.error(f"a replacement is missing before {self.found()}")
        self.take()
        if self.accept("..."):
            return Build("rest", token.text, name, at=token.at)
        if self.accept("?"):
            return Build("value", token.text, name, is_optional=True, at=token.at)
        return Build("value", token.text, name, self._port(), at=token.at)

    def _port(self) -> int | None:
        if not self.is_sign(":") or self.peek().kind != "number":
            return None
        self.take()
        return int(self._number("an output"))

    def _new_node(self, name: str | None) -> Build:
        token = self.take()
        attrs = self._list("]", self._new_attr, "of attributes") if self.accept("[") else []
        self.expect("(", f"behind the op {token.text!r}")
        args = self._list(")", self.build, f"in {token.text}(")
        is_quoted = token.kind == "text"  # then there need not be such an op
        return Build("op", is_quoted, name, self._port(), str(token.value), tuple(attrs), tuple(args), at=token.at)

    def _new_attr(self) -> NewAttr:
        at = self.token.at
        if self.accept("*"):
            self.expect("=", "behind '*'")
            self.expect("@", "before the name of a node")
            return NewAttr("*", Expr("attr", self.name("the name of a node"), at=at), at)
        name = self.name("an attribute")
        self.expect("=", f"behind the attribute {name!r}")
        if self.accept("{"):
            expr = self.expr()
            self.expect("}", "behind an expression")
            return NewAttr(name, expr, at)
        if self.is_sign("@"):
            return NewAttr(name, self._atom(), at)
        return NewAttr(name, self._attr_value(), at)

    # -- expressions -----------------------------------------------------------------------------------

    def expr(self) -> Expr:
        """Read an expression."""
        return self._nested(lambda: self._binary(0))

    def _binary(self, level: int) -> Expr:
        if level == len(_LEVELS):
            return self._unary()
        if level == _NEGATED and self.is_sign("not"):
            token = self.take()
            return Expr("unary", "not", (self._nested(lambda: self._binary(level)),), token.at)
        left = self._binary(level + 1)
        count = 0
        while self.is_sign(*_LEVELS[level]):
            operator = self.take()
            left = Expr("binary", operator.text, (left, self._binary(level + 1)), operator.at)
            count += 1
            if count > 200:
                raise self.error("the expression is too long", operator)
        return left

    def _unary(self) -> Expr:
        token = self.token
        if self.accept("-"):
            return Expr("unary", "-", (self._nested(self._unary),), token.at)
        return self._postfix(self._atom())

    def _postfix(self, expr: Expr) -> Expr:
        while self.is_sign("[", "."):
            token = self.take()
            if token.text == ".":
                name = self.name("a property")
                if name not in _FIELDS:
                    raise self.error(f"a value has no {name!r}", token, hint="shape, rank, dtype or size")
                expr = Expr("field", name, (expr,), token.at)
            else:
                expr = self._indexed(expr, token.at)
        return expr

    def _indexed(self, expr: Expr, at: int) -> Expr:
        start = None if self.is_sign(":") else self.expr()
        if self.accept(":"):
            stop = None if self.is_sign("]") else self.expr()
            nothing = Expr("none")
            expr = Expr("slice", None, (expr, start or nothing, stop or nothing), at)
        else:
            assert start is not None
            expr = Expr("index", None, (expr, start), at)
        self.expect("]", "behind an index")
        return expr

    def _atom(self) -> Expr:
        token = self.take()
        if token.kind == "number":
            return Expr("number", token.value, at=token.at)
        if token.kind == "text":
            return Expr("text", token.value, at=token.at)
        if token.kind == "sign" and token.text == "(":
            inner = self.expr()
            self.expect(")", "behind an expression")
            return inner
        if token.kind == "sign" and token.text == "[":
            return Expr("list", None, tuple(self._list("]", self.expr, "of a list")), token.at)
        if token.kind == "sign" and token.text == "@":
            node = self.name("the name of a node")
            self.expect(".", "behind the name of a node")
            return Expr("attr", (node, self.name("an attribute")), at=token.at)
        if token.kind == "name" and token.text not in KEYWORDS:
            return self._call(token.text, token.at) if self.accept("(") else Expr("name", token.text, at=token.at)
        raise self.error(f"a value is missing before {token.text!r}" if token.text else "a value is missing", token)

    def _call(self, name: str, at: int) -> Expr:
        if name not in FUNCTIONS:
            raise self.error(f"there is no function {name!r}", at, hint=f"one of {', '.join(sorted(FUNCTIONS))}")
        return Expr("call", name, tuple(self._list(")", self.expr, f"in {name}(")), at)


_LEVELS: tuple[tuple[str, ...], ...] = (
    ("or",), ("and",), tuple(sorted(_COMPARISONS)), ("+", "-"), ("*", "/", "//", "%"),
)  # fmt: skip
_NEGATED = 2  # `not a == b` is `not (a == b)`


class _Checker:
    """Whether the right side of a rule and its conditions use only what the left side binds."""

    def __init__(self, reader: RuleReader, rule: Rule) -> None:
        self.reader = reader
        self.rule = rule
        self.surely = set[str]().union(*(bound_surely(root) for root in rule.roots))
        self.maybe = {name for root in rule.roots for name in names_in(root)}
        self.nodes = {part.name for root in rule.roots for part in _ops_in(root) if part.name is not None}

    def check(self) -> None:
        """Refuse what is not bound."""
        known = set(self.surely)
        for name, expr in self.rule.lets:
            self._expr(expr, known)
            if name in self.maybe:
                raise self.reader.error(f"{name!r} is bound by the pattern already", expr.at)
            known.add(name)
        for condition in self.rule.conditions:
            self._expr(condition, known)
        built: set[str] = set()
        for build in self.rule.builds:
            self._build(build, known, built)

    def _build(self, build: Build, known: set[str], built: set[str]) -> None:
        if build.kind in ("value", "rest") and build.value not in built:
            self._require(build.value, self.maybe if build.is_optional else self.surely, build.at)
        if build.kind == "expr":
            self._expr(build.value, known)
        for attr in build.attrs:
            if isinstance(attr.value, Expr):
                self._expr(attr.value, known)
        for arg in build.args:
            self._build(arg, known, built)
        if build.name is not None:
            built.add(build.name)

    def _expr(self, expr: Expr, known: set[str]) -> None:
        if expr.kind == "attr":
            node = expr.value if isinstance(expr.value, str) else expr.value[0]
            self._require(node, self.surely, expr.at)
            if node not in self.nodes:
                raise self.reader.error(f"{node!r} is no node", expr.at, hint=f"name it: {node}=Op(...)")
        if expr.kind == "name" and expr.value not in ("true", "false") and dtype_named(expr.value) is None:
            self._require(expr.value, known, expr.at)
        for part in expr.parts:
            self._expr(part, known)

    def _require(self, name: str, known: set[str], at: int) -> None:
        if name in known:
            return
        if name in self.maybe:
            raise self.reader.error(
                f"{name!r} is not bound by every alternative of the pattern", at, hint=f"or is optional: {name}?"
            )
        raise self.reader.error(f"the pattern binds no {name!r}", at)


def _ops_in(pattern: Pattern) -> list[Op]:
    found = [pattern] if isinstance(pattern, Op) else []
    for part in parts_of(pattern):
        found += _ops_in(part)
    return found


__all__ = ["PatternError", "RuleReader", "parse_pattern", "parse_rule", "parse_rules"]
