"""How long the page takes to open each level of a graph of 5,000 nodes, in a browser without a window.

    python benchmarks/pages.py [MODEL...]

Needs the extra `browser`, and Chromium. Measured from the click to the layout that the browser has done: `more` opens
every visible scope, `less` closes the innermost ones, `one` opens the largest closed scope.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import graphsurgeon
from benchmarks.render import graph_def
from graphsurgeon.render import View, draw

AT_MOST = 300  # milliseconds
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
STEPS = """() => {
  const found = [];
  const timed = (name, act) => {
    const start = performance.now();
    act();
    document.getElementById('scene').getBoundingClientRect();
    found.push([name, performance.now() - start, layout.boxes.size]);
  };
  const all = (name, open) => {
    for (let level = 0; level < 20; level += 1) {
      const before = layout.boxes.size;
      timed(name, () => step(open));
      if (layout.boxes.size === before) return;
    }
  };
  all('more', true);
  all('less', false);
  const size = (part) => tree.leaves(part.index).length;
  const closed = tree.parts.filter((part) => part.scope && !tree.isOpen(part.index) && tree.isVisible(part.index));
  for (const part of closed.sort((a, b) => size(b) - size(a)).slice(0, 8)) timed('one', () => toggle(part.index));
  return found;
}"""


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
    steps = page.evaluate(STEPS)
    for step, milliseconds, boxes in steps:
        print(f"  {step}  {milliseconds:6.0f} ms  {boxes:6} boxes{'  too slow' if milliseconds > AT_MOST else ''}")
    page.close()
    return max(milliseconds for _, milliseconds, _ in steps)


if __name__ == "__main__":
    main()
