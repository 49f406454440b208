"""How long the page takes to open each level of a graph of 5,000 nodes, in a browser without a window.

    python benchmarks/pages.py [MODEL...]

Needs the extra `browser`, and Chromium. Measured from the click to the layout that the browser has done, in processor
time of the page: `more` opens every visible scope, `less` closes the innermost ones, `one` opens the largest closed
scope.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import graphsurgeon
from benchmarks.render import graph_def
from graphsurgeon.render import View, draw

AT_MOST = 300  # milliseconds
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
CLOSED = """() => {
  const size = (part) => tree.leaves(part.index).length;
  const closed = tree.parts.filter((part) => part.scope && !tree.isOpen(part.index) && tree.isVisible(part.index));
  return closed.sort((a, b) => size(b) - size(a)).slice(0, 8).map((part) => part.index);
}"""
MOST_LEVELS = 20


def main() -> None:
    """Open the pages level by level; print the table, and fail where a level takes too long."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path)
    models = parser.parse_args().models or [graph_def(5000)]
    worst = 0.0
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        program = next((found for name in BROWSERS if (found := shutil.which(name))), None)
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        for path in models:
            for everything in (False, True):
                file = Path(folder) / "page.html"
                model = graphsurgeon.read(path)
                file.write_bytes(draw(model, format="html", view=View(everything=everything)).content)
                worst = max(worst, _opened(browser, file, f"{path.name}{' --all' if everything else ''}"))
        browser.close()
    sys.exit(0 if worst <= AT_MOST else 1)


def _opened(browser: Any, file: Path, name: str) -> float:
    page = browser.new_page(viewport={"width": 1440, "height": 900}, bypass_csp=True)
    page.goto(file.as_uri())
    page.wait_for_selector("#scene .box")
    print(f"{name}: {file.stat().st_size / 1e6:.1f} MB, {page.evaluate('layout.boxes.size')} boxes open at first")
    clock = Clock(page)
    worst = 0.0
    for step, act in _steps(page):
        milliseconds, worked, boxes = clock.timed(act)
        worst = max(worst, worked)
        late = "  too slow" if worked > AT_MOST else ""
        print(f"  {step}  {worked:6.0f} ms  {milliseconds:6.0f} ms by the clock  {boxes:6} boxes{late}")
    page.close()
    return worst


def _steps(page: Any) -> Iterator[tuple[str, str]]:
    """Yield what is done, one after the other: its name, and the call."""
    for name, act in (("more", "step(true)"), ("less", "step(false)")):
        for _ in range(MOST_LEVELS):
            before = page.evaluate("layout.boxes.size")
            yield name, act
            if page.evaluate("layout.boxes.size") == before:
                break
    for index in page.evaluate(CLOSED):
        yield "one ", f"toggle({index})"


class Clock:
    """How long a page works: processor time of its main thread, which a busy machine does not stretch."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.session = page.context.new_cdp_session(page)
        self.session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def timed(self, act: str) -> tuple[float, float, int]:
        """Return milliseconds by the clock and of work, and how many boxes are open then."""
        before = self._worked()
        script = f"""() => {{
          const start = performance.now();
          {act};
          document.getElementById('scene').getBoundingClientRect();
          return [performance.now() - start, layout.boxes.size];
        }}"""
        milliseconds, boxes = self.page.evaluate(script)
        return milliseconds, self._worked() - before, boxes

    def _worked(self) -> float:
        metrics = self.session.send("Performance.getMetrics")["metrics"]
        return 1000 * next(float(one["value"]) for one in metrics if one["name"] == "TaskDuration")


if __name__ == "__main__":
    main()
