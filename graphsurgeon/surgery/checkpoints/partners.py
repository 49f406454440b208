"""Which entry of one checkpoint is which of another: by objects, as restoring pairs them, else by key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from graphsurgeon.analysis.patterns import matcher, suggest_name
from graphsurgeon.analysis.stored_weights.variables import OBJECT_SUFFIX, names_of_variables
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.model.checkpoint import Checkpoint
from graphsurgeon.model.model import Model

# Rates, counts, and products that optimizers carry along: a mean of them means nothing. The last part of a name.
_STATE = frozenset(
    {
        "learning_rate", "_learning_rate", "beta1_power", "beta2_power", "_u_product", "momentum_cache", "decay",
        "dynamic_scale", "current_loss_scale", "rho", "beta_1", "beta_2", "epsilon", "save_counter", "global_step",
        "iter",
    }
)  # fmt: skip
_RATES = ("learning_rate", "_learning_rate")  # single numbers beside one of them are settings of the same optimizer


def is_state(checkpoint: Checkpoint, key: str) -> bool:
    """Say whether a variable is a count, a rate, or another single number that an optimizer goes by."""
    variable = checkpoint.variables[key]
    path, mark, ending = key.partition(OBJECT_SUFFIX)
    parent, _, last = path.rpartition("/")
    if variable.tensor.shape.dims != ():
        return False
    called = (variable.name or "").rpartition("/")[2]
    return bool({last, called} & _STATE) or any(
        f"{parent}/{rate}{mark}{ending}" in checkpoint.variables for rate in _RATES
    )


def checkpoint_of(model: Model, verb: str) -> Checkpoint:
    """Return the checkpoint of a model that is one.

    Raises:
        UnsupportedError: the model has a graph, which would have to fit, or no variables.
    """
    if model.metagraphs or model.checkpoint is None:
        hint = "gs convert MODEL weights.ckpt --format checkpoint takes its variables"
        raise UnsupportedError(f"{verb} is for checkpoints", path=model.path, hint=hint if model.checkpoint else "")
    return model.checkpoint


def partner_keys(first: Checkpoint, other: Checkpoint) -> dict[str, str]:
    """Return key -> key of the same variable in another checkpoint, for those that have one."""
    if first.objects is None or other.objects is None:
        return {key: key for key in first.variables if key in other.variables}
    found: dict[str, str] = {}
    named: set[str] = set()
    for node, twin in first.objects.restored_from(other.objects).items():
        keys, theirs = first.keys_of(node), other.keys_of(twin)
        named.update(keys)
        if len(keys) == len(theirs):  # of a table keys come first, then values
            found.update(zip(keys, theirs, strict=True))
    for node in first.objects.nodes:
        named.update(first.keys_of(node))
    # What a saver of its own has written under keys that no object lists.
    return {**{key: key for key in first.variables if key not in named and key in other.variables}, **found}


def chosen_keys(model: Model, checkpoint: Checkpoint, match: Sequence[str], why_not: Callable[[str], str]) -> list[str]:
    """Return the keys of the variables that patterns name, in file order; without patterns all that may be meant.

    Args:
        model: where names are looked for that the checkpoint does not tell.
        checkpoint: whose variables.
        match: names, keys or paths of objects, globs or `re:` expressions.
        why_not: says why a variable cannot be taken, empty if it can. What is named by a pattern must be takeable.

    Raises:
        UsageError: a pattern matches nothing that can be taken.
    """
    if not match:
        return [key for key in checkpoint.variables if not why_not(key)]
    names = names_of_variables(checkpoint, model)
    known = sorted(set().union(*names.values())) if names else []
    chosen: set[str] = set()
    for pattern in match:
        matches = matcher(pattern, known.__contains__)
        found = [key for key, called in names.items() if any(map(matches, called))]
        if not found:
            raise UsageError(f"no variable matches {pattern!r}", hint=suggest_name(pattern, known))
        taken = [key for key in found if not why_not(key)]
        if not taken:
            raise UsageError(f"{found[0]}: {why_not(found[0])}", hint="match others")
        chosen.update(taken)
    return [key for key in checkpoint.variables if key in chosen]


def some(names: Iterable[str]) -> str:
    """Return the first of some names, and how many more there are."""
    listed = list(names)
    return ", ".join(listed[:3]) + (f" and {len(listed) - 3} more" if len(listed) > 3 else "")
