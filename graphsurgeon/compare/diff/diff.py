"""What differs between two models, aligned by name first and by structure where names changed.

Compared is what the vocabulary knows: graphs, functions, signatures, collections, savers, assets, object graphs,
variables by value. Fields that only the format knows (debug info, Keras' own metadata in the object graph) are not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from graphsurgeon.analysis.patterns import matcher, suggest_name
from graphsurgeon.analysis.stored_weights.variables import OBJECT_SUFFIX, named_variables, names_of_variables
from graphsurgeon.analysis.stored_weights.weights import Allowance
from graphsurgeon.compare.align_functions import align_metagraphs
from graphsurgeon.compare.diff.change import Change, Detail, different
from graphsurgeon.compare.diff.graphs import GraphComparison
from graphsurgeon.compare.diff.objects import object_changes
from graphsurgeon.compare.diff.parts import PartsComparison, producer_changes
from graphsurgeon.compare.diff.tensors import same_values, tensor_details
from graphsurgeon.errors import FileError, UnsupportedError, UsageError
from graphsurgeon.formats.savedmodel import parts
from graphsurgeon.model.calls import checked_call
from graphsurgeon.model.checkpoint import Checkpoint, Variable
from graphsurgeon.model.format import TENSORFLOW, Vocabulary
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model, require_read_model

SameFile = Callable[[str], "bool | None"]  # name of a file of both models -> whether its content is the same


@dataclass(frozen=True)
class DiffReport:
    """What differs between two models.

    Attributes:
        before, after: paths of the models.
        formats: of the first and the second model.
        equal: nothing differs.
        counts: part -> kind -> number of changes.
        changes: every difference.
        compared: what was compared, by part: "nodes", "functions", "variables", and "bytes" of variables.
        notes: what was not compared, one line each.
    """

    before: str
    after: str
    formats: tuple[str, str]
    equal: bool
    counts: dict[str, dict[str, int]]
    changes: list[Change]
    compared: dict[str, int]
    notes: list[str] = field(default_factory=list)


@checked_call
def diff(
    before: Model,
    after: Model,
    *,
    values: bool = True,
    match: Sequence[str] = (),
    same_file: SameFile | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> DiffReport:
    """Compare two models of any formats.

    Args:
        before, after: the models; nothing in them is changed.
        values: compare the values of weights, block by block. Reads both models' files.
        match: compare these variables alone, which either has: names, keys or paths of objects, globs or `re:`
            expressions.
        same_file: compares files of both models that no message describes, such as assets.
        progress: called with the bytes of variables done and in all.

    Raises:
        FileError: values cannot be read.
    """
    require_read_model("diff", before)
    require_read_model("diff", after)
    if _speaks(before) != _speaks(after):
        raise UnsupportedError(f"a {before.format} and a {after.format} model have nothing in common", path=after.path)
    allowance = Allowance(sum(before.files.values()) + sum(after.files.values())) if values else None
    if match:
        return _of_variables(before, after, match, values=allowance, progress=progress)
    changes = [*_pairs(before, after, values=allowance)]
    if before.checkpoint is not None or after.checkpoint is not None:
        changes += _checkpoint_changes(before, after, values=allowance, progress=progress)
    changes += _file_changes(before, after, same_file)
    notes = [] if values else ["values of weights were not compared"]
    return DiffReport(
        before.path,
        after.path,
        (before.format, after.format),
        not changes,
        _counts(changes),
        changes,
        _compared(before, after, values=values),
        notes,
    )


def _of_variables(
    before: Model,
    after: Model,
    match: Sequence[str],
    *,
    values: Allowance | None,
    progress: Callable[[int, int], None] | None,
) -> DiffReport:
    """Compare the variables that patterns choose, and nothing else."""
    first, second = _narrowed(before, match), _narrowed(after, match)
    known = sorted({name for model in (before, after) for name in _every_name(model)})
    for pattern in match:
        matches = matcher(pattern, known.__contains__)
        if not any(map(matches, known)):
            raise UsageError(f"no variable matches {pattern!r}", path=after.path, hint=suggest_name(pattern, known))
    changes = [
        *_called(_variable_changes(first, second, before, after, values=values, progress=progress), before, after)
    ]
    shared = first.keys() & second.keys()
    read = sum(first[key].tensor.nbytes for key in shared) if values is not None else 0
    compared = {"nodes": 0, "functions": 0, "variables": len(shared), "bytes": read}
    formats, notes = (before.format, after.format), [f"only what matches {', '.join(match)} was compared"]
    return DiffReport(before.path, after.path, formats, not changes, _counts(changes), changes, compared, notes)


def _every_name(model: Model) -> set[str]:
    names = names_of_variables(model.checkpoint, model) if model.checkpoint is not None else {}
    return set().union(*names.values()) if names else set()


def _narrowed(model: Model, match: Sequence[str]) -> dict[str, Variable]:
    """Return the variables of a model that patterns choose by any of their names, by key."""
    if model.checkpoint is None:
        return {}
    names = names_of_variables(model.checkpoint, model)
    tests = [matcher(pattern, set().union(*names.values()).__contains__) for pattern in match]
    chosen = {key for key, called in names.items() if any(test(name) for test in tests for name in called)}
    return {key: variable for key, variable in model.checkpoint.variables.items() if key in chosen}


def _speaks(model: Model) -> set[Vocabulary]:
    """Return the vocabularies of a model's ops; weights alone go with TensorFlow's."""
    return {metagraph.vocabulary for metagraph in model.metagraphs} or {model.traits.vocabulary or TENSORFLOW}


# -- MetaGraphs ----------------------------------------------------------------------------------------


def _pairs(before: Model, after: Model, *, values: Allowance | None) -> Iterator[Change]:
    """Pair the MetaGraphs by tags, one that is left on either side with the other, and compare them."""
    left = list(before.metagraphs)
    right = list(after.metagraphs)
    pairs = []
    for metagraph in before.metagraphs:
        partner = next((other for other in right if set(other.tags or ()) == set(metagraph.tags or ())), None)
        if partner is not None:
            pairs.append((metagraph, partner))
            left.remove(metagraph)
            right.remove(partner)
    if len(left) == len(right) == 1:
        pairs.append((left.pop(), right.pop()))
    yield from (Change("removed", "metagraph", "", _tags(metagraph)) for metagraph in left)
    yield from (Change("added", "metagraph", "", _tags(metagraph)) for metagraph in right)
    for metagraph, partner in pairs:
        tags = list(metagraph.tags or ()) if len(before.metagraphs) > 1 else None
        for change in _metagraph_changes(metagraph, partner, values=values):
            yield change if tags is None else replace(change, tags=tags)


def _tags(metagraph: MetaGraph) -> str:
    return ",".join(metagraph.tags or ()) or "(no tags)"


def _metagraph_changes(before: MetaGraph, after: MetaGraph, *, values: Allowance | None) -> Iterator[Change]:
    details = [*different("tags", before.tags and sorted(before.tags), after.tags and sorted(after.tags))]
    if details and before.tags is not None and after.tags is not None:
        yield Change("changed", "metagraph", "", _tags(before), details=details)
    yield from producer_changes(before, after)
    functions, alignments = align_metagraphs(before, after)
    partners = set(functions.values())
    yield from (Change("removed", "function", "", f.name) for f in before.functions.values() if f not in functions)
    yield from (Change("added", "function", "", f.name) for f in after.functions.values() if f not in partners)
    for function, partner in functions.items():
        if function.name != partner.name:
            yield Change("renamed", "function", "", function.name, partner.name)
    for alignment in alignments.values():
        yield from GraphComparison(alignment, functions, values=values).changes()
    parts = PartsComparison(before, after, alignments, functions)
    yield from parts.changes()
    yield from object_changes(before.objects, after.objects, parts)


# -- variables and files -------------------------------------------------------------------------------


def _checkpoint_changes(
    before: Model, after: Model, *, values: Allowance | None, progress: Callable[[int, int], None] | None
) -> Iterator[Change]:
    first, second = _variables(before.checkpoint), _variables(after.checkpoint)
    yield from _called(_variable_changes(first, second, before, after, values=values, progress=progress), before, after)
    is_alone = not (before.traits.holds_graph or after.traits.holds_graph)
    if is_alone and before.checkpoint and after.checkpoint:
        yield from object_changes(before.checkpoint.objects, after.checkpoint.objects)


def _called(changes: Iterable[Change], before: Model, after: Model) -> Iterator[Change]:
    """Give variables whose keys tell little the names that their programs give them."""
    names: list[dict[str, str | None]] = []
    for change in changes:
        if not names:  # looked for where there is something to tell
            named = (
                named_variables(one.checkpoint, one) if one.checkpoint is not None else [] for one in (before, after)
            )
            names += [{one.key: one.name for one in variables} for variables in named]
        name = names[change.kind == "added"].get(change.name)
        is_news = name is not None and name != change.name.partition(OBJECT_SUFFIX)[0]
        yield replace(change, variable=name) if is_news else change


def _variable_changes(
    first: Mapping[str, Variable],
    second: Mapping[str, Variable],
    before: Model,
    after: Model,
    *,
    values: Allowance | None,
    progress: Callable[[int, int], None] | None,
) -> Iterator[Change]:
    twins = _by_objects(first, second, before.checkpoint, after.checkpoint)
    left, right = set(twins), set(twins.values())
    for key, twin in twins.items():
        yield Change("renamed", "variable", "", key, twin)
        details = _variable_details(first[key], second[twin], values=values)
        if details:
            yield Change("changed", "variable", "", key, details=details)
    first = {key: variable for key, variable in first.items() if key not in left}
    second = {key: variable for key, variable in second.items() if key not in right}
    renamed = _renamed(first, second) if values is not None else {}
    yield from (_variable("removed", first[key]) for key in first if key not in second and key not in renamed)
    new = set(renamed.values())
    yield from (_variable("added", second[key]) for key in second if key not in first and key not in new)
    yield from (Change("renamed", "variable", "", key, renamed[key]) for key in renamed)
    total = sum(variable.tensor.nbytes for key, variable in first.items() if key in second)
    done = 0
    for key, variable in first.items():
        if key in second:
            details = _variable_details(variable, second[key], values=values)
            if details:
                yield Change("changed", "variable", "", key, details=details)
            done += variable.tensor.nbytes
            if progress is not None and values is not None:
                progress(done, total)


def _by_objects(
    first: Mapping[str, Variable],
    second: Mapping[str, Variable],
    before: Checkpoint | None,
    after: Checkpoint | None,
) -> dict[str, str]:
    """Return old key -> new key of what is one variable to a program that restores objects, under other keys."""
    ours, theirs = (one.objects if one is not None else None for one in (before, after))
    if before is None or after is None or ours is None or theirs is None:
        return {}
    found: dict[str, str] = {}
    for node, twin in ours.restored_from(theirs).items():
        pairs = zip(before.keys_of(node), after.keys_of(twin), strict=False)
        found |= {key: new for key, new in pairs if key in first and new in second and key != new}
    taken = Counter(found.values())
    return {key: new for key, new in found.items() if new not in first and key not in second and taken[new] == 1}


def _variable_details(before: Variable, after: Variable, *, values: Allowance | None) -> list[Detail]:
    try:
        return [*tensor_details("", before.tensor, after.tensor, values=values)]
    except FileError as error:
        error.hint = error.hint or "all but the values of weights can be compared: --no-values"
        raise


def _variables(checkpoint: Checkpoint | None) -> Mapping[str, Variable]:
    return checkpoint.variables if checkpoint is not None else {}


def _renamed(before: Mapping[str, Variable], after: Mapping[str, Variable]) -> dict[str, str]:
    """Return old key -> new key of variables that are the same to the bit, where no other is."""
    left = [variable for key, variable in before.items() if key not in after]
    right = [variable for key, variable in after.items() if key not in before]
    by_type: dict[Hashable, list[Variable]] = {}
    for variable in right:
        by_type.setdefault((variable.tensor.dtype, variable.tensor.shape), []).append(variable)
    found: dict[str, str] = {}
    for variable in left:
        candidates = by_type.get((variable.tensor.dtype, variable.tensor.shape), [])
        match = next((other for other in candidates if same_values(variable.tensor, other.tensor)), None)
        if match is not None:
            candidates.remove(match)
            found[variable.key] = match.key
    return found


def _variable(kind: str, variable: Variable) -> Change:
    details = [*different("type", None, f"{variable.tensor.dtype} {variable.tensor.shape}")]
    return Change("added" if kind == "added" else "removed", "variable", "", variable.key, details=details)


_DESCRIBED = (*parts.ENTRIES, parts.FINGERPRINT, f"{parts.VARIABLES}/")


def _file_changes(before: Model, after: Model, same_file: SameFile | None) -> Iterator[Change]:
    """Compare the files of SavedModel folders that no message describes."""
    if same_file is None or not (before.traits.layout == after.traits.layout == "folder"):
        return
    first, second = _carried(before), _carried(after)
    yield from (Change("removed", "file", "", name) for name in first if name not in second)
    yield from (Change("added", "file", "", name) for name in second if name not in first)
    for name in first:
        if name in second and same_file(name) is False:
            details = [*different("bytes", before.files[name], after.files[name])]
            yield Change("changed", "file", "", name, details=details)


def _carried(model: Model) -> list[str]:
    return [name for name in model.files if not name.startswith(_DESCRIBED)]


# -- counting ------------------------------------------------------------------------------------------


def _counts(changes: Sequence[Change]) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = {}
    for change in changes:
        counts.setdefault(change.part, Counter())[change.kind] += 1
    return {part: dict(kinds) for part, kinds in counts.items()}


def _compared(before: Model, after: Model, *, values: bool) -> dict[str, int]:
    """Count what the smaller of the two models has of each part."""
    nodes = min(sum(len(graph) for graph in model.graphs) for model in (before, after))
    functions = min(sum(len(metagraph.functions) for metagraph in model.metagraphs) for model in (before, after))
    first, second = _variables(before.checkpoint), _variables(after.checkpoint)
    shared = [variable for key, variable in first.items() if key in second]
    read = sum(variable.tensor.nbytes for variable in shared) if values else 0
    return {"nodes": nodes, "functions": functions, "variables": len(shared), "bytes": read}
