"""Patterns as closures: each takes a value, the call that leads to it and what is bound, and yields what is then bound.

Bindings are never changed, so an alternative that fails leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple, TypeAlias

from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.shape_pattern import shape_matcher
from graphsurgeon.patterns import routes
from graphsurgeon.patterns.conditions import attr_test, literal_test
from graphsurgeon.patterns.op_names import OpSet, check_names
from graphsurgeon.patterns.subject import Bound, CallAround, Subject
from graphsurgeon.patterns.syntax import (
    Either,
    Known,
    Literal,
    OneVariable,
    Op,
    Optional,
    Pattern,
    Rest,
    Rule,
    Through,
    TypeTest,
    names_in,
    parts_of,
)

# Over 298 real models and 50 patterns the most that one root took was 18; what needs so many has no honest answer.
MOST_STEPS = 20_000
MOST_THROUGH = 8  # ops of a `through`, one behind the other


class Overrun(Exception):  # noqa: N818  # no error: the root is undecided
    """A root took too many steps."""


class Env(NamedTuple):
    """What is bound so far.

    Attributes:
        names: name -> value, or list of values.
        nodes: nodes of op patterns, inner ones first.
        between: nodes gone through.
        once: values that nothing outside the match may read.
        roots: the values of the root patterns.
        made: the output that the last op pattern matched, with its call; None where another pattern did.
    """

    names: dict[str, Bound | list[Bound]]
    nodes: tuple[Node, ...] = ()
    between: tuple[Node, ...] = ()
    once: tuple[Value, ...] = ()
    roots: tuple[Value, ...] = ()
    made: tuple[Value, CallAround | None] | None = None


Match: TypeAlias = Callable[[Value, "CallAround | None", Env], Iterator[Env]]
_Key: TypeAlias = "tuple[Value, CallAround | None]"


class Compiled:
    """The patterns of a rule, ready to be tried.

    Attributes:
        steps: nodes that were held against the pattern of an op, at the root that is tried.
        most_steps: the most that one root took.
    """

    def __init__(self, rule: Rule, subject: Subject) -> None:
        self.rule = rule
        self.subject = subject
        self.steps = 0
        self.most_steps = 0
        self._memos: list[dict[_Key, Env | None]] = []
        self.routes = [routes.routes_of(root) for root in rule.roots]

    @cached_property
    def roots(self) -> list[Match]:
        """The closures of the roots, made when the first node is tried: most rules find none in most graphs."""
        bound: set[str] = set()
        found: list[Match] = []
        for root in self.rule.roots:
            found.append(self._compile(root, bound))
            bound |= set(names_in(root))
        return found

    def begin(self) -> None:
        """Start counting anew, at another root."""
        self.most_steps = max(self.steps, self.most_steps)
        self.steps = 0

    def forget(self) -> None:
        """Forget what failed: the graph has changed."""
        for memo in self._memos:
            memo.clear()

    def roots_by_graph(self, graphs: Sequence[Graph]) -> dict[Graph, list[Node]]:
        """Return the nodes that can be the first root."""
        found: dict[Graph, dict[Node, None]] = {graph: {} for graph in graphs}
        for node in routes.starts(self.subject, self.routes[0], graphs):
            if node.graph in found:
                found[node.graph][node] = None
        return {graph: list(nodes) for graph, nodes in found.items()}

    def roots_above(self, touched: Sequence[Node]) -> list[Node]:
        """Return the nodes that can be the first root of a match with one of some nodes in it."""
        return routes.above(self.subject, self.routes[0], touched)

    def search(self, node: Node, call: CallAround | None) -> Iterator[Env]:
        """Yield the ways in which a node is the first root of a match."""
        for port in self._ports(self.rule.roots[0], node):
            value = node.output(port)
            for env in self.roots[0](value, call, Env({})):
                if env.nodes and env.nodes[-1] is node:
                    yield from self._further(1, env._replace(roots=(value,)))

    def _further(self, number: int, env: Env) -> Iterator[Env]:
        if number == len(self.roots):
            yield env
            return
        pattern = self.rule.roots[number]
        for node in self._near(number, env):
            for port in self._ports(pattern, node):
                value = node.output(port)
                for after in self.roots[number](value, self.subject.around(node.graph), env):
                    if after.nodes[-1] is node and value not in env.roots:
                        yield from self._further(number + 1, after._replace(roots=(*after.roots, value)))

    def _ports(self, pattern: Pattern, node: Node) -> list[int]:
        """Return the outputs of a node that a root pattern can mean."""
        said = _said_ports(pattern, node.op)
        ports = [port for port in said if self.subject.has_output(node, port)]
        if not ports and 0 in said and not self.rule.builds and not node.outputs:
            return [0]  # yields nothing: it is found, though nothing could take its place
        return ports

    def _near(self, number: int, env: Env) -> list[Node]:
        """Return the nodes that can be a further root: those above what is bound already."""
        names = set(names_in(self.rule.roots[number]))
        graph = env.roots[0].graph
        starts: dict[Node, None] = {}
        for name, bound in env.names.items():
            if name in names and isinstance(bound, Bound):
                starts.update(dict.fromkeys(routes.readers(self.subject, bound.value)))
                starts.update(dict.fromkeys(routes.readers(self.subject, self.subject.origin(bound.value, None)[0])))
        return [node for node in routes.above(self.subject, self.routes[number], list(starts)) if node.graph is graph]

    # -- compiling -------------------------------------------------------------------------------------

    def _compile(self, pattern: Pattern, bound: set[str]) -> Match:
        """Return the closure of a pattern, for use where some names may be bound already."""
        inner = self._core(pattern, bound)
        tested = self._with_tests(pattern, inner)
        own = set(names_in(pattern))
        if not isinstance(pattern, Op | Either | Through) or own & bound:
            return tested
        is_pure = not own and not any(part.once for part in _all_parts(pattern))
        return self._remembering(tested, is_pure=is_pure)

    def _core(self, pattern: Pattern, bound: set[str]) -> Match:
        if isinstance(pattern, Op):
            return self._op(pattern, bound)
        if isinstance(pattern, Either):
            return _either([self._compile(option, bound) for option in pattern.options])
        if isinstance(pattern, Literal):
            return self._literal(pattern)
        if isinstance(pattern, Known):
            return self._known(pattern)
        if isinstance(pattern, OneVariable):
            return self._variable
        if isinstance(pattern, Through):
            return self._through(pattern, bound)
        return _anything

    def _with_tests(self, pattern: Pattern, inner: Match) -> Match:
        """Add what a pattern says beside its form: a type, a predicate, a name, `once`."""
        checks = self._checks(pattern)
        name, once, is_node, subject = (
            pattern.name,
            pattern.once,
            isinstance(pattern, Op | Either | OneVariable),
            self.subject,
        )
        if not checks and name is None and not once:
            return inner

        def match(value: Value, call: CallAround | None, env: Env) -> Iterator[Env]:
            for after in inner(value, call, env):
                # What an op pattern stands for is the node's output, not what hands it on.
                made, place = after.made if is_node and after.made is not None else (value, call)
                if not all(check(made, place) for check in checks):
                    continue
                if once:
                    after = after._replace(once=(*after.once, made))
                if name is None:
                    yield after
                    continue
                bound = _bind(after, name, Bound(subject, made, place))
                if bound is not None:
                    yield bound

        return match

    def _checks(self, pattern: Pattern) -> list[Callable[[Value, CallAround | None], bool]]:
        checks: list[Callable[[Value, CallAround | None], bool]] = []
        subject, test = self.subject, pattern.test
        if pattern.type is not None:
            checks.append(self._type(pattern.type, is_constant=isinstance(pattern, Known | Literal)))
        if test is not None:
            checks.append(lambda value, call: bool(test(Bound(subject, value, call))))
        return checks

    def _type(self, test: TypeTest, *, is_constant: bool) -> Callable[[Value, CallAround | None], bool]:
        subject, dtypes = self.subject, frozenset(test.dtypes)
        matches = shape_matcher(test.shape) if test.shape is not None else None

        def check(value: Value, call: CallAround | None) -> bool:
            tensor = subject.constant(value, call) if is_constant else None
            dtype = tensor.dtype if tensor is not None else subject.dtype(value)
            if dtypes and (dtype is None or dtype.base not in dtypes):
                return False
            return matches is None or matches(tensor.shape if tensor is not None else subject.shape(value))

        return check

    def _remembering(self, inner: Match, *, is_pure: bool) -> Match:
        """Try a pattern that depends on nothing bound once for each value; without names one way is enough."""
        memo: dict[_Key, Env | None] = {}
        self._memos.append(memo)

        def match(value: Value, call: CallAround | None, env: Env) -> Iterator[Env]:
            key = (value, call)
            if key in memo:
                known = memo[key]
                if known is not None:
                    nodes, between = env.nodes + known.nodes, env.between + known.between
                    yield env._replace(nodes=nodes, between=between, made=known.made)
                return
            fails = True
            for after in inner(value, call, env):
                fails = False
                if is_pure:
                    nodes, between = after.nodes[len(env.nodes) :], after.between[len(env.between) :]
                    memo[key] = Env({}, nodes, between, made=after.made)
                yield after
                if is_pure:
                    return
            if fails:
                memo[key] = None

        return match

    def _op(self, pattern: Op, bound: set[str]) -> Match:
        subject = self.subject
        ops, port = OpSet(pattern.ops), pattern.port
        attrs = attr_test(pattern.attrs, subject.vocabulary(subject.metagraph.graph))
        arguments = self._arguments(pattern, bound)

        def match(value: Value, call: CallAround | None, env: Env) -> Iterator[Env]:
            between = env.between
            for made, place in subject.way(value, call):
                node = made.producer
                if node is None:
                    continue
                if node.op in ops and subject.port(made) == port and (attrs is None or attrs(node)):
                    self.steps += 1
                    if self.steps > MOST_STEPS:
                        raise Overrun
                    start = env if between is env.between else env._replace(between=between)
                    for names, nodes, gone, once, roots, _ in arguments(node, place, start):
                        # By position: `_replace` takes half of the time of a search.
                        yield Env(names, (*nodes, node), gone, once, roots, (made, place))
                between = (*between, node)

        return match

    def _arguments(self, pattern: Op, bound: set[str]) -> Callable[[Node, CallAround | None, Env], Iterator[Env]]:
        matchers: list[Match] = []
        known = set(bound)
        rest: int | None = None
        rest_name: str | None = None
        required = 0
        for position, arg in enumerate(pattern.args):
            if isinstance(arg, Rest):
                rest, rest_name = position, arg.name
                known |= {arg.name} if arg.name else set()
                continue
            inner = arg.pattern if isinstance(arg, Optional) else arg
            matchers.append(self._compile(inner, known))
            required += not isinstance(arg, Optional)
            known |= set(names_in(inner))
        if rest is not None:
            return self._with_rest(matchers, rest, rest_name)
        return self._fixed(pattern, matchers, required)

    def _fixed(
        self, pattern: Op, matchers: list[Match], required: int
    ) -> Callable[[Node, CallAround | None, Env], Iterator[Env]]:
        commutes = self.subject.vocabulary(self.subject.metagraph.graph).commutes
        may_swap = len(matchers) == 2 and required == 2 and not pattern.is_ordered
        most = len(matchers)

        def match(node: Node, call: CallAround | None, env: Env) -> Iterator[Env]:
            inputs = node.inputs
            while len(inputs) > required and inputs[-1].is_absent:
                inputs = inputs[:-1]
            if not required <= len(inputs) <= most:
                return
            yield from _all(matchers[: len(inputs)], inputs, call, env)
            if may_swap and inputs[0] is not inputs[1] and commutes(node):
                yield from _all(matchers, inputs[::-1], call, env)

        return match

    def _with_rest(
        self, matchers: list[Match], rest: int, name: str | None
    ) -> Callable[[Node, CallAround | None, Env], Iterator[Env]]:
        subject = self.subject
        behind = len(matchers) - rest

        def match(node: Node, call: CallAround | None, env: Env) -> Iterator[Env]:
            inputs = node.inputs
            if len(inputs) < len(matchers):
                return
            cut = len(inputs) - behind
            for after in _all(matchers, [*inputs[:rest], *inputs[cut:]], call, env):
                if name is None:
                    yield after
                    continue
                new = [Bound(subject, value, call) for value in inputs[rest:cut]]
                known = after.names.get(name)
                if known is None:
                    yield after._replace(names={**after.names, name: new})
                elif isinstance(known, list) and len(known) == len(new) and all(map(subject.is_same, known, new)):
                    yield after

        return match

    def _through(self, pattern: Through, bound: set[str]) -> Match:
        subject, ops = self.subject, OpSet(pattern.ops)
        inner = self._compile(pattern.inner, bound)

        def match(value: Value, call: CallAround | None, env: Env, left: int = MOST_THROUGH) -> Iterator[Env]:
            for after in inner(value, call, env):
                yield after._replace(made=None)
            between = env.between
            for made, place in subject.way(value, call) if left else ():
                node = made.producer
                if node is None:
                    continue
                if node.op in ops:
                    self.steps += 1
                    if self.steps > MOST_STEPS:
                        raise Overrun
                    for given in node.inputs:
                        for after in match(given, place, env._replace(between=between), left - 1):
                            yield after._replace(nodes=(*after.nodes, node))
                between = (*between, node)

        return match

    def _variable(self, value: Value, call: CallAround | None, env: Env) -> Iterator[Env]:
        found = self.subject.variable(value, call)
        if found is not None:
            yield env._replace(made=found)

    def _literal(self, pattern: Literal) -> Match:
        subject, test = self.subject, literal_test(pattern)

        def match(value: Value, call: CallAround | None, env: Env) -> Iterator[Env]:
            tensor = subject.constant(value, call)
            items = subject.items(tensor) if tensor is not None else None
            if tensor is not None and items is not None and test(tensor, items):
                yield env._replace(made=None)

        return match

    def _known(self, pattern: Known) -> Match:
        subject = self.subject
        test = subject.is_weight if pattern.variables else None

        def match(value: Value, call: CallAround | None, env: Env) -> Iterator[Env]:
            if test(value, call) if test is not None else subject.constant(value, call) is not None:
                yield env._replace(made=None)

        return match


def compile_rule(rule: Rule, subject: Subject) -> Compiled:
    """Return the patterns of a rule, ready to be tried.

    Raises:
        PatternError: the rule names an op or attribute that there is not.
    """
    check_names(rule, subject)
    return Compiled(rule, subject)


def _bind(env: Env, name: str, new: Bound) -> Env | None:
    """Return what is bound with one more name; None if the name stands for another value already."""
    known = env.names.get(name)
    if known is None:
        return Env({**env.names, name: new}, *env[1:])
    return env if isinstance(known, Bound) and new.subject.is_same(known, new) else None


def _anything(value: Value, call: CallAround | None, env: Env) -> Iterator[Env]:
    if not value.is_absent:
        yield env if env.made is None else env._replace(made=None)


def _either(options: Sequence[Match]) -> Match:
    def match(value: Value, call: CallAround | None, env: Env) -> Iterator[Env]:
        for option in options:
            yield from option(value, call, env)

    return match


def _all(matchers: Sequence[Match], values: Sequence[Value], call: CallAround | None, env: Env) -> Iterator[Env]:
    """Yield the ways in which each value matches its pattern, the first ones bound for those behind."""
    count = len(matchers)
    if not count:
        yield env
        return
    open_ones = [matchers[0](values[0], call, env)]
    while open_ones:
        after = next(open_ones[-1], None)
        if after is None:
            open_ones.pop()
        elif len(open_ones) == count:
            yield after
        else:
            position = len(open_ones)
            open_ones.append(matchers[position](values[position], call, after))


def _said_ports(pattern: Pattern, op: str) -> list[int]:
    if isinstance(pattern, Op):
        return [pattern.port] if op in OpSet(pattern.ops) else []
    return sorted({port for option in parts_of(pattern) for port in _said_ports(option, op)})


def _all_parts(pattern: Pattern) -> Iterator[Pattern]:
    yield pattern
    for part in parts_of(pattern):
        yield from _all_parts(part)
