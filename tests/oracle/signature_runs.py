"""Models run by TensorFlow, to compare with what a frozen graph computes: signatures, and graphs without any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from graphsurgeon.errors import GraphSurgeonError
from graphsurgeon.formats import read
from tests.oracle import sessions

Feeds = Mapping[str, Any]


class DoesNotRunError(Exception):
    """TensorFlow runs the source with none of the inputs that were tried."""


class _Results:
    """What a model computes in TensorFlow: with its optimizer off and on."""

    feeds: Feeds
    expected: dict[bool, Mapping[str, Any]]

    def disagreements(self, frozen: Path, feeds: Mapping[str, str], fetches: Mapping[str, str]) -> list[str]:
        """Return the outputs of a frozen graph that differ: with the optimizer off in a bit, with it on in more.

        Args:
            frozen: a GraphDef.
            feeds, fetches: key -> tensor; feeds that the graph does not have are left out.
        """
        found = []
        fed = {feeds[name]: value for name, value in self.feeds.items() if name in feeds}
        for optimize, expected in self.expected.items():
            values = sessions.run_graph_def(frozen, fetches, fed, optimize=optimize)
            same = sessions.close if optimize else sessions.same_bits
            found += [f"{name}, optimizer {optimize}" for name in expected if not same(expected[name], values[name])]
        return found


class Source(_Results):
    """A signature, as servers run it."""

    def __init__(self, path: Path, tags: list[str], key: str, feeds: Feeds | None = None) -> None:
        self.expected = {}
        for optimize in (False, True):
            with sessions.saved_model(path, tags, optimize=optimize) as model:
                inputs, outputs = model.signature(key)
                feeds, self.expected[optimize] = _first_that_runs(model, inputs, outputs, feeds)
        self.feeds = feeds or {}


class LoadedSource(_Results):
    """A signature of what `tf.saved_model.load` gives; some models are loaded in no other way."""

    def __init__(self, path: Path, key: str, feeds: Feeds | None = None) -> None:
        import tensorflow as tf

        self.expected = {}
        for optimize in (False, True):
            tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": not optimize})
            signature = tf.saved_model.load(str(path)).signatures[key]
            specs = signature.structured_input_signature[1]
            inputs = {name: sessions.Endpoint(name, spec.dtype, _dims(spec.shape)) for name, spec in specs.items()}
            given = feeds if feeds is not None else sessions.generate(inputs)
            results = signature(**{name: tf.constant(value) for name, value in given.items()})
            self.expected[optimize] = {name: value.numpy() for name, value in results.items()}
            self.feeds = given


class GraphSource(_Results):
    """Tensors of a `.meta`, or of a GraphDef whose checkpoint is given; feeds and fetches by the names of nodes."""

    def __init__(self, path: Path, outputs: Sequence[str], checkpoint: Path | None = None) -> None:
        self.expected = {}
        feeds: Feeds | None = None
        for optimize in (False, True):
            with self.session(path, checkpoint, optimize=optimize) as model:
                placeholders = [one for one in model.session.graph.get_operations() if one.type == "Placeholder"]
                inputs = {
                    one.name: sessions.Endpoint(f"{one.name}:0", one.get_attr("dtype"), _dims(one.outputs[0].shape))
                    for one in placeholders
                }
                fetched = {name: sessions.Endpoint(name, None, None) for name in outputs}
                feeds, self.expected[optimize] = _first_that_runs(model, inputs, fetched, feeds)
        self.feeds = feeds or {}

    @staticmethod
    def session(path: Path, checkpoint: Path | None, *, optimize: bool) -> AbstractContextManager[sessions.SourceModel]:
        """Load the graph with its variables."""
        if checkpoint is None:
            return sessions.meta_graph(path, optimize=optimize)
        return sessions.graph_def_with(path, checkpoint, optimize=optimize)


def _dims(shape: Any) -> list[int | None] | None:
    return None if shape.rank is None else list(shape.as_list())


def _first_that_runs(model: Any, inputs: Any, outputs: Any, feeds: Feeds | None) -> tuple[Feeds, Mapping[str, Any]]:
    import tensorflow as tf

    fetches = {name: endpoint.name for name, endpoint in outputs.items()}
    error: Exception | None = None
    for candidate in [feeds] if feeds is not None else sessions.candidates(inputs, model.session.graph):
        try:
            return candidate, model.run(fetches, {inputs[name].name: value for name, value in candidate.items()})
        except tf.errors.DeadlineExceededError as reason:  # noqa: PERF203
            raise DoesNotRunError(f"it waits for data: {reason}"[:300]) from reason
        except (tf.errors.OpError, ValueError) as reason:
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


def graphs_with_checkpoint(folder: Path) -> Iterator[tuple[Path, Path | None]]:
    """Yield the graphs below a folder that come with a checkpoint: `.meta` files, and GraphDefs beside one."""
    yield from ((file, None) for file in sorted(folder.rglob("*.meta")) if _has_checkpoint(file))
    for index in sorted(folder.rglob("*.index")):
        beside = [*index.parent.glob("*.pb"), *index.parent.glob("*.pbtxt")]
        for file in beside if not index.with_suffix(".meta").exists() and index.parent.name != "variables" else ():
            yield file, index.with_suffix("")


def _has_checkpoint(file: Path) -> bool:
    try:
        return read(file).checkpoint is not None
    except GraphSurgeonError:
        return False
