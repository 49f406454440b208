"""Make the pictures of README and docs anew: `make pictures`, or `python tools/pictures.py`.

All are drawn from models in `fixtures/` by what users call. The page is photographed by a Chromium, where there is
one; without one its picture stays as it is. `tests/render/test_docs_pictures.py` says when a picture no longer shows
what the tool draws.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphsurgeon import read
from graphsurgeon.compare.diff.files import difference
from graphsurgeon.edit import Step, Where, edit
from graphsurgeon.render import View, draw
from graphsurgeon.render.difference import draw_difference

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "pictures"
FIXTURES = ROOT / "fixtures"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NETWORK = FIXTURES / "graphdef" / "encoder.pb"
FROZEN = FIXTURES / "graphdef" / "cnn.pb"
EXPORT = FIXTURES / "savedmodel" / "keras_export"
SELECTED = "functional_1/stem_1/convolution"  # end of the name of what the panel tells of
WINDOW = (1200, 900)


def main() -> None:
    """Write all pictures."""
    FOLDER.mkdir(exist_ok=True)
    for name, content in drawn().items():
        (FOLDER / name).write_bytes(content)
    program = next((found for one in BROWSERS if (found := shutil.which(one))), None)
    if program is None:
        print("panel.png stays as it is: there is no Chromium here", file=sys.stderr)
        return
    page, part = panel()
    photograph(program, page, part["place"], FOLDER / "panel.png")
    (FOLDER / "panel.json").write_text(json.dumps(said(part), ensure_ascii=False, indent=1) + "\n", "utf-8")


def drawn() -> dict[str, bytes]:
    """Return the pictures that need no browser, by name of the file."""
    return {"network.svg": network(), "changes.svg": changes()}


def network() -> bytes:
    """Draw a transformer at a glance."""
    return draw(read(NETWORK), view=View(direction="right")).content


def changes() -> bytes:
    """Draw what two edits change in a network."""
    steps: list[Step] = [
        ("replace", {"rules": ["Relu(x) => Relu6(x)"]}),
        ("add-output", {"outputs": {"functional_1/pool_1/Mean": "features"}, "signature": "serving_default"}),
    ]
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "before", Path(folder) / "after"
        edit(FROZEN, [("add-signature", {"outputs": {"embedding": "Identity"}})], Where(before))
        edit(before, steps, Where(after))
        return draw_difference(read(before), read(after), difference(before, after), format="svg").content


def panel() -> tuple[str, dict[str, Any]]:
    """Return the page of a network, and what it holds of the box that is selected, with its place among all."""
    page = draw(read(EXPORT), format="html").content.decode()
    data = next(found for found in re.findall(r"<script[^>]*>(.*?)</script>", page, re.DOTALL) if '"parts":' in found)
    parts = json.loads(data)["parts"]
    place, part = next((at, one) for at, one in enumerate(parts) if str(one["name"]).endswith(SELECTED))
    return page, {**part, "place": place}


def said(part: Mapping[str, Any]) -> dict[str, object]:
    """Return what must be the same for the picture of a panel to be true."""
    return {name: part[name] for name in ("name", "title", "lines")}


def photograph(program: str, page: str, place: int, target: Path) -> None:
    """Write a page as a browser shows it when one of its boxes is selected.

    Raises:
        subprocess.CalledProcessError: the browser ended badly.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "page.html"
        file.write_text(page, "utf-8")
        code = "0123456789abcdefghijklmnopqrstuvwxyz"
        selected = f"{code[place // 36]}{code[place % 36]}".lstrip("0") or "0"
        subprocess.run(
            [
                program, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--screenshot={target}",
                f"--window-size={WINDOW[0]},{WINDOW[1]}", "--virtual-time-budget=4000",
                f"--user-data-dir={folder}/home",
                f"{file.as_uri()}#selected={selected}",
            ],
            check=True, capture_output=True, timeout=60,
        )  # fmt: skip


def structure(svg: bytes) -> dict[str, object]:
    """Return what a picture shows, whatever its fonts and positions: boxes and frames with their texts, edges."""
    from xml.etree import ElementTree

    space = "{http://www.w3.org/2000/svg}"
    groups = [group for group in ElementTree.fromstring(svg).iter(f"{space}g") if group.get("data-name") is not None]
    told = [
        [group.get("class"), group.get("data-name"), ["".join(text.itertext()) for text in group.iter(f"{space}text")]]
        for group in groups
    ]
    return {"groups": sorted(told, key=str), "paths": len(list(ElementTree.fromstring(svg).iter(f"{space}path")))}


if __name__ == "__main__":
    main()
