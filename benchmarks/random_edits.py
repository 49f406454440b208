"""Random sequences of three to six edits: does TensorFlow or LiteRT load the result, and compute the same?

    python benchmarks/random_edits.py [--sequences 200] [--first 0] [--only tflite] [FOLDER...]

Models are those of `fixtures/` and of the folders that are named: SavedModels with a signature that runs, frozen
graphs, TFLite models. A sequence is a number, which chooses the model and the edits; each runs in a process of its own.
An edit that is refused (exit status 2 or 4) is counted and another one is taken. Results are equal to the bit with
TensorFlow's optimizer off, or close where an edit says that it is no more than that. Each sequence that does not hold
is a line; at the end stand the counts.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import shlex
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

LARGEST = 20 << 20  # bytes of a model
ANSWER = "answer.json"  # in the folder of a sequence
TRIES = 12  # edits that are tried for one that is taken
SECONDS = 120  # of CPU for a sequence
CLOSE = ("optimize", "replace")  # edits after which numbers may be close only
MAY_BE_CLOSE = 0.5  # of sequences take them


class NotRunnableError(Exception):
    """The runtime does not run the source with anything that was tried: no sequence is begun."""


@dataclass(frozen=True)
class State:
    """A model between two edits, and under which names it has what the source had.

    Attributes:
        path: of the model.
        kind: "saved_model", "graph" or "tflite".
        tags, key: of the signature that is run.
        inputs, outputs: name in the source -> key of the signature, tensor of a graph, place among inputs of TFLite.
        is_close: whether an edit has changed more than no bit.
        is_loaded: whether `tf.saved_model.load` takes the source.
    """

    path: Path
    kind: str
    tags: tuple[str, ...] = ()
    key: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    is_close: bool = False
    is_loaded: bool = False


Edit = tuple[list[str], Callable[[State, dict[str, Any]], State]]


def same(state: State, report: dict[str, Any]) -> State:
    """Return the state after an edit that changes no name that matters."""
    return state


# ---------------------------------------------------------------- edits


def edits(state: State, names: dict[str, list[str]], number: int, chance: random.Random) -> Edit:
    """Return the words of an edit that may fit, and what it makes of the state."""
    choices = {"saved_model": SAVED_MODEL, "graph": GRAPH, "tflite": TFLITE}[state.kind]
    return chance.choice(choices)(state, names, number, chance)


def _one(names: list[str], chance: random.Random) -> str:
    return chance.choice(names) if names else "none"


def _rename_nodes(state: State, names: dict[str, list[str]], number: int, chance: random.Random) -> Edit:
    if state.kind == "graph":
        mapped = {name: f"p{number}/{tensor}" for name, tensor in {**state.inputs, **state.outputs}.items()}

        def renamed(state: State, report: dict[str, Any]) -> State:
            inputs = {name: mapped[name] for name in state.inputs}
            return replace(state, inputs=inputs, outputs={name: mapped[name] for name in state.outputs})

        return ["rename", "--prefix", f"p{number}/"], renamed
    return ["rename", "--regex", rf"s|^(\w+)|n{number}_\1|"], same


def _rename_one(state: State, names: dict[str, list[str]], number: int, chance: random.Random) -> Edit:
    name = _one(names["nodes"], chance)
    if state.kind == "graph" and name in {tensor.partition(":")[0] for tensor in _tensors(state)}:
        return ["strip"], same
    return ["rename", f"{name}=one{number}"], same


def _tensors(state: State) -> list[str]:
    return [*state.inputs.values(), *state.outputs.values()]


def _rename_variables(state: State, names: dict[str, list[str]], number: int, chance: random.Random) -> Edit:
    return ["rename", "--what", "variables", "--prefix", f"v{number}/"], same


def _rename_functions(state: State, names: dict[str, list[str]], number: int, chance: random.Random) -> Edit:
    return ["rename", "--what", "functions", "--prefix", f"f{number}_"], same


def _rename_key(state: State, names: dict[str, list[str]], number: int, chance: random.Random) -> Edit:
    key = _one(_tensors(state), chance)

    def renamed(state: State, report: dict[str, Any]) -> State:
        def new(known: Mapping[str, str]) -> dict[str, str]:
            return {name: f"key{number}" if old == key else old for name, old in known.items()}

        return replace(state, inputs=new(state.inputs), outputs=new(state.outputs))

    return ["rename", "--what", "keys", f"{state.key}.{key}=key{number}"], renamed


def _rename_signature(state: State, names: dict[str, list[str]], number: int, chance: random.Random) -> Edit:
    return ["rename", "--what", "signatures", f"{state.key}=sig{number}"], lambda state, _: replace(
        state, key=f"sig{number}"
    )


def _add_output(state: State, names: dict[str, list[str]], number: int, chance: random.Random) -> Edit:
    words = ["add-output", f"{_one(names['values'], chance)}=out{number}"]
    if state.kind == "saved_model" and chance.random() < 0.6:
        words += ["--signature", state.key]
    if state.kind != "tflite" and chance.random() < 0.3:
        words += ["--rewire"]
    return words, same


def _add_signature(state: State, names: dict[str, list[str]], number: int, chance: random.Random) -> Edit:
    if state.kind == "graph":
        words = ["add-signature", "--name", "made", "TO_FOLDER"]
        words += [word for name, tensor in state.inputs.items() for word in ("--input", f"{_key(name)}={tensor}")]
        words += [word for name, tensor in state.outputs.items() for word in ("--output", f"{_key(name)}={tensor}")]

        def made(state: State, report: dict[str, Any]) -> State:
            inputs = {name: _key(name) for name in state.inputs}
            outputs = {name: _key(name) for name in state.outputs}
            return replace(state, kind="saved_model", tags=("serve",), key="made", inputs=inputs, outputs=outputs)

        return words, made
    return ["add-signature", "--name", f"more{number}", "--output", f"y={_one(names['values'], chance)}"], same


def _key(name: str) -> str:
    return "".join(sign if sign.isalnum() else "_" for sign in name)


def _strip(state: State, names: dict[str, list[str]], number: int, chance: random.Random) -> Edit:
    words = ["strip"]
    if chance.random() < 0.3:
        words += [
            "--only",
            chance.choice(("unreachable", "functions", "assertions", "identities", "devices", "defaults")),
        ]
    if state.kind == "graph":
        words += [word for tensor in _tensors(state) for word in ("--outputs", tensor)]
    return words, same


def _optimize(state: State, names: dict[str, list[str]], number: int, chance: random.Random) -> Edit:
    if chance.random() < 0.3:
        return ["optimize", "--only", "all"], lambda state, _: replace(state, is_close=True)
    return ["optimize"], same


def _replace(state: State, names: dict[str, list[str]], number: int, chance: random.Random) -> Edit:
    from graphsurgeon.patterns.rules import rule_names

    return ["replace", "--rule", chance.choice(rule_names())], lambda state, _: replace(state, is_close=True)


def _extract(state: State, names: dict[str, list[str]], number: int, chance: random.Random) -> Edit:
    words = ["extract"]
    outputs = names["outputs"] if state.kind == "tflite" else list(state.outputs.values())
    mark = "key:" if state.kind == "saved_model" else ""
    words += [word for output in dict.fromkeys(outputs) for word in ("--outputs", mark + output)]
    if state.kind == "saved_model":
        return words, lambda state, _: replace(state, key="serving_default")
    if state.kind == "graph":
        return words, same

    def cut(state: State, report: dict[str, Any]) -> State:
        before, after = names["inputs"], [item["name"] for item in report["inputs"]]
        now = {name: before[int(place)] for name, place in state.inputs.items()}
        return replace(state, inputs={name: str(after.index(one)) for name, one in now.items() if one in after})

    return words, cut


def _freeze(state: State, names: dict[str, list[str]], number: int, chance: random.Random) -> Edit:
    if chance.random() < 0.5:
        return ["freeze", "--signature", state.key, "TO_FOLDER"], same

    def frozen(state: State, report: dict[str, Any]) -> State:
        done = report["steps"][0]["report"] if "steps" in report else report
        feeds, fetches = done["feeds"], done["fetches"]
        inputs = {name: feeds[key] for name, key in state.inputs.items() if key in feeds}
        return replace(
            state, kind="graph", inputs=inputs, outputs={name: fetches[key] for name, key in state.outputs.items()}
        )

    words = ["freeze", "--signature", state.key, "TO_GRAPH"]
    return [*words, *(["--keep-functions"] if chance.random() < 0.3 else [])], frozen


def _there_and_back(state: State, names: dict[str, list[str]], number: int, chance: random.Random) -> Edit:
    if state.kind == "graph":
        return ["convert", "TO_TEXT"], same
    return ["convert", "TO_FOLDER" if chance.random() < 0.5 else "TO_META"], same


def _set_shape(state: State, names: dict[str, list[str]], number: int, chance: random.Random) -> Edit:
    shapes = names["shapes"]
    if not shapes:
        return ["strip"], same
    name, _, shape = _one(shapes, chance).rpartition("=")
    current = state.inputs.get(name, name)
    dims = shape.split(",")
    if chance.random() < 0.4 and dims[0]:
        dims[0] = "?"
    return ["set-input", "--shape", f"{current}={','.join(dims) or '()'}"], same


def _metadata(state: State, names: dict[str, list[str]], number: int, chance: random.Random) -> Edit:
    return ["metadata", *chance.choice((["--norm", "127.5,127.5"], ["--remove"]))], same


SAVED_MODEL = (
    _rename_nodes, _rename_one, _rename_variables, _rename_functions, _rename_key, _rename_signature, _add_output,
    _add_output, _add_signature, _strip, _optimize, _replace, _extract, _freeze, _there_and_back, _set_shape,
)  # fmt: skip
GRAPH = (
    _rename_nodes, _rename_one, _rename_functions, _add_output, _add_signature, _strip, _optimize, _replace, _extract,
    _there_and_back, _set_shape,
)  # fmt: skip
TFLITE = (
    _rename_nodes, _rename_one, _rename_signature, _add_output, _strip, _replace, _extract, _metadata, _set_shape,
)  # fmt: skip


# ---------------------------------------------------------------- one sequence


def sequence(number: int, models: Sequence[Path], folder: Path) -> dict[str, Any]:
    """Edit a model and compare; return what happened."""
    chance = random.Random(number)
    path = chance.choice(models)
    told: dict[str, Any] = {"number": number, "model": str(path), "edits": [], "refused": Counter()}
    answer = folder / ANSWER
    answer.write_text(json.dumps({**told, "outcome": "source not run", "why": "its process died"}))
    try:
        state, feeds, expected = _begin(path, folder, chance)
    except NotRunnableError as reason:
        return {**told, "outcome": "source not run", "why": str(reason)}
    count = chance.randrange(3, 7)
    may_be_close = chance.random() < MAY_BE_CLOSE
    for step in range(count):
        for attempt in range(TRIES):
            words, after = edits(state, _names(state, feeds), 100 * step + attempt, chance)
            if words[0] in CLOSE and not may_be_close:
                continue
            out, words = _placed(words, state, folder / f"{step}-{attempt}")
            status, said = _gs([words[0], str(state.path), *words[1:], "-o", str(out), "--json"])
            if status not in (0, 2, 4):
                return {**told, "outcome": f"exit {status}", "why": said[-300:], "last": shlex.join(words)}
            if status:
                told["refused"][words[0]] += 1
                continue
            settled = _settle(replace(after(state, json.loads(said)), path=out), folder / f"{step}-{attempt}-back")
            if settled is None:
                told["refused"][words[0]] += 1
                continue
            told["edits"].append(shlex.join(words))
            state = _with_tags(settled)
            break
    if not told["edits"]:
        return {**told, "outcome": "nothing done"}
    answer.write_text(json.dumps({**told, "outcome": "process died", "path": str(state.path)}))
    return {**told, **_compare(state, feeds, expected), "path": str(state.path)}


def _placed(words: list[str], state: State, place: Path) -> tuple[Path, list[str]]:
    suffixes = {"TO_FOLDER": "", "TO_GRAPH": ".pb", "TO_TEXT": ".pbtxt", "TO_META": ".meta"}
    wanted = next((suffixes[word] for word in words if word in suffixes), None)
    own = {"saved_model": "", "graph": ".pb", "tflite": ".tflite"}[state.kind]
    return Path(f"{place}{own if wanted is None else wanted}"), [word for word in words if word not in suffixes]


def _settle(state: State, back: Path) -> State | None:
    """Turn what a runtime does not load by itself (text, a `.meta`) back into what it does; None if that is refused."""
    own = {".pbtxt": ".pb", ".meta": ""}.get(state.path.suffix)
    if own is None:
        return state
    target = Path(f"{back}{own}")
    status, said = _gs(["convert", str(state.path), str(target), "--json"])
    if status in (2, 4):  # a `.meta` holds no files of assets
        return None
    if status:
        raise RuntimeError(f"not converted back: {said[-300:]}")
    return replace(state, path=target)


def _with_tags(state: State) -> State:
    """Return the state with the tags that its signature has now: what becomes a SavedModel gets some."""
    from graphsurgeon.formats import read

    found = [one.tags for one in read(state.path).metagraphs if state.key in one.signatures and one.tags is not None]
    has_them = list(state.tags) in [list(tags) for tags in found]
    return state if has_them or len(found) != 1 else replace(state, tags=tuple(found[0]))


def _gs(words: list[str]) -> tuple[int, str]:
    from graphsurgeon.cli import app

    out, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        status = app.run(words)
    return status, out.getvalue() if not status else error.getvalue()


def _names(state: State, feeds: Mapping[str, Any]) -> dict[str, list[str]]:
    from graphsurgeon.formats import read

    model = read(state.path)
    graph = model.metagraphs[0].graph
    shapes = [f"{name}={','.join(map(str, value.shape))}" for name, value in feeds.items()]
    return {
        "nodes": [node.name for graph in model.graphs for node in graph.nodes],
        "values": [value.name for value in graph.values]
        or [str(value) for node in graph.nodes for value in node.outputs],
        "inputs": [value.name or "" for value in graph.inputs],
        "outputs": [output.value.name for output in graph.outputs if output.value is not None],
        "shapes": shapes,
    }


def _begin(path: Path, folder: Path, chance: random.Random) -> tuple[State, dict[str, Any], dict[str, Any]]:
    if path.suffix == ".tflite":
        return _begin_tflite(path)
    if path.suffix in (".pb", ".pbtxt") and path.is_file():
        return _begin_graph(path, folder)
    return _begin_saved_model(path, chance)


def _begin_saved_model(path: Path, chance: random.Random) -> tuple[State, dict[str, Any], dict[str, Any]]:
    import tensorflow as tf

    from graphsurgeon.errors import GraphSurgeonError
    from graphsurgeon.formats import read
    from tests.oracle.signature_runs import DoesNotRunError, Source

    try:
        metagraph = chance.choice(read(path).metagraphs)
    except GraphSurgeonError as error:
        raise NotRunnableError(str(error)) from error
    keys = [key for key in metagraph.signatures if not key.startswith("__")]
    if not keys or metagraph.tags is None:
        raise NotRunnableError("no signature")
    key = chance.choice(keys)
    try:
        source = Source(path, list(metagraph.tags), key)
    except (DoesNotRunError, RuntimeError, ValueError, KeyError, TypeError, OSError, tf.errors.OpError) as error:
        raise NotRunnableError(str(error)[:200]) from error
    if any("." in name for name in (*source.feeds, *source.expected[False])):
        raise NotRunnableError("composite ends")
    state = State(
        path, "saved_model", tuple(metagraph.tags), key, {name: name for name in source.feeds},
        {name: name for name in source.expected[False]},
    )  # fmt: skip
    try:
        _load(state)
        state = replace(state, is_loaded=True)
    except Exception:  # objects of packages that are not here, for one
        pass
    return state, dict(source.feeds), dict(source.expected[False])


def _begin_graph(path: Path, folder: Path) -> tuple[State, dict[str, Any], dict[str, Any]]:
    import tensorflow as tf

    from graphsurgeon.analysis.candidates import likely_outputs
    from graphsurgeon.errors import GraphSurgeonError
    from graphsurgeon.formats import read
    from tests.oracle import sessions

    copy = folder / "source.pb"
    try:
        model = read(path)
        outputs = [
            found.value.name for found in likely_outputs(model.metagraphs[0])[:3] if found.value.graph.kind == "main"
        ]
    except (GraphSurgeonError, AttributeError) as error:
        raise NotRunnableError(str(error)) from error
    if path.suffix == ".pb":
        shutil.copyfile(path, copy)
    elif _gs(["convert", str(path), str(copy), "--json"])[0]:
        raise NotRunnableError("not converted")
    try:
        graph_def = tf.compat.v1.GraphDef.FromString(copy.read_bytes())
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(graph_def, name="")
        inputs = {
            f"{one.name}:0": sessions.Endpoint(f"{one.name}:0", one.get_attr("dtype"), _dims(one.outputs[0].shape))
            for one in graph.get_operations() if one.type == "Placeholder"
        }  # fmt: skip
        for feeds in sessions.candidates(inputs, graph):
            with contextlib.suppress(tf.errors.OpError, ValueError):
                expected = sessions.run_graph_def(copy, {name: name for name in outputs}, feeds, optimize=False)
                names = {name: name for name in inputs}
                return State(copy, "graph", (), "", names, {name: name for name in outputs}), feeds, expected
    except Exception as error:  # whatever TensorFlow says of a graph of others
        raise NotRunnableError(str(error)[:200]) from error
    raise NotRunnableError("no feeds fit")


def _dims(shape: Any) -> list[int | None] | None:
    return None if shape.rank is None else list(shape.as_list())


def _begin_tflite(path: Path) -> tuple[State, dict[str, Any], dict[str, Any]]:
    try:
        feeds, expected = _invoke(path, None)
    except (RuntimeError, ValueError, TypeError, KeyError) as error:
        raise NotRunnableError(str(error)[:200]) from error
    return State(path, "tflite", inputs={place: place for place in feeds}), feeds, expected


def _invoke(
    path: Path, feeds: Mapping[str, Any] | None, most: int | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run a TFLite model; inputs and outputs are named by their places. Of outputs `most` are fetched."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    details = interpreter.get_input_details()
    given = {}
    for place, item in enumerate(details):
        if feeds is not None:
            given[str(place)] = feeds[str(place)]
            interpreter.resize_tensor_input(item["index"], given[str(place)].shape)
            continue
        source = np.random.default_rng(place)
        shape = tuple(item["shape"])
        if item["dtype"] in (np.object_, np.bytes_, np.str_):
            raise ValueError("strings go in")
        whole = np.issubdtype(item["dtype"], np.integer) or item["dtype"] == np.bool_
        value = source.integers(0, 2, shape) if whole else source.normal(size=shape)
        given[str(place)] = value.astype(item["dtype"])
    interpreter.allocate_tensors()
    for place, item in enumerate(details):
        interpreter.set_tensor(item["index"], given[str(place)])
    interpreter.invoke()
    outputs = interpreter.get_output_details()[:most]
    return given, {str(place): np.array(interpreter.get_tensor(item["index"])) for place, item in enumerate(outputs)}


def _compare(state: State, feeds: Mapping[str, Any], expected: Mapping[str, Any]) -> dict[str, Any]:
    from tests.oracle import sessions

    try:
        got = _results(state, feeds, len(expected))
    except Exception as error:  # whatever a runtime says: it is the answer
        return {"outcome": "does not run", "why": f"{type(error).__name__}: {error}"[:400]}
    equal = sessions.close if state.is_close else sessions.same_bits
    different = [name for name, value in expected.items() if name not in got or not equal(value, got[name])]
    if different:
        return {
            "outcome": "differs",
            "why": f"{different[0]}: {expected[different[0]]!r} became {got.get(different[0])!r}"[:400],
        }
    return {"outcome": "close" if state.is_close else "equal"}


def _results(state: State, feeds: Mapping[str, Any], most: int) -> dict[str, Any]:
    from tests.oracle import sessions

    if state.kind == "tflite":
        fed = {state.inputs[name]: feeds[name] for name in state.inputs}
        return _invoke(state.path, fed, most)[1]
    if state.kind == "graph":
        fed = {state.inputs[name]: value for name, value in feeds.items() if name in state.inputs}
        fed = {name: value for name, value in fed.items() if _is_there(state.path, name)}
        return sessions.run_graph_def(state.path, state.outputs, fed, optimize=False)
    with sessions.saved_model(state.path, state.tags, optimize=False) as model:
        inputs, outputs = model.signature(state.key)
        fetches = {name: outputs[key].name for name, key in state.outputs.items()}
        fed = {
            inputs[state.inputs[name]].name: value
            for name, value in feeds.items() if state.inputs.get(name) in inputs
        }  # fmt: skip
        got: dict[str, Any] = model.run(fetches, fed)
    if state.is_loaded:
        _load(state)
    return got


def _is_there(path: Path, tensor: str) -> bool:
    from graphsurgeon.formats import read

    return read(path).metagraphs[0].graph.node(tensor.partition(":")[0]) is not None


def _load(state: State) -> None:
    """Have `tf.saved_model.load` load a model too."""
    import tensorflow as tf

    tf.saved_model.load(str(state.path), tags=list(state.tags))


# ---------------------------------------------------------------- all of them


def main() -> int:
    """Run the sequences; print those that do not hold, and the counts."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--sequences", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", choices=("saved_model", "graph", "tflite"))
    parser.add_argument("--keep", help="a folder in which results that do not hold stay")
    parser.add_argument("-v", action="store_true", help="a line for each sequence")
    parser.add_argument("folders", nargs="*", type=Path)
    options = parser.parse_args()
    import ai_edge_litert.interpreter  # noqa: F401  imported once for all children
    import tensorflow  # noqa: F401

    found = _models([ROOT / "fixtures", *options.folders], options.only)
    outcomes: Counter[str] = Counter()
    edited: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for number in range(options.first, options.first + options.sequences):
        told = _apart(number, found, options.keep)
        outcomes[told["outcome"]] += 1
        edited.update(edit.partition(" ")[0] for edit in told["edits"])
        refused.update(told["refused"])
        if options.v or told["outcome"] not in ("equal", "close", "source not run", "nothing done"):
            print(json.dumps(told), flush=True)
    print(f"{len(found)} models, {options.sequences} sequences: {dict(outcomes)}")
    print(f"edits done: {dict(edited)}\nedits refused: {dict(refused)}")
    good = ("equal", "close", "source not run", "nothing done")
    return int(any(outcome not in good for outcome in outcomes))


