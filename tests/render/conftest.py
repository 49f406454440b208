"""A browser without a window, its network off, and pages in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon.model.model import Model
from graphsurgeon.render import View, draw

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
PATIENCE = 20_000  # milliseconds


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    program = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip(f"needs one of the browsers {', '.join(BROWSERS)}")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield running
        running.close()


class Shown:
    """A page that has been opened, and everything it complained about."""

    def __init__(self, browser: Any, file: Path) -> None:
        self.context = browser.new_context(viewport={"width": 1400, "height": 900}, offline=True, accept_downloads=True)
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(file.as_uri())
        self.page.wait_for_selector("#scene .box")

    def titles(self) -> list[str]:
        return list(self.page.locator("#scene .box text.title").all_text_contents())

    def box(self, title: str) -> Any:
        return self.page.locator("#scene .box", has=self.page.get_by_text(title, exact=True)).first


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Any]:
    opened: list[Shown] = []

    def shown(model: Model, **view: Any) -> Shown:
        file = tmp_path / f"page{len(opened)}.html"
        file.write_bytes(draw(model, format="html", view=View(**view)).content)
        opened.append(Shown(browser, file))
        return opened[-1]

    yield shown
    for page in opened:
        assert page.complaints == []
        assert all(url.startswith(("file:", "blob:")) for url in page.requests)
        page.context.close()
