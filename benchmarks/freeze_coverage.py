"""Which models freeze, and compute what they computed: ours beside TensorFlow's two ways, as a table.

    python benchmarks/freeze_coverage.py [--kinds] [--applications] [--all] [FOLDER...]

A row is a signature that TensorFlow runs with inputs that are made up for it, or the likeliest outputs of a graph
that comes with a checkpoint. `ours` is this package; `v2` is `convert_variables_to_constants_v2` on the loaded
signature, `v1` is `graph_util.convert_variables_to_constants`.
`bit` says that the frozen graph gives the same bits with TensorFlow's graph optimizer off, and equal numbers
with it on; `close` that it does with it on only; anything else is why not. At the end the counts for each group, as
rows of a table.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from graphsurgeon.analysis.candidates import likely_outputs
from graphsurgeon.errors import GraphSurgeonError, UsageError
from graphsurgeon.formats import read, write
from graphsurgeon.formats.checkpoint.find import read_checkpoint
from graphsurgeon.surgery.freeze import freeze
from tests.oracle import sessions
from tests.oracle.freeze_builders import Feeds
from tests.oracle.freeze_models import BUILDERS
from tests.oracle.freeze_models_loops import LOOPS
from tests.oracle.freeze_models_text import TEXT
from tests.oracle.signature_runs import GraphSource, LoadedSource, Source, graphs_with_checkpoint, signatures

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow is imported when the first model runs
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

# Keras applications and the smallest pictures they take; weights are random.
APPLICATIONS = {
    "MobileNet": 64, "MobileNetV2": 64, "MobileNetV3Small": 64, "EfficientNetB0": 64, "EfficientNetV2B0": 64,
    "DenseNet121": 64, "ResNet50": 64, "ResNet50V2": 64, "InceptionV3": 75, "Xception": 71, "NASNetMobile": 64,
    "ConvNeXtTiny": 64, "VGG16": 64,
}  # fmt: skip
KINDS = {"models of the tests": BUILDERS, "text, ragged, feature columns": TEXT, "loops, recurrent networks": LOOPS}
Names = tuple[Mapping[str, str], Mapping[str, str]]  # feeds and fetches: signature key -> tensor


@dataclass(frozen=True)
class Case:
    """A signature of a SavedModel, or outputs of a graph that has none.

    Attributes:
        group: the row of the table.
        path: the model.
        tags, key: of a signature.
        feeds: what to feed, if that is known.
        outputs: tensors of a graph without signature.
        checkpoint: the variables of a bare GraphDef.
    """

    group: str
    path: Path
    tags: list[str]
    key: str
    feeds: Feeds | None = None
    outputs: tuple[str, ...] = ()
    checkpoint: Path | None = None

    @property
    def name(self) -> str:
        """Its name in the table."""
        return f"{self.path.parent.name}/{self.path.name}:{self.key or ','.join(self.outputs)}"


WAYS: dict[str, Callable[[Case, Path], Names]] = {}


def main() -> None:
    """Try the models named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, help="folders with SavedModels, .meta files, checkpoints")
    parser.add_argument("--kinds", action="store_true", help="the kinds of model that the tests build")
    parser.add_argument("--applications", action="store_true", help="Keras applications with random weights")
    parser.add_argument("--all", action="store_true", help="print a line for those that all three freeze, too")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    totals: dict[str, dict[str, Counter[str]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for case in cases(options, Path(folder)):
            verdicts = judge(case, Path(folder) / "frozen.pb")
            if verdicts is None:
                continue
            for way, verdict in verdicts.items():
                totals.setdefault(case.group, {}).setdefault(way, Counter())[verdict.partition(":")[0]] += 1
            if options.all or any(verdict != "bit" for verdict in verdicts.values()):
                print(case.name, *(f"{way} {verdict}" for way, verdict in verdicts.items()), sep=" | ", flush=True)
    table(totals)


def table(totals: Mapping[str, Mapping[str, Counter[str]]]) -> None:
    """Print the counts for each group."""
    print(f"\n| group | signatures | {' | '.join(WAYS)} |\n|---|---|{'---|' * len(WAYS)}")
    whole = {way: sum((ways[way] for ways in totals.values()), Counter[str]()) for way in WAYS}
    for group, ways in [*totals.items(), ("all", whole)]:
        counts = [", ".join(f"{n} {verdict}" for verdict, n in ways[way].most_common()) for way in WAYS]
        print(f"| {group} | {sum(ways['ours'].values())} | {' | '.join(counts)} |")


def cases(options: argparse.Namespace, scratch: Path) -> Iterator[Case]:
    """Yield what is to be frozen; of what the tests build, with feeds."""
    for group, builders in KINDS.items() if options.kinds else ():
        for name, build in builders.items():
            feeds = build(scratch / name)
            yield Case(group, scratch / name, ["serve"], "serving_default", feeds)
    for name, size in APPLICATIONS.items() if options.applications else ():
        path = application(name, size, scratch / name)
        yield Case("Keras applications", path, ["serve"], "serving_default")
    for folder in options.folders:
        place = "fixtures" if folder.resolve().parent.name == "fixtures" else folder.name
        for path, tags, key in signatures(folder):
            yield Case(f"{place}: SavedModels", path, tags, key)
        for path, checkpoint in graphs_with_checkpoint(folder):
            outputs = answers(path)
            if outputs:
                yield Case(f"{place}: .meta, GraphDef and checkpoint", path, [], "", None, outputs, checkpoint)


def answers(path: Path) -> tuple[str, ...]:
    """Return the likeliest outputs of a graph without signature."""
    try:
        return tuple(str(found.value) for found in likely_outputs(read(path).metagraphs[0])[:3])
    except (GraphSurgeonError, IndexError):
        return ()


def application(name: str, size: int, path: Path) -> Path:
    """Export a Keras application."""
    import keras

    keras.utils.set_random_seed(1)
    network = getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3), classes=10)
    network.export(str(path), verbose=False)
    return path


