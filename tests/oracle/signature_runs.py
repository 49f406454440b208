"""Signatures of SavedModels, run by TensorFlow, to compare with what a frozen graph computes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from graphsurgeon.errors import GraphSurgeonError
from graphsurgeon.formats import read
from tests.oracle import sessions

Feeds = Mapping[str, Any]


class Source:
    """What a signature computes in TensorFlow: with its optimizer off and on."""

    def __init__(self, path: Path, tags: list[str], key: str, feeds: Feeds | None = None) -> None:
        self.expected: dict[bool, Mapping[str, Any]] = {}
        for optimize in (False, True):
            with sessions.saved_model(path, tags, optimize=optimize) as model:
                inputs, outputs = model.signature(key)
                feeds, self.expected[optimize] = _first_that_runs(model, inputs, outputs, feeds)
        self.feeds = feeds or {}

    def disagreements(self, frozen: Path, feeds: Mapping[str, str], fetches: Mapping[str, str]) -> list[str]:
        """Return the outputs of a frozen graph that differ: with the optimizer off in a bit, with it on in more.

        Args:
            frozen: a GraphDef.
            feeds, fetches: signature key -> tensor; feeds that the graph does not have are left out.
        """
        found = []
        fed = {feeds[name]: value for name, value in self.feeds.items() if name in feeds}
        for optimize, expected in self.expected.items():
            values = sessions.run_graph_def(frozen, fetches, fed, optimize=optimize)
            same = sessions.close if optimize else sessions.same_bits
            found += [f"{name}, optimizer {optimize}" for name in expected if not same(expected[name], values[name])]
        return found


class DoesNotRunError(Exception):
    """TensorFlow runs the source with none of the inputs that were tried."""


def _first_that_runs(model: Any, inputs: Any, outputs: Any, feeds: Feeds | None) -> tuple[Feeds, Mapping[str, Any]]:
    import tensorflow as tf

    fetches = {name: endpoint.name for name, endpoint in outputs.items()}
    error: Exception | None = None
    for candidate in [feeds] if feeds is not None else sessions.candidates(inputs, model.session.graph):
        try:
            return candidate, model.run(fetches, {inputs[name].name: value for name, value in candidate.items()})
        except (tf.errors.OpError, ValueError) as reason:  # noqa: PERF203
            error = error or reason
    raise DoesNotRunError(str(error)[:300])


def signatures(folder: Path) -> Iterator[tuple[Path, list[str], str]]:
    """Yield every signature of the SavedModels below a folder: path, tags, key."""
    for file in sorted([*folder.rglob("saved_model.pb"), *folder.rglob("saved_model.pbtxt")]):
        try:
            model = read(file.parent)
            found = [(g.tags or [], key) for g in model.metagraphs for key in g.signatures if not key.startswith("__")]
        except GraphSurgeonError:
            continue
        yield from ((file.parent, tags, key) for tags, key in found)
