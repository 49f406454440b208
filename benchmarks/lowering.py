"""How many networks of ONNX become TensorFlow's with equal numbers: the onnx package's own cases, and files.

    python -m benchmarks.lowering                   # cases of the onnx package
    python -m benchmarks.lowering --corpus FOLDER   # and every .onnx below a folder, against ONNX Runtime
    python -m benchmarks.lowering --files FOLDER    # files alone, told by the folders they lie in (torch_exports.py)
    python -m benchmarks.lowering --only 'test_conv*' --verbose

A case is *equal*, *refused* (by name, before anything is written), or *wrong*: other numbers, an error of
TensorFlow, a crash. Counted are the cases that ONNX Runtime runs with the values they say; files are run at two batch
sizes with seeded inputs. `docs/lowering.md` has the tables. It takes some minutes, one process at a time.
"""

from __future__ import annotations

import argparse
import fnmatch
import multiprocessing
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from graphsurgeon.errors import GraphSurgeonError
from tests.oracle.lowered import LoweredModel, first_difference

AT_ONCE = 100  # cases that one process runs; TensorFlow may end it
BATCHES = (1, 2)
SIDES = (48, 96)  # of images whose sides are not said: not equal, so that exchanged ones show


class Case(NamedTuple):
    """A model with inputs and what comes out of them."""

    name: str
    group: str
    path: Path
    runs: list[tuple[list[Any], list[Any]]]


class Outcome(NamedTuple):
    """What became of a case: "equal", "refused" or "wrong", and why."""

    kind: str
    why: str = ""


def main() -> None:
    """Run the cases and print the tables."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        cases = list(_cases(Path(folder), options))
        outcomes = _outcomes(cases)
        _print_groups(cases, outcomes)
        _print_table("op", cases, outcomes, _ops_of)
        _print_table("opset", cases, outcomes, _opset_of)
    for case in cases:
        if options.verbose:
            print(case.name, *outcomes[case.name])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, help="a folder with .onnx files")
    parser.add_argument("--files", type=Path, help="the same, without cases, and a row for each folder in it")
    parser.add_argument("--only", default="*", help="a glob on the names of cases")
    parser.add_argument("--verbose", action="store_true", help="a line a case")
    return parser.parse_args()


# -- cases -------------------------------------------------------------------------------------------------


def _cases(folder: Path, options: argparse.Namespace) -> Iterator[Case]:
    if options.files is not None:
        yield from _files(options.files, options.only, by_folder=True)
        return
    for case in (*_node_cases(folder), *_stored_cases()):
        if fnmatch.fnmatch(case.name, options.only) and _runs_right(case):
            yield case
    if options.corpus is not None:
        yield from _files(options.corpus, options.only)


def _node_cases(folder: Path) -> Iterator[Case]:
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        collected = collect_testcases(None)
    for case in collected:
        if case.model is not None:
            path = folder / f"{case.name}.onnx"
            path.write_bytes(case.model.SerializeToString())
            runs = [([_array(one) for one in given], [_array(one) for one in found]) for given, found in case.data_sets]
            yield Case(case.name, "node cases", path, runs)


def _stored_cases() -> Iterator[Case]:
    import onnx
    from onnx.backend import test

    for path in sorted(Path(test.__file__).parent.glob("data/*/*/model.onnx")):
        runs = []
        for data in sorted(path.parent.glob("test_data_set_*")):
            sides = []
            for side in ("input", "output"):
                count = len(list(data.glob(f"{side}_*.pb")))
                try:
                    tensors = [onnx.load_tensor(data / f"{side}_{number}.pb") for number in range(count)]
                    sides.append([_array(one) for one in tensors])
                except ValueError:  # sequences and maps
                    sides.append([])
            runs.append((sides[0], sides[1]))
        yield Case(f"{path.parent.parent.name}/{path.parent.name}", "stored cases", path, runs)


def _array(given: Any) -> Any:
    from onnx import TensorProto, numpy_helper

    return numpy_helper.to_array(given) if isinstance(given, TensorProto) else given


def _runs_right(case: Case) -> bool:
    """Say whether ONNX Runtime gives what the case says."""
    session = _session(case.path)
    if session is None:
        return False
    names = [one.name for one in session.get_inputs()]
    try:
        return all(
            not first_difference(session.run(None, dict(zip(names, map(_fed, given), strict=False))), found)
            for given, found in case.runs
        )
    except Exception:  # whatever ONNX Runtime raises
        return False


def _fed(given: Any) -> Any:
    return given if isinstance(given, list | dict) else np.asarray(given)


def _session(path: Path, *, optimized: bool = True) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception:  # whatever ONNX Runtime raises
        return None


def _files(folder: Path, only: str, *, by_folder: bool = False) -> Iterator[Case]:
    for path in sorted(folder.rglob("*.onnx")):
        if not fnmatch.fnmatch(str(path.relative_to(folder)), only):
            continue
        session = _session(path)
        if session is None or not _is_standard(path):
            continue
        runs = [run for batch in BATCHES if (run := _run(session, batch)) is not None]
        name = path.relative_to(folder)
        if runs and not _agrees_with_itself(session, path, runs):
            print(f"{name}: ONNX Runtime gives other numbers without its optimizations")
        elif runs:
            yield Case(str(name), name.parts[0] if by_folder else "files", path, runs)
        elif by_folder:
            print(f"{name}: ONNX Runtime does not run it")


def _run(session: Any, batch: int) -> tuple[list[Any], list[Any]] | None:
    """Return seeded inputs and what comes of them, None where the model does not bear such inputs."""
    try:
        feeds = {one.name: _made(one, batch) for one in session.get_inputs()}
        return list(feeds.values()), session.run(None, feeds)
    except Exception:  # whatever ONNX Runtime raises
        return None


def _agrees_with_itself(session: Any, path: Path, runs: Any) -> bool:
    """Say whether a network's numbers do not hang on the last digits of those inside it."""
    names = [one.name for one in session.get_inputs()]
    plain = _session(path, optimized=False)
    return plain is None or all(
        not first_difference(plain.run(None, dict(zip(names, given, strict=True))), found) for given, found in runs
    )