def _models(folders: Sequence[Path], only: str | None) -> list[Path]:
    found: dict[str, list[Path]] = {"saved_model": [], "graph": [], "tflite": []}
    for folder in folders:
        for file in sorted(folder.rglob("*")):
            if "hostile" in file.parts or not file.is_file() or file.stat().st_size > LARGEST:
                continue
            if file.name in ("saved_model.pb", "saved_model.pbtxt"):
                found["saved_model"].append(file.parent)
            elif (
                file.suffix in (".pb", ".pbtxt") and file.name != "keras_metadata.pb" and file.name != "fingerprint.pb"
            ):
                found["graph"].append(file)
            elif file.suffix == ".tflite":
                found["tflite"].append(file)
    return found[only] if only else [path for paths in found.values() for path in paths]


def _apart(number: int, models: Sequence[Path], keep: str | None) -> dict[str, Any]:
    """Run a sequence in a process of its own: runtimes abort on some models."""
    import resource

    with tempfile.TemporaryDirectory() as name:
        folder = Path(keep or name) / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        answer = folder / ANSWER
        child = os.fork()
        if not child:
            resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
            sink = os.open(os.devnull, os.O_WRONLY)
            os.dup2(sink, 2)
            os.chdir(folder)
            try:
                told = sequence(number, models, folder)
            except BaseException as error:
                import traceback

                told = {"number": number, "edits": [], "refused": {}, "outcome": "error",
                        "why": f"{error!r} {traceback.format_exc()[-600:]}"}  # fmt: skip
            answer.write_text(json.dumps(told))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not answer.exists():
            return {"number": number, "edits": [], "refused": {}, "outcome": "process died", "why": str(status)}
        told = json.loads(answer.read_text())
        if keep and told["outcome"] in ("equal", "close", "source not run", "nothing done"):
            shutil.rmtree(folder)
        return dict(told)


if __name__ == "__main__":
    sys.exit(main())
