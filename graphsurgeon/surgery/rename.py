"""Rename nodes, scopes, functions, signatures, their keys, tags, variables: every mention follows.

Everything is checked before the first change: names that do not exist, illegal names, collisions, and
references that name nothing today but would be captured by a new name. What renaming nodes does not touch:
checkpoint keys (`what="variables"` does), arguments and results of functions, `frame_name`s, and a
`shared_name` (an empty one is filled with the old name first, since it stands for the node's name).
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from graphsurgeon.analysis.flow.restore_map import shared_name
from graphsurgeon.analysis.names import INTERNAL, NO_TAGS, choose_graphs, choose_metagraph, find_node, near_or_all
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.model.checkpoint import STATE_FILE
from graphsurgeon.model.graph import Graph, Node
from graphsurgeon.model.metagraph import MetaGraph, Signature
from graphsurgeon.model.model import Model
from graphsurgeon.ops import catalog
from graphsurgeon.surgery.moves import arguments
from graphsurgeon.surgery.moves.known_ops import is_tflite
from graphsurgeon.surgery.renaming.averages import exchange_averages
from graphsurgeon.surgery.renaming.signatures import rename_key, rename_signatures
from graphsurgeon.surgery.renaming.variables import rename_variables

What = Literal["nodes", "functions", "variables", "signatures", "keys", "tags", "state"]

LEGAL_NODE = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")  # node_def.proto; loaders refuse other names


@dataclass(frozen=True)
class RenameReport:
    """What was renamed.

    Attributes:
        what: which kind of names.
        renamed: (graph or place, old name, new name), in file order.
        notes: what was left alone and why.
    """

    what: str
    renamed: list[tuple[str, str, str]]
    notes: list[str] = field(default_factory=list)


@arguments.takes(names=arguments.pairs, regex=arguments.names, tags=arguments.names)
def rename(
    model: Model,
    names: Mapping[str, str] | None = None,
    *,
    what: What | None = None,
    regex: Sequence[str] = (),
    prefix: str = "",
    strip_prefix: str = "",
    ema: bool = False,
    graph: str | None = None,
    tags: Sequence[str] | None = None,
) -> RenameReport:
    """Rename by pairs and by rules; pairs win over rules, rules apply in the order regex, strip_prefix, prefix.

    Args:
        model: changed in place.
        names: old name -> new name; where both end in `/` everything in that scope. For keys
            `signature.key` -> new key; for tags old tag -> new tag, where the new tag `none` drops one and the old tag
            `none` stands for no tags.
        what: "nodes" by default, "variables" for a checkpoint; "state": let the file `checkpoint` in the folder of
            a checkpoint name what is there.
        regex: `s|PATTERN|REPLACEMENT|` with any delimiter: `re.sub` on the whole name, once per name.
        prefix: put before every name.
        strip_prefix: cut from every name that starts with it.
        ema: instead: weights and their moving averages change places; a second time puts them back.
        graph: limits nodes to one function or subgraph (glob); `main` is the main graph.
        tags: which MetaGraph of a SavedModel; variables are renamed in all of them. Tags need none where only one
            MetaGraph has what is renamed.

    Raises:
        UsageError: a name is unknown, illegal, taken, or would capture a dangling reference.
        UnsupportedError: this model has no such names.
    """
    if ema:
        if names or regex or prefix or strip_prefix or what not in (None, "variables"):
            raise UsageError("weights and their averages change places alone", hint="leave other names out")
        renamed, notes = exchange_averages(model)
        return RenameReport("variables", [("", old, new) for old, new in renamed], notes)
    if what is not None and what not in get_args(What):
        raise UsageError(f"there is no kind {what!r} of names", hint=f"what is one of {', '.join(get_args(What))}")
    kind = what or ("nodes" if model.metagraphs else "variables")
    rules = Rules(dict(names or {}), _rule(regex, strip_prefix, prefix))
    if kind == "state":
        return _mend_state(model, rules)
    if not rules.pairs and rules.rule is None:
        raise UsageError("nothing to rename", hint="give OLD=NEW pairs, --regex, --prefix or --strip-prefix")
    report = _rename(model, kind, rules, graph, tags)
    if not report.renamed:
        report.notes.append(f"none of the {kind} changes its name")
    return report


def _rename(model: Model, kind: What, rules: Rules, graph: str | None, tags: Sequence[str] | None) -> RenameReport:
    if kind == "variables":
        renamed, notes = rename_variables(model, rules.apply, rules.literal)
        return RenameReport(kind, [("", old, new) for old, new in renamed], notes)
    metagraph = _metagraph(model, kind, rules, tags)
    rules.elsewhere = lambda name: _elsewhere(metagraph, name, rules.pairs.get(name, "NEW"), kind)
    if kind == "nodes":
        return _rename_nodes(model, metagraph, rules, graph)
    return RenameReport(kind, _RENAMERS[kind](model, metagraph, rules))


def _mend_state(model: Model, rules: Rules) -> RenameReport:
    """Let the state file name what is there; the format writes it with the checkpoint."""
    checkpoint = model.checkpoint
    if checkpoint is None or model.traits.layout == "folder":
        raise UnsupportedError("only a checkpoint has a state file", hint="name the checkpoint in place of the graph")
    if rules.pairs or rules.rule is not None:
        raise UsageError("the state file names what is there, whatever that is called", hint="give no names")
    if checkpoint.state is None:
        raise UsageError("there is no file 'checkpoint' beside it", hint="one is written into a folder of its own")
    before, after = checkpoint.state, checkpoint.state.mended(checkpoint.prefix.rpartition("/")[2])
    checkpoint.state = after
    model.notes = [note for note in model.notes if not note.startswith(f"the file {STATE_FILE!r}")]
    old, new = [before.latest, *before.paths], {**before.wrong, before.latest: after.latest}
    renamed = [("", path, new.get(path) or "(gone)") for path in dict.fromkeys(old) if new.get(path, path) != path]
    return RenameReport("state", renamed, [] if renamed or before.problem else ["all that it names is there"])


def _metagraph(model: Model, kind: What, rules: Rules, tags: Sequence[str] | None) -> MetaGraph:
    """Return the MetaGraph that is meant: without `tags` also the only one that has the tags to be renamed."""
    if kind == "tags" and tags is None and rules.pairs:
        having = [one for one in model.metagraphs if set(rules.pairs) <= set(one.tags or [NO_TAGS])]
        if len(having) == 1:
            return having[0]
    return choose_metagraph(model, tags)


def _elsewhere(metagraph: MetaGraph, name: str, new: str, kind: What) -> str:
    """Say what a name is that was taken for one of another kind, and what renames it; empty if it is nothing."""
    public = [signature for signature in metagraph.signatures.values() if not signature.key.startswith(INTERNAL)]
    owners = [one.key for one in public if name in one.inputs or name in one.outputs]
    owners.sort(key="serving_default".__ne__)
    if owners:
        return f"it is a key of signature {owners[0]!r}: --what keys {shlex.quote(f'{owners[0]}.{name}={new}')}"
    dotted = [f"{one.key}.{key}" for one in public for key in (*one.inputs, *one.outputs)]
    found: dict[What, tuple[str, Iterable[str]]] = {
        "keys": ("key of a signature", dotted),
        "signatures": ("signature", [one.key for one in public]),
        "functions": ("function", metagraph.functions),
        "tags": ("tag", metagraph.tags or ()),
    }
    for other, (noun, names) in found.items():
        if other != kind and name in names:
            return f"it is a {noun}: --what {other} {shlex.quote(f'{name}={new}')}"
    return ""


class Rules:
    """Pairs of names and a rule for the others.

    Attributes:
        pairs: old -> new, literal.
        rule: applied to names that no pair covers; None without one.
        elsewhere: says, as a hint, what else a name is that is unknown here; empty if it is nothing.
    """

    def __init__(
        self,
        pairs: dict[str, str],
        rule: Callable[[str], str] | None,
        elsewhere: Callable[[str], str] = lambda name: "",
    ) -> None:
        self.pairs = pairs
        self.rule = rule
        self.elsewhere = elsewhere
        self.scopes = {old: new for old, new in pairs.items() if old.endswith("/") and new.endswith("/")}

    def apply(self, known: Iterable[str], noun: str) -> dict[str, str]:
        """Return old -> new for the names that change.

        Raises:
            UsageError: a pair's old name (or scope) is not among the known names.
        """
        names = list(known)
        unused = set(self.pairs)
        changed = {}
        for name in names:
            new = self._new(name, unused)
            if new != name:
                changed[name] = new
        if unused:
            missing = min(unused)
            hint = self.elsewhere(missing) or near_or_all(missing.rstrip("/"), names)
            raise UsageError(f"the model has no {noun} {missing!r}", hint=hint)
        return changed

    def literal(self, name: str) -> str:
        """Return what the pairs alone make of a name."""
        return Rules(self.pairs, None)._new(name, set())

    def _new(self, name: str, unused: set[str]) -> str:
        if name in self.pairs:
            unused.discard(name)
            return self.pairs[name]
        for old, new in self.scopes.items():
            if name.startswith(old):
                unused.discard(old)
                return new + name[len(old) :]
        return self.rule(name) if self.rule is not None else name


def check_collisions(taken: Iterable[str], changed: Mapping[str, str], where: str) -> None:
    """Refuse new names that are taken by something that keeps its name, or given twice.

    Raises:
        UsageError: with the list.
    """
    after = Counter(changed.get(name, name) for name in taken)
    new = set(changed.values())
    twice = sorted(name for name, count in after.items() if count > 1 and name in new)
    if twice:
        raise UsageError(f"{where}: {_some(twice)} would be there twice", hint="choose other new names")


def _rename_nodes(model: Model, metagraph: MetaGraph, rules: Rules, pattern: str | None) -> RenameReport:
    if is_tflite(model, metagraph, "rename"):
        return RenameReport("nodes", _rename_tensors(metagraph, rules, pattern))
    plan = _plan_nodes(metagraph, rules, pattern)
    for graph, changed in plan.items():
        _check_nodes(graph, changed)
    renamed = []
    for graph, changed in plan.items():
        for old, node in [(old, graph.node(old)) for old in changed]:
            if node is not None:
                fill_shared_name(node)
                renamed.append((graph.name, old, changed[old]))
        graph.rename({node: new for node in graph.nodes if (new := changed.get(old := node.name, old)) != old})
    notes = []
    if model.checkpoint is not None and any(_is_variable(name, model) for _, name, _ in renamed):
        notes.append("checkpoint keys keep their names; --what variables renames them too")
    return RenameReport("nodes", renamed, notes)


def _plan_nodes(metagraph: MetaGraph, rules: Rules, pattern: str | None) -> dict[Graph, dict[str, str]]:
    """Decide which node of which graph gets which name: a pair names one node, scopes and rules reach every graph."""
    plan: dict[Graph, dict[str, str]] = {}
    for old, new in rules.pairs.items():
        if old not in rules.scopes:
            node = _node(metagraph, rules, old, pattern)
            if new != old:
                plan.setdefault(node.graph, {})[node.name] = new
    wide = Rules(dict(rules.scopes), rules.rule)
    graphs = choose_graphs(metagraph, pattern)
    if wide.scopes:
        wide.apply([node.name for graph in graphs for node in graph.nodes], "scope")
    if wide.scopes or wide.rule is not None:
        for graph in graphs:
            named = {old for old in rules.pairs if old not in rules.scopes and old in plan.get(graph, {})}
            olds = [node.name for node in graph.nodes]
            unused: set[str] = set()
            changed = {old: new for old in olds if (new := wide._new(old, unused)) != old and old not in named}
            if changed:
                plan.setdefault(graph, {}).update(changed)
    return plan


def _node(metagraph: MetaGraph, rules: Rules, name: str, pattern: str | None) -> Node:
    try:
        return find_node(metagraph, name, graph=pattern)
    except UsageError as error:
        raise UsageError(error.message, hint=rules.elsewhere(name) or error.hint) from None


def _check_nodes(graph: Graph, changed: Mapping[str, str]) -> None:
    where = "main graph" if graph.kind == "main" else f"function {graph.name}"
    illegal = [new for new in changed.values() if not LEGAL_NODE.fullmatch(new)]
    if illegal:
        raise UsageError(f"{where}: {_some(illegal)} is no legal name of a node", hint="use A-Z a-z 0-9 _ . / > -")
    names = [node.name for node in graph.nodes] + [value.name or "" for value in graph.inputs]
    check_collisions(names, changed, where)
    captured = sorted(dangling_names(graph) & set(changed.values()))
    if captured:
        raise UsageError(
            f"{where}: {_some(captured)} is named by a reference that leads nowhere and would now lead there"
        )


def dangling_names(graph: Graph) -> set[str]:
    """Return what references of a graph, and mentions of it, name without there being such a node."""
    texts = {value.name or "" for node in graph.nodes for value in node.inputs if value.is_dangling}
    texts |= {text.removeprefix("^") for _, text in graph.dangling_controls}
    texts |= {
        mention.text for mention in graph.metagraph.mentions() if mention.graph is graph and mention.target is None
    }
    return {text.partition(":")[0] for text in texts}


def fill_shared_name(node: Node) -> None:
    """Write down a name that an empty `shared_name` stands for, so that the resource stays the same one."""
    opdef = catalog.of(node)
    if opdef is not None and "shared_name" in opdef.attrs and not node.attrs.get("shared_name"):
        name = shared_name(node)
        if name:
            node.attrs["shared_name"] = name.encode("utf-8", "surrogateescape")


def _is_variable(name: str, model: Model) -> bool:
    return model.checkpoint is not None and name in model.checkpoint.variables


def _rename_tensors(metagraph: MetaGraph, rules: Rules, pattern: str | None) -> list[tuple[str, str, str]]:
    values = [value for graph in choose_graphs(metagraph, pattern) for value in graph.values]
    by_index = {f"#{value.port}": value for value in metagraph.graph.values}
    direct = {old: new for old, new in rules.pairs.items() if old in by_index}
    rest = Rules({old: new for old, new in rules.pairs.items() if old not in direct}, rules.rule, rules.elsewhere)
    ambiguous = Counter(value.name for value in values)
    for old in rest.pairs:
        if ambiguous[old] > 1:
            places = ", ".join(f"#{value.port}" for value in values if value.name == old)
            raise UsageError(f"{ambiguous[old]} tensors are named {old!r}", hint=f"name one by its index: {places}")
    changed = rest.apply([value.name or "" for value in values], "tensor")
    renamed = []
    for value in values:
        old = value.name or ""
        new = direct.get(f"#{value.port}") if by_index.get(f"#{value.port}") is value else None
        new = new if new is not None else changed.get(old, old)
        if new != old:
            value.name = new
            renamed.append((value.graph.name, old, new))
    return renamed


def _rename_functions(model: Model, metagraph: MetaGraph, rules: Rules) -> list[tuple[str, str, str]]:
    if is_tflite(model, metagraph, "rename"):
        raise UnsupportedError("a TFLite model has no functions")
    changed = rules.apply(metagraph.functions, "function")
    check_collisions(metagraph.functions, changed, "library")
    ops = sorted(name for name in changed.values() if name in catalog.names() or not name)
    if ops:
        raise UsageError(f"{_some(ops)} is the name of an op")
    metagraph.rename_functions({metagraph.functions[old]: new for old, new in changed.items()})
    return [("", old, new) for old, new in changed.items()]


def _rename_signatures(model: Model, metagraph: MetaGraph, rules: Rules) -> list[tuple[str, str, str]]:
    fixed = sorted(key for key in rules.pairs if key.startswith(INTERNAL) and key in metagraph.signatures)
    if fixed:
        raise UsageError(f"loaders look for the signature {fixed[0]!r} under that name")
    changed = rules.apply([key for key in metagraph.signatures if not key.startswith(INTERNAL)], "signature")
    if "" in changed.values():
        raise UsageError("a signature needs a name")
    check_collisions(metagraph.signatures, changed, "signatures")
    rename_signatures(metagraph, changed)
    return [("", old, new) for old, new in changed.items()]


def _rename_keys(model: Model, metagraph: MetaGraph, rules: Rules) -> list[tuple[str, str, str]]:
    known = {
        f"{signature.key}.{key}": (signature, key)
        for signature in metagraph.signatures.values()
        if not signature.key.startswith(INTERNAL)
        for key in dict.fromkeys((*signature.inputs, *signature.outputs))
    }
    wide = None if rules.rule is None else (lambda text: _rename_last(text, known[text][1], rules.rule))
    dotted = {old: f"{known[old][0].key}.{new}" if old in known else new for old, new in rules.pairs.items()}
    changed = Rules(dotted, wide, rules.elsewhere).apply(known, "signature key")
    plan: dict[Signature, dict[str, str]] = {}
    for old, new in changed.items():
        signature, key = known[old]
        plan.setdefault(signature, {})[key] = new[len(signature.key) + 1 :]
    for signature, keys in plan.items():
        for entries in (signature.inputs, signature.outputs):
            check_collisions(entries, keys, f"signature {signature.key}")
        rename_key(metagraph, signature, keys, check_only=True)
    for signature, keys in plan.items():
        rename_key(metagraph, signature, keys)
    return [(signature.key, old, new) for signature, keys in plan.items() for old, new in keys.items()]


def _rename_last(text: str, key: str, rule: Callable[[str], str] | None) -> str:
    return text[: len(text) - len(key)] + (rule(key) if rule is not None else key)


def _rename_tags(model: Model, metagraph: MetaGraph, rules: Rules) -> list[tuple[str, str, str]]:
    if metagraph.tags is None:
        raise UnsupportedError("this format has no tags")
    before = list(metagraph.tags) or [NO_TAGS]
    changed = rules.apply(before, "tag")
    after = [new for tag in before if (new := changed.get(tag, tag)) != NO_TAGS]
    twice = next((old for old, new in changed.items() if after.count(new) > 1), None)
    if twice is not None:
        what = f"tag {changed[twice]!r} would be there twice"
        raise UsageError(what, hint=f"{shlex.quote(f'{twice}={NO_TAGS}')} drops tag {twice!r}")
    others = [set(other.tags or ()) for other in model.metagraphs if other is not metagraph]
    if set(after) in others:
        raise UsageError(f"another MetaGraph is already tagged {','.join(after)}")
    metagraph.tags = after
    return [("", old, new) for old, new in changed.items()]


_RENAMERS: dict[str, Callable[[Model, MetaGraph, Rules], list[tuple[str, str, str]]]] = {
    "functions": _rename_functions,
    "signatures": _rename_signatures,
    "keys": _rename_keys,
    "tags": _rename_tags,
}


def _rule(regex: Sequence[str], strip_prefix: str, prefix: str) -> Callable[[str], str] | None:
    substitutions = [_substitution(text) for text in regex]
    if not (substitutions or strip_prefix or prefix):
        return None

    def apply(name: str) -> str:
        for pattern, replacement in substitutions:
            name = pattern.sub(replacement, name)
        return prefix + name.removeprefix(strip_prefix)

    return apply


def _substitution(text: str) -> tuple[re.Pattern[str], str]:
    delimiter = text[1:2]
    parts = text[2:].split(delimiter) if text.startswith("s") and delimiter else []
    if len(parts) != 3 or parts[2]:
        raise UsageError(f"--regex {text!r} is not of the form s|PATTERN|REPLACEMENT|")
    try:
        pattern = re.compile(parts[0])
        pattern.sub(parts[1], "")
    except (re.error, IndexError) as error:
        raise UsageError(f"--regex {text!r}: {error}") from error
    return pattern, parts[1]


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:5]))
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
