"""The kinds of things that inference does not need: a record each, from which help and pages are made."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from graphsurgeon.errors import UsageError
from graphsurgeon.ops import kinds as ops
from graphsurgeon.surgery.stripping import accelerators, steps

NODES = 50  # the turn at which nodes go that nothing needs
LAST = 120


class When(Enum):
    """When a kind is taken out; the value says it, as a page does."""

    ALWAYS = ""
    UNSIGNED = "where there is a signature only with `--inference` or by name, since the signature's numbers change"
    INFERENCE = "with `--inference` only, or by name: other numbers come out"
    NAMED = "only where `--only` names it"


@dataclass(frozen=True)
class Kind:
    """A kind of things that go.

    Attributes:
        name: what `--only` and `--keep` call it, and reports.
        what: what goes, as docs/cli.md says.
        when: whether it goes if nobody names it.
        why: the reason for which nodes of this kind go that nothing needs.
        owns: says of an op whether its nodes are of this kind, once nothing needs them.
        step: takes it out where other rules hold than that nothing needs it.
        turn: the order of the steps; those below `NODES` may make nodes unneeded.
    """

    name: str
    what: str
    when: When = When.ALWAYS
    why: str = ""
    owns: Callable[[str], bool] | None = None
    step: steps.Step | None = None
    turn: int = LAST


# In the order in which they are reported.
_ALL = (
    Kind("gradients", "gradients of a loss", why="part of a gradient", owns=ops.is_gradient),
    Kind(
        "optimizers",
        "updates of variables by an optimizer, and what it keeps beside them: variables, with their places in the saver"
        " and their entries in the checkpoint, and of a TF2 SavedModel the object (`model.optimizer`). One that a"
        " function captures (a training step) stays",
        why="updates a variable, or is kept for that",
        owns=ops.is_optimizer,
    ),
    Kind(
        "savers",
        "saving and restoring of what is gone, and further savers",
        why="saves or restores what is gone",
        owns=ops.is_saver,
    ),
    Kind(
        "summaries",
        "values written for a dashboard; what writes them goes from function bodies too",
        why="yields a summary",
        owns=ops.is_summary,
        step=steps.summaries,
        turn=30,
    ),
    Kind(
        "queues",
        "input pipelines: queues, readers, datasets, iterators",
        why="belongs to an input pipeline",
        owns=ops.is_pipeline,
    ),
    Kind(
        "metrics",
        "metrics and what they count, in the object graph, its saver, the checkpoint and `keras_metadata.pb` too",
        why="computes a metric",
    ),
    Kind(
        "assertions",
        "checks that stop a run (`Assert`): everywhere, function bodies included, and branches and calls that did"
        " nothing else",
        why="checks a condition that nothing that stays depends on",
        owns=frozenset({"Assert"}).__contains__,
        step=steps.assertions,
        turn=20,
    ),
    Kind(
        "prints",
        "`Print`, `PrintV2` and `CheckNumerics`, everywhere; whoever read them reads what they let through",
        step=steps.prints,
        turn=10,
    ),
    Kind(
        "dropout",
        "every spelling of `tf.nn.dropout` since TensorFlow 1; its input goes through",
        When.UNSIGNED,
        step=steps.dropout,
        turn=60,
    ),
    Kind(
        "batch-norms",
        "the training form of batch normalizations: `FusedBatchNorm` normalizes by its moving statistics, found by the"
        " updates in the graph, else by name; where it is spelled out in single ops, found by the updates; these go",
        When.INFERENCE,
        step=steps.batch_norms,
        turn=40,
    ),
    Kind(
        "identities",
        "`Identity`, `Snapshot`, `StopGradient` and `PreventGradient` that only hand a value on",
        step=steps.identities,
        turn=90,
    ),
    Kind(
        "unreachable",
        "nodes that neither outputs, signatures nor loading need; of a TFLite model operators and tensors",
        why="nothing that stays needs it",
        step=steps.unreachable,
        turn=80,
    ),
    Kind(
        "functions",
        "functions that nothing calls; of a TFLite model subgraphs that no signature reaches",
        step=steps.functions,
        turn=70,
    ),
    Kind("defaults", "attributes that say what the op's definition says", step=steps.defaults, turn=100),
    Kind("devices", "device strings", step=steps.devices, turn=100),
    Kind("colocation", "wishes to be placed together", step=steps.colocation, turn=100),
    Kind(
        "recorded-shapes",
        "the `_output_shapes` that TensorFlow notes down beside the ops, of all graphs; those of functions' arguments"
        " stay",
        When.NAMED,  # of ops that nobody knows, they are all that is known
        step=steps.recorded_shapes,
        turn=100,
    ),
    Kind(
        "debug",
        "where nodes come from: debug info of nodes and the folder `debug`",
        step=steps.debug,
        turn=110,
    ),
    Kind(
        "tpu",
        "what a TPU needs: its calls become plain calls, one replica stands for all that are fed the same, settings,"
        " device strings and the tag `tpu` go; a MetaGraph that has a twin without that tag goes whole",
        When.NAMED,
        step=accelerators.tpu,
        turn=5,
    ),
    Kind(
        "trt",
        "engines of TensorRT: each becomes a call of the function it was made of, caches of engines and GPU strings go",
        When.NAMED,
        step=accelerators.trt,
        turn=5,
    ),
    Kind(
        "averages",
        "of a checkpoint the moving averages of its weights, such as `gs rename --ema` leaves behind",
        When.NAMED,
    ),
    Kind("internals", "of a checkpoint its `save_counter`"),
)
KINDS: dict[str, Kind] = {kind.name: kind for kind in _ALL}


def choose_kinds(only: Iterable[str] | None, keep: Iterable[str] | None, *, inference: bool = False) -> frozenset[str]:
    """Return the kinds that are asked for: all but the kept ones, or some alone.

    Raises:
        UsageError: there is no such kind, or nothing is left to do.
    """
    wanted, kept = list(only or ()), list(keep or ())
    unknown = [kind for kind in (*wanted, *kept) if kind not in KINDS]
    if unknown:
        from graphsurgeon.analysis.names import suggestion

        hint = suggestion(unknown[0], KINDS) or f"the kinds are {', '.join(KINDS)}"
        raise UsageError(f"there is no kind {unknown[0]!r} of thing to strip", hint=hint)
    chosen = frozenset(wanted or kinds_of(When.ALWAYS, When.UNSIGNED)) - frozenset(kept)
    if inference:
        chosen |= kinds_of(When.INFERENCE, When.UNSIGNED) - {*kept}
    if not chosen:
        raise UsageError("every kind that could be stripped is to be kept")
    return chosen


def kinds_of(*when: When) -> frozenset[str]:
    """Return the names of the kinds that are taken out then."""
    return frozenset(kind.name for kind in KINDS.values() if kind.when in when)


def table() -> list[tuple[str, str]]:
    """Return name and text of every kind, as docs/cli.md shows them."""
    return [(kind.name, f"{kind.what}{kind.when.value and '; '}{kind.when.value}") for kind in KINDS.values()]


def in_words() -> str:
    """Say which kinds there are, for the help."""
    by_default = ", ".join(kind.name for kind in KINDS.values() if kind.when in (When.ALWAYS, When.UNSIGNED))
    inference, named = (
        ", ".join(kind.name for kind in KINDS.values() if kind.when is when) for when in (When.INFERENCE, When.NAMED)
    )
    return f"{by_default}; with --inference {inference} too; where --only names it {named}"
