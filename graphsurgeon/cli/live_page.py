"""A page that follows a model: served on the loopback address, drawn anew when the file has changed.

The page itself asks nothing of any network, as everywhere; a frame around it asks this server, once a second, whether
the model is still the one it shows. Only this machine can ask, and only by the server's own address, so that no page of
another site gets an answer through a name that leads here.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any

from graphsurgeon.errors import FileError, GraphSurgeonError
from graphsurgeon.render import View

LOOPBACK = "127.0.0.1"
_SCRIPT = """
const page = document.getElementById("page");
let shown = "";
async function look() {
  try {
    const stamp = await (await fetch("/stamp", { cache: "no-store" })).text();
    if (stamp !== shown) {
      shown = stamp;
      page.src = "/page?" + encodeURIComponent(stamp) + page.contentWindow.location.hash;
    }
    document.title = page.contentDocument.title || "graphsurgeon";
  } catch (error) {
    document.title = "gs view has ended";
  }
}
setInterval(look, 1000);
look();
"""
_STYLE = "html,body,iframe{margin:0;border:0;width:100%;height:100%;display:block;overflow:hidden}"


@dataclass
class LivePage:
    """The page of a model, as the model is now.

    Attributes:
        path: of the model.
        view: what is drawn of it.
    """

    path: str
    view: View
    _drawn: tuple[str, bytes] = ("", b"")
    _files: tuple[str, ...] = ()
    _lock: Any = field(default_factory=Lock)

    def stamp(self) -> str:
        """Return what is another as soon as one of the model's files is."""
        found = []
        for name in self._files or (self.path,):
            try:
                status = os.stat(name)
            except OSError:
                found.append(f"{name} is gone")
                continue
            found.append(f"{name} {status.st_mtime_ns} {status.st_size} {status.st_ino}")
        return hashlib.sha256("\n".join(found).encode("utf-8", "surrogateescape")).hexdigest()[:16]

    def content(self) -> bytes:
        """Return the page; of a model that cannot be drawn one that says why."""
        with self._lock:
            stamp = self.stamp()
            if self._drawn[0] != stamp:
                page = self._draw()
                self._drawn = self.stamp(), page  # by the files that were read now
            return self._drawn[1]

    def _draw(self) -> bytes:
        from graphsurgeon.formats import read
        from graphsurgeon.render import draw

        try:
            model = read(self.path)
            self._files = tuple(sorted(map(str, model.files))) or (self.path,)
            return draw(model, format="html", view=self.view).content
        except GraphSurgeonError as error:
            text = f"<title>{escape(self.path)}</title><pre>{escape(str(error))}</pre>"
            return f'<!doctype html><meta charset="utf-8">{text}'.encode("utf-8", "replace")


@contextmanager
def served(page: LivePage, port: int) -> Iterator[ThreadingHTTPServer]:
    """Have a server for a page; `serve_forever` of what is yielded answers.

    Raises:
        FileError: the port is taken.
    """
    try:
        server = ThreadingHTTPServer((LOOPBACK, port), _handler(page))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise FileError(f"port {port} cannot be used: {reason}", hint="give another --port, or none") from error
    with server:
        yield server


def port_of(server: ThreadingHTTPServer) -> int:
    """Return the port that a server listens on."""
    return int(server.socket.getsockname()[1])


def _handler(page: LivePage) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name that the library calls
            port = self.connection.getsockname()[1]
            if self.headers.get("Host") not in (f"{LOOPBACK}:{port}", f"localhost:{port}"):
                self.send_error(403)
                return
            path = self.path.partition("?")[0]
            if path == "/":
                self._answer(_shell().encode(), _policy())
            elif path == "/page":
                self._answer(page.content())
            elif path == "/stamp":
                self._answer(page.stamp().encode(), kind="text/plain")
            else:
                self.send_error(404)

        def _answer(self, content: bytes, policy: str = "", kind: str = "text/html") -> None:
            self.send_response(200)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            if policy:
                self.send_header("Content-Security-Policy", policy)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Print nothing: requests come once a second."""

    return Handler


def _shell() -> str:
    return (
        f'<!doctype html><meta charset="utf-8"><title>graphsurgeon</title><style>{_STYLE}</style>'
        f'<iframe id="page" title="the graph"></iframe><script>{_SCRIPT}</script>'
    )


def _policy() -> str:
    script, style = (
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in (_SCRIPT, _STYLE)
    )
    return f"default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; frame-src 'self'"
