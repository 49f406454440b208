"""`gs view`: a page on the loopback address that follows the file."""

from __future__ import annotations

import http.client
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from graphsurgeon.cli.live_page import LOOPBACK, LivePage, port_of, served
from graphsurgeon.errors import FileError
from graphsurgeon.render import View
from tests.cli.conftest import GS


@contextmanager
def running(page: LivePage) -> Iterator[int]:
    with served(page, 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield port_of(server)
        finally:
            server.shutdown()
            thread.join()


def got(port: int, path: str, host: str = "") -> tuple[int, str, str]:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=20)
    connection.request("GET", path, headers={"Host": host or f"{LOOPBACK}:{port}"})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text, answer.headers.get("Content-Security-Policy", "")


def test_the_page_follows_the_file(tmp_path: Path, fixtures_dir: Path) -> None:
    model = tmp_path / "model.pb"
    shutil.copy(fixtures_dir / "graphdef/linear.pb", model)
    with running(LivePage(str(model), View())) as port:
        status, shell, policy = got(port, "/")
        assert status == 200
        assert 'id="page"' in shell
        assert "connect-src 'self'" in policy
        page, before = got(port, "/page")[1], got(port, "/stamp")[1]
        assert "MatMul" in page
        assert got(port, "/stamp")[1] == before
        shutil.copy(fixtures_dir / "graphdef/cnn.pb", tmp_path / "new.pb")
        os.replace(tmp_path / "new.pb", model)
        assert got(port, "/stamp")[1] != before
        assert "Conv2D" in got(port, "/page?x")[1]
        model.write_bytes(b"no model <script>")
        assert "model.pb" in got(port, "/page")[1]
        model.unlink()
        assert "no such file" in got(port, "/page")[1].lower()


def test_nothing_else_is_served(tmp_path: Path, fixtures_dir: Path) -> None:
    page = LivePage(str(fixtures_dir / "graphdef/linear.pb"), View())
    with running(page) as port:
        assert got(port, "/etc/passwd")[0] == 404
        assert got(port, "/../linear.pb")[0] == 404
        assert got(port, "/page", host="evil.example")[0] == 403
        with pytest.raises(FileError, match=f"port {port} cannot be used"), served(page, port):
            pass


def test_mistakes_are_told_before_anything_is_served(gs: GS) -> None:
    assert gs("view", "graphdef/linear.pb", "--scope", "nowhere", "--no-browser").status == 2
    assert gs("view", "graphdef/none.pb", "--no-browser").status == 3
    assert gs("view", "graphdef/linear.pb", "--port", "70000").status == 2
