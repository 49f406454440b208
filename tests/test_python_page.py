"""The page about Python: its examples run, and give what the page says."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from tests.transcripts import ROOT, prepare

_BLOCK = re.compile(r"^```pycon\n(.*?)^```$", re.MULTILINE | re.DOTALL)


PAGES = [ROOT / "docs" / "python.md", ROOT / "tests" / "pages" / "python_0_1.md"]  # the second as it was: names stay


@pytest.mark.filterwarnings("ignore:graphsurgeon[.]verify:DeprecationWarning")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = page.read_text()
    prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    flags = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
    runner = doctest.DocTestRunner(optionflags=flags)
    names: dict[str, object] = {}
    for block in _BLOCK.finditer(text):
        line = text[: block.start(1)].count("\n")
        test = doctest.DocTestParser().get_doctest(block.group(1), names, page.name, str(page), line)
        runner.run(test, clear_globs=False)
        names = test.globs
    assert runner.summarize(verbose=False).failed == 0
    assert runner.tries > 40
