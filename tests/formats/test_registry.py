"""A format is one record: a format that is defined in `toy.py` alone is shown, searched, converted, frozen, checked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon.cli.app import run
from graphsurgeon.errors import UsageError
from graphsurgeon.formats import read, registry
from graphsurgeon.formats.tflite.schema import operator_codes
from graphsurgeon.model.format import TENSORFLOW, Format
from graphsurgeon.ops import catalog
from tests.formats import toy

PACKAGE = Path(__file__).resolve().parents[2] / "graphsurgeon"
FIXTURES = PACKAGE.parent / "fixtures"
WEIGHTS = [float(number) for number in range(20)]


class Answers:
    """Runs commands in a folder, and keeps what they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        self.capsys = capsys
        self.folder = folder

    def __call__(self, words: str) -> tuple[int, str, str]:
        """Return status, stdout and stderr."""
        self.capsys.readouterr()
        status = run(words.split())
        return status, *self.capsys.readouterr()

    def json(self, words: str) -> Any:
        """Return what a command prints as JSON; it must succeed."""
        status, out, err = self(f"{words} --json")
        assert (status, err) == (0, "")
        return json.loads(out)


@pytest.fixture
def gs(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Answers:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GS_DEBUG", raising=False)
    return Answers(capsys, tmp_path)


@pytest.fixture
def nothing() -> Iterator[Format]:
    with registry.registered(toy.with_nothing()) as record:
        yield record


@pytest.fixture
def everything() -> Iterator[Format]:
    with registry.registered(toy.with_everything()) as record:
        yield record


def stored(*ops: str) -> str:
    """Return a file whose ops follow each other; `If` runs a body."""
    names = ["x", *(f"v{number}" for number in range(len(ops)))]
    nodes = [
        [f"n{number}", op, [names[number], "w"], [names[number + 1]], {"body": "then"} if op == "If" else {"T": 1}]
        for number, op in enumerate(ops)
    ]
    body = {"inputs": ["i", "j"], "outputs": ["o"], "weights": {}, "nodes": [["z", "Max", ["i", "j"], ["o"], {}]]}
    whole = {"toy": 1, "inputs": ["x"], "outputs": [names[-1]], "weights": {"w": WEIGHTS}, "nodes": nodes}
    return json.dumps({**whole, "bodies": {"then": body} if "If" in ops else {}})


# -- with every capability -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("everything")
def test_a_format_with_everything_is_converted_to_and_from(gs: Answers) -> None:
    source = FIXTURES / "graphdef" / "linear.pb"
    assert gs(f"convert {source} a.toy")[0] == 0
    assert gs("convert a.toy b.pb")[0] == 0
    assert Path("b.pb").read_bytes() == source.read_bytes()
    assert gs("convert a.toy model")[0] == 0
    assert read("model").format == "saved_model"
    assert gs("convert a.toy c.toy")[0] == 0
    assert gs(f"convert {source} other --format toy")[0] == 0
    assert Path("other").read_bytes() == Path("c.toy").read_bytes() == Path("a.toy").read_bytes()


@pytest.mark.usefixtures("everything")
def test_a_format_with_everything_is_looked_at(gs: Answers) -> None:
    assert gs(f"convert {FIXTURES / 'graphdef' / 'linear.pb'} a.toy")[0] == 0
    summary = gs.json("show a.toy")
    assert summary["format"] == "toy"
    assert gs("show a.toy")[1].startswith("frozen Toy model  a.toy")
    plain = gs.json(f"find {FIXTURES / 'graphdef' / 'linear.pb'} --op *")
    assert gs.json("find a.toy --op *") == plain
    assert gs("check a.toy")[:2] == gs(f"check {FIXTURES / 'graphdef' / 'linear.pb'}")[:2]
    assert gs(f"diff a.toy {FIXTURES / 'graphdef' / 'linear.pb'}")[0] == 0
    assert gs("render a.toy -o a.svg")[0] == 0


@pytest.mark.usefixtures("everything")
def test_a_format_with_everything_is_edited_and_frozen_to(gs: Answers) -> None:
    source = FIXTURES / "savedmodel" / "linear"
    assert gs(f"freeze {source} -o frozen.toy")[0] == 0
    assert gs(f"freeze {source} -o frozen.pb")[0] == 0
    assert gs("diff frozen.toy frozen.pb")[0] == 0
    [name, *_] = [found["node"] for found in gs.json("find frozen.toy --op *")["values"]]
    assert gs(f"rename frozen.toy {name}=other -o renamed.toy")[0] == 0
    assert "other" in {found["node"] for found in gs.json("find renamed.toy --op *")["values"]}
    assert gs("rename renamed.toy other=again --in-place")[0] == 0
    assert gs(f"rename frozen.pb {name}=again -o frozen.toy")[0] == 2  # it exists
    assert gs(f"rename frozen.pb {name}=again -o frozen.toy --force")[0] == 0
    assert gs("diff renamed.toy frozen.toy")[0] == 0


# -- with none -----------------------------------------------------------------------------------------------

REFUSED = (
    "rename m.toy v0=a -o a.toy",
    "rename m.toy v0=a -o a.pb",
    "rename m.toy v0=a --what variables -o a.toy",
    "rename m.toy then=a --what functions -o a.toy",
    "freeze m.toy -o a.pb",
    "strip m.toy -o a.toy",
    "strip m.toy --inference -o a.pb",
    "extract m.toy --outputs v1 -o a.pb",
    "add-output m.toy v1=a -o a.pb",
    "add-signature m.toy --output a=v1 -o a",
    "set-input m.toy --shape x=2,4 -o a.pb",
    "convert m.toy a.pb",
    "convert m.toy a.toy",
    "convert m.toy a",
    "replace m.toy Max(x,y)=>Conv(x,y) -o a.toy",
    "optimize m.toy -o a.pb",
    "run m.toy",
    "verify m.toy m.toy",
)


@pytest.mark.usefixtures("nothing")
@pytest.mark.parametrize("words", REFUSED)
def test_what_is_refused_is_said_in_the_title_of_the_format(gs: Answers, words: str) -> None:
    Path("m.toy").write_text(stored("Max", "Conv"))
    status, out, err = gs(words)
    assert (status, out) == (4, "")
    assert "a Toy model " in err
    assert err.count("\n") == 1
    assert sorted(path.name for path in gs.folder.iterdir()) == ["m.toy"]


@pytest.mark.usefixtures("nothing")
def test_the_hint_says_what_edits_it(gs: Answers) -> None:
    Path("m.toy").write_text(stored("Max"))
    what = "has ops of its own framework, which gs rename does not change; edit it with toysurgeon"
    assert gs("rename m.toy v0=a -o a.toy")[2] == f"gs: m.toy: a Toy model {what}\n"


@pytest.mark.usefixtures("nothing")
def test_nothing_is_written_as_what_is_only_read(gs: Answers) -> None:
    status, _, err = gs(f"convert {FIXTURES / 'graphdef' / 'linear.pb'} a.pb --format toy")
    assert status == 2
    assert "'toy' is no format" in err


@pytest.mark.usefixtures("nothing")
def test_a_format_that_is_only_read_is_looked_at(gs: Answers) -> None:
    Path("m.toy").write_text(stored("Max", "Conv", "If"))
    [main, body] = gs.json("show m.toy")["graphs"]
    assert (main["ops"], body["name"], body["ops"]) == ({"Conv": 1, "If": 1, "Max": 1}, "then", {"Max": 1})
    assert [tensor["name"] for tensor in main["inputs"] + main["outputs"]] == ["x", "v2"]
    assert gs("show m.toy")[1].startswith("Toy model  m.toy")
    assert [found["name"] for found in gs.json("find m.toy --op Max")["values"]] == ["v0", "o"]
    assert len(gs.json("find m.toy --pattern Conv(Max(a,b),c)")["matches"]) == 1
    assert gs.json("weights m.toy --checksum")["weights"][0]["shape"] == [20]
    assert gs("check m.toy")[1].startswith("sound: nothing found in ")
    assert gs("check m.toy --serving")[0] == 1
    assert gs("diff m.toy m.toy")[0] == 0
    assert gs("render m.toy -o m.svg")[0] == 0


@pytest.mark.usefixtures("nothing")
def test_models_of_two_vocabularies_are_not_compared(gs: Answers) -> None:
    Path("m.toy").write_text(stored("Max"))
    assert gs(f"diff m.toy {FIXTURES / 'graphdef' / 'linear.pb'}")[0] == 4


# -- no rule for the ops of TensorFlow or TFLite is asked about others ----------------------------------------


def named_ops() -> list[str]:
    """Return every op of TensorFlow and TFLite that some rule names."""
    words = {word for module in PACKAGE.rglob("*.py") for word in re.findall(r"\w+", module.read_text("utf-8"))}
    return sorted(words & (catalog.names() | set(operator_codes())))


def strange(op: str) -> str:
    """Return a name that nobody has, of the same length."""
    if not op.isupper():
        return op.swapcase()
    last = max(place for place, letter in enumerate(op) if letter.isalpha())
    return op[:last] + op[last].lower() + op[last + 1 :]


LOOKS = ("show m.toy --all --json", "find m.toy --json", "inputs m.toy --json", "outputs m.toy --json",
         "weights m.toy --json", "check m.toy --json", "diff m.toy other.toy --json")  # fmt: skip


@pytest.mark.usefixtures("nothing")
def test_ops_of_another_framework_are_what_nobody_knows(gs: Answers) -> None:
    """Everything is the same if each op has a name that no rule can know."""
    ops = [op for op in named_ops() if op.upper() != "IF"]
    assert len(ops) > 300
    back = {strange(op): op for op in ops}
    assert back.keys() & (catalog.names() | set(operator_codes())) == set()
    answers = []
    for names in (ops, list(back)):
        Path("m.toy").write_text(stored(*names))
        Path("other.toy").write_text(stored(*names[:-3], *names[-2:]).replace("19.0", "20.0"))
        texts = [gs(words) for words in LOOKS]
        answers.append([(status, sorted(re.findall(r'[^"\s,{}\[\]]+', out)), err) for status, out, err in texts])
    known, unknown = answers
    for words, first, second in zip(LOOKS, known, unknown, strict=True):
        assert (second[0], sorted(back.get(word, word) for word in second[1]), second[2]) == first, words


@pytest.mark.usefixtures("nothing")
def test_pictures_know_no_op_of_another_framework(gs: Answers) -> None:
    ops = ("Max", "Conv", "Conv2D", "Relu", "Softmax", "Identity", "Shape", "Switch", "Merge", "Placeholder", "Const")
    drawn = []
    for names in (ops, tuple(map(strange, ops))):
        Path("m.toy").write_text(stored(*names))
        boxes = gs.json("render m.toy -o m.svg --all --force")["boxes"]
        drawn.append([(box["id"], box["kind"], box["family"], len(box["lines"])) for box in boxes])
    assert drawn[0] == drawn[1]
    assert {family for _, kind, family, _ in drawn[0] if kind == "operation"} == {"other", "weight"}
    assert len(drawn[0]) >= len(ops)


# -- the registry itself -------------------------------------------------------------------------------------


def test_names_of_formats_are_not_given_twice() -> None:
    before = registry.formats()
    for name, kinds in (("graph_def", ()), ("other", ("saved_model",)), ("other", ("checkpoint_state",))):
        with pytest.raises(UsageError, match="taken by the format"):
            registry.register(Format(name=name, title="other", module="none", kinds=kinds))
    assert registry.formats() == before


@pytest.mark.usefixtures("nothing")
def test_ops_that_nobody_has_judged_are_not_called_harmless(gs: Answers) -> None:
    Path("m.toy").write_text(stored("Max", "Conv"))
    [found] = gs.json("scan m.toy")["findings"]
    assert (found["severity"], found["op"]) == ("medium", None)
    assert found["what"] == "could not be looked into: nobody has judged the ops of toy"


def test_a_format_is_found_by_its_mark_before_others_are_asked(gs: Answers) -> None:
    record = Format(name="toy", title="Toy model", module="none", magic=((0, b'{"toy"'),))
    Path("m.toy").write_text(stored("Max"))
    from graphsurgeon.formats.recognise.locate import locate

    with registry.registered(record):
        assert locate(Path("m.toy")).traits is record
        assert locate(gs.folder).traits is record


def test_parts_of_a_model_are_no_models_beside_it(gs: Answers) -> None:
    """The only file with a graph is the model of its folder; files of weights alone are, where there is no graph."""
    record = Format(name="toy", title="Toy model", module="none", kinds=("rknn", "gguf"), parts=("gguf",))
    from graphsurgeon.formats.recognise.locate import locate

    Path("net.weights").write_bytes(b"GGUF" + bytes(30))
    with registry.registered(record):
        assert locate(gs.folder).path.name == "net.weights"
        Path("net.graph").write_bytes(b"RKNN" + bytes(30))
        assert locate(gs.folder).path.name == "net.graph"


# -- the pages -----------------------------------------------------------------------------------------------


def test_the_table_of_formats_is_that_of_the_records() -> None:
    page = (PACKAGE.parent / "docs" / "formats.md").read_text("utf-8")
    for record in registry.formats():
        assert row_of(record) in page, row_of(record)


def row_of(record: Format) -> str:
    """Return the row of a format in `docs/formats.md`."""
    facts = {
        "several graphs": record.holds_several_graphs,
        "functions": record.holds_functions,
        "signatures": record.holds_signatures,
        "assets": record.holds_assets,
    }
    runs = ", ".join(record.runtimes) or ("tensorflow, as a GraphDef" if record.vocabulary == TENSORFLOW else "-")
    holds = ", ".join(fact for fact in facts if facts[fact])
    written = ", ".join(name or "any with variables" for name in sorted(record.writes))
    cells = [
        f"`{record.name}`", record.title, record.vocabulary or "-", holds or "-", record.variables or "-",
        written or "not written", runs,
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def test_the_format_of_the_page_on_extending_works(gs: Answers) -> None:
    page = (PACKAGE.parent / "docs" / "extending.md").read_text("utf-8")
    [code] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    before = registry.formats()
    exec(compile(code, "docs/extending.md", "exec"), {})
    try:
        Path("m").write_text("#lines\nx Max y\ny Conv z\n")
        assert gs.json("show m")["graphs"][0]["ops"] == {"Conv": 1, "Max": 1}
        assert gs("convert m m.pb")[2] == "gs: m.pb: a model of lines cannot be written as a GraphDef\n"
    finally:
        for record in registry.formats():
            if record not in before:
                registry.unregister(record)
