"""Which models freeze, and compute what they computed: ours beside TensorFlow's two ways, as a table.

    python benchmarks/freeze_coverage.py [--kinds] [--applications] [--all] [FOLDER...]

A row is a signature that TensorFlow runs with inputs that are made up for it. `ours` is this package; `v2` is
`convert_variables_to_constants_v2` on the loaded signature, `v1` is `graph_util.convert_variables_to_constants`.
`bit` says that the frozen graph gives the same bits with TensorFlow's graph optimizer off, and equal numbers
with it on; `close` that it does with it on only; anything else is why not.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from graphsurgeon.errors import GraphSurgeonError, UnsupportedError  # noqa: E402  # the path has to be set first
from graphsurgeon.formats import read, write  # noqa: E402  # the path has to be set first
from graphsurgeon.surgery.freeze import freeze  # noqa: E402  # the path has to be set first
from tests.oracle import sessions  # noqa: E402  # the path has to be set first
from tests.oracle.freeze_models import BUILDERS, Feeds  # noqa: E402  # the path has to be set first
from tests.oracle.signature_runs import Source, signatures  # noqa: E402  # the path has to be set first

# Keras applications and the smallest pictures they take; weights are random.
APPLICATIONS = {
    "MobileNet": 64, "MobileNetV2": 64, "MobileNetV3Small": 64, "EfficientNetB0": 64, "EfficientNetV2B0": 64,
    "DenseNet121": 64, "ResNet50": 64, "ResNet50V2": 64, "InceptionV3": 75, "Xception": 71, "NASNetMobile": 64,
    "ConvNeXtTiny": 64,
}  # fmt: skip
Case = tuple[str, Path, list[str], str, "Feeds | None"]
Names = tuple[Mapping[str, str], Mapping[str, str]]  # feeds and fetches: signature key -> tensor
WAYS: dict[str, Callable[[Path, list[str], str, Path], Names]] = {}


def main() -> None:
    """Try the models named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, help="folders with SavedModels")
    parser.add_argument("--kinds", action="store_true", help="the kinds of model that the tests build")
    parser.add_argument("--applications", action="store_true", help="Keras applications with random weights")
    parser.add_argument("--all", action="store_true", help="print a line for those that all three freeze, too")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    totals = {way: Counter[str]() for way in WAYS}
    count = 0
    with tempfile.TemporaryDirectory() as folder:
        for case in cases(options, Path(folder)):
            verdicts = judge(case, Path(folder) / "frozen.pb")
            if verdicts is None:
                continue
            count += 1
            for way, verdict in verdicts.items():
                totals[way][verdict.partition(":")[0]] += 1
            if options.all or any(verdict != "bit" for verdict in verdicts.values()):
                print(case[0], *(f"{way} {verdict}" for way, verdict in verdicts.items()), sep=" | ", flush=True)
    print(f"\n{count} signatures that run")
    for way, total in totals.items():
        print(f"{way:5}", ", ".join(f"{number} {verdict}" for verdict, number in total.most_common()))


def cases(options: argparse.Namespace, scratch: Path) -> Iterator[Case]:
    """Yield name, path, tags and signature of each model, and what to feed if that is known."""
    for name, build in BUILDERS.items() if options.kinds else ():
        feeds = build(scratch / name)
        yield name, scratch / name, ["serve"], "serving_default", feeds
    for name, size in APPLICATIONS.items() if options.applications else ():
        yield name, application(name, size, scratch / name), ["serve"], "serving_default", None
    for folder in options.folders:
        for path, tags, key in signatures(folder):
            yield f"{path.parent.name}/{path.name}:{key}", path, tags, key, None


def application(name: str, size: int, path: Path) -> Path:
    """Export a Keras application."""
    import keras

    keras.utils.set_random_seed(1)
    network = getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3), classes=10)
    network.export(str(path), verbose=False)
    return path


def judge(case: Case, target: Path) -> dict[str, str] | None:
    """Freeze a model in each way and compare; None if TensorFlow does not run its source."""
    _, path, tags, key, feeds = case
    try:
        source = Source(path, tags, key, feeds)
    except Exception:  # whatever TensorFlow raises for a model that it cannot load or run
        return None
    verdicts = {}
    for way, convert in WAYS.items():
        target.unlink(missing_ok=True)
        try:
            names = convert(path, tags, key, target)
            different = source.disagreements(target, *names)
            bits = [one for one in different if one.endswith("False")]
            verdicts[way] = "wrong" if len(bits) < len(different) else "close" if bits else "bit"
        except (UnsupportedError, GraphSurgeonError) as error:
            verdicts[way] = f"refused: {str(error)[:100]}"
        except Exception as error:  # as above, for the frozen graph
            verdicts[way] = f"fails: {' '.join(str(error).split())[:100]}"
    return verdicts


def ours(path: Path, tags: list[str], key: str, target: Path) -> Names:
    """Freeze with this package."""
    model = read(path)
    report = freeze(model, signature=key, tags=tags or ["none"])
    write(model, target)
    return report.feeds, report.fetches


def v2(path: Path, tags: list[str], key: str, target: Path) -> Names:
    """Freeze as TensorFlow 2 does."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    loaded = tf.saved_model.load(str(path), tags)  # whose variables live as long as it does
    function = loaded.signatures[key]
    frozen = convert_variables_to_constants_v2(function)
    target.write_bytes(frozen.graph.as_graph_def().SerializeToString())
    keys = [key for key, _ in sorted(function.structured_outputs.items())]
    feeds = {tensor.name.removesuffix(":0"): tensor.name for tensor in frozen.inputs}
    return feeds, dict(zip(keys, [tensor.name for tensor in frozen.outputs], strict=True))


def v1(path: Path, tags: list[str], key: str, target: Path) -> Names:
    """Freeze as TensorFlow 1 did."""
    import tensorflow as tf

    with sessions.saved_model(path, tags, optimize=True) as model:
        inputs, outputs = model.signature(key)
        nodes = sorted({endpoint.name.partition(":")[0] for endpoint in outputs.values()})
        graph = tf.compat.v1.graph_util.convert_variables_to_constants(
            model.session, model.session.graph.as_graph_def(), nodes
        )
    target.write_bytes(graph.SerializeToString())
    kept = {node.name for node in graph.node}
    feeds = {key: endpoint.name for key, endpoint in inputs.items() if endpoint.name.partition(":")[0] in kept}
    return feeds, {key: endpoint.name for key, endpoint in outputs.items()}


WAYS.update(ours=ours, v2=v2, v1=v1)

if __name__ == "__main__":
    main()