def _is_standard(path: Path) -> bool:
    import onnx

    return all(node.domain in ("", "ai.onnx") for node in onnx.load(path, load_external_data=False).graph.node)


def _made(info: Any, batch: int) -> Any:
    rng = np.random.default_rng(batch)
    dims = []
    for axis, dim in enumerate(info.shape or ()):
        is_side = len(info.shape) == 4 and axis >= 2
        unknown = batch if axis == 0 else SIDES[axis - 2] if is_side else 6
        dims.append(dim if isinstance(dim, int) and dim > 0 else unknown)
    kind = {"float": "float32", "double": "float64"}.get(info.type[7:-1], info.type[7:-1])
    if kind == "string":
        return np.full(dims, "a", object)
    if kind == "bool":
        return rng.random(dims) > 0.5
    dtype = np.dtype(kind)
    return rng.integers(0, 3, dims).astype(dtype) if dtype.kind in "iu" else rng.standard_normal(dims).astype(dtype)


# -- running -----------------------------------------------------------------------------------------------


def _outcomes(cases: list[Case]) -> dict[str, Outcome]:
    """Run the cases in processes of their own: one that dies says which case ended it."""
    found: dict[str, Outcome] = {}
    waiting = list(cases)
    context = multiprocessing.get_context("spawn")
    while waiting:
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_run_all, args=(waiting[:AT_ONCE], theirs))
        process.start()
        theirs.close()
        before = len(found)
        while True:
            try:
                name, outcome = ours.recv()
            except EOFError:
                break
            found[name] = outcome
            if outcome.kind != "equal":
                print(name, *outcome, flush=True)
        process.join()
        done = len(found) - before
        if process.exitcode:
            found[waiting[done].name] = Outcome("wrong", f"TensorFlow ended the process: {process.exitcode}")
        waiting = [case for case in waiting if case.name not in found]
    return found


def _run_all(cases: list[Case], results: Any) -> None:
    for case in cases:
        results.send((case.name, _outcome(case)))


def _outcome(case: Case) -> Outcome:
    try:
        lowered = LoweredModel(case.path)
    except GraphSurgeonError as error:
        return Outcome("refused", str(error))
    try:
        for given, wanted in case.runs:
            feeds = dict(zip(lowered.inputs, map(_fed, given), strict=False))
            different = first_difference(lowered.run(feeds), wanted)
            if different:
                return Outcome("wrong", different)
    except Exception as error:  # whatever TensorFlow raises
        return Outcome("wrong", f"{type(error).__name__}: {str(error)[:200]}")
    return Outcome("equal")


# -- tables ------------------------------------------------------------------------------------------------


def _print_groups(cases: list[Case], outcomes: Mapping[str, Outcome]) -> None:
    print("| cases | run by ONNX Runtime | equal | refused | wrong |\n|---|---|---|---|---|")
    for group in dict.fromkeys(case.group for case in cases):
        names = [case.name for case in cases if case.group == group]
        counts = Counter(outcomes[name].kind for name in names)
        share = 100 * counts["equal"] / len(names)
        row = f"{counts['equal']:,} ({share:.1f} %) | {counts['refused']:,} | {counts['wrong']:,}"
        print(f"| {group} | {len(names):,} | {row} |")


def _print_table(what: str, cases: list[Case], outcomes: Mapping[str, Outcome], keys_of: Any) -> None:
    counts: dict[Any, Counter[str]] = {}
    for case in cases:
        for key in keys_of(case):
            counts.setdefault(key, Counter())[outcomes[case.name].kind] += 1
    print(f"\n| {what} | equal | refused | wrong |\n|---|---|---|---|")
    for key in sorted(counts):
        print(f"| {key} | {counts[key]['equal']} | {counts[key]['refused']} | {counts[key]['wrong']} |")


def _ops_of(case: Case) -> set[str]:
    import onnx

    return {node.op_type for node in onnx.load(case.path, load_external_data=False).graph.node}


def _opset_of(case: Case) -> set[int]:
    import onnx

    opsets = onnx.load(case.path, load_external_data=False).opset_import
    return {one.version for one in opsets if one.domain in ("", "ai.onnx")}


if __name__ == "__main__":
    main()