def source_of(case: Case) -> Source | LoadedSource | GraphSource:
    """Run the source in TensorFlow, in whichever way it can be loaded."""
    if case.outputs:
        return GraphSource(case.path, case.outputs, case.checkpoint)
    try:
        return Source(case.path, case.tags, case.key, case.feeds)
    except Exception:  # whatever TensorFlow raises for a model that it cannot load or run
        return LoadedSource(case.path, case.key, case.feeds)


def judge(case: Case, target: Path) -> dict[str, str] | None:
    """Freeze a model in each way and compare; None if TensorFlow does not run its source."""
    try:
        source = source_of(case)
    except Exception:  # whatever TensorFlow raises
        return None
    verdicts = {}
    for way, convert in WAYS.items():
        target.unlink(missing_ok=True)
        try:
            names = convert(case, target)
            different = source.disagreements(target, *names)
            bits = [one for one in different if one.endswith("False")]
            verdicts[way] = "wrong" if len(bits) < len(different) else "close" if bits else "bit"
        except GraphSurgeonError as error:
            verdicts[way] = f"{'refused' if way == 'ours' else 'n/a'}: {str(error)[:100]}"
        except Exception as error:  # as above, for the frozen graph
            verdicts[way] = f"fails: {' '.join(str(error).split())[:100]}"
    return verdicts


def ours(case: Case, target: Path) -> Names:
    """Freeze with this package."""
    model = read(case.path)
    if case.outputs:
        if case.checkpoint is not None:
            model.checkpoint = read_checkpoint(case.checkpoint)
        report = freeze(model, outputs=case.outputs)
    else:
        report = freeze(model, signature=case.key, tags=case.tags or ["none"])
    write(model, target)
    return report.feeds, report.fetches


def v2(case: Case, target: Path) -> Names:
    """Freeze as TensorFlow 2 does, which takes functions only."""
    if case.outputs:
        raise UsageError("it takes functions only")
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    loaded = tf.saved_model.load(str(case.path), case.tags)  # whose variables live as long as it does
    function = loaded.signatures[case.key]
    frozen = convert_variables_to_constants_v2(function)
    target.write_bytes(frozen.graph.as_graph_def().SerializeToString())
    keys = [key for key, _ in sorted(function.structured_outputs.items())]
    feeds = [tensor.name for tensor in frozen.inputs]
    known = function._arg_keywords if len(function._arg_keywords) == len(feeds) else [name[:-2] for name in feeds]
    fetches = [tensor.name for tensor in frozen.outputs]
    return dict(zip(known, feeds, strict=True)), dict(zip(keys, fetches, strict=True))


def v1(case: Case, target: Path) -> Names:
    """Freeze as TensorFlow 1 did."""
    import tensorflow as tf

    opened = (
        GraphSource.session(case.path, case.checkpoint, optimize=True)
        if case.outputs
        else sessions.saved_model(case.path, case.tags, optimize=True)
    )
    with opened as model:
        if case.outputs:
            feeds, fetches = {}, {name: name for name in case.outputs}
        else:
            inputs, outputs = model.signature(case.key)
            feeds = {key: endpoint.name for key, endpoint in inputs.items()}
            fetches = {key: endpoint.name for key, endpoint in outputs.items()}
        nodes = sorted({name.partition(":")[0] for name in fetches.values()})
        graph_def = model.session.graph.as_graph_def()
        graph = tf.compat.v1.graph_util.convert_variables_to_constants(model.session, graph_def, nodes)
    target.write_bytes(graph.SerializeToString())
    kept = {node.name for node in graph.node}
    feeds = feeds or {name: f"{name}:0" for name in kept}
    return {key: name for key, name in feeds.items() if name.partition(":")[0] in kept}, fetches


WAYS.update(ours=ours, v2=v2, v1=v1)

if __name__ == "__main__":
    main()
