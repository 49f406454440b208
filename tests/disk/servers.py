"""Servers on this machine that give out files: with ranges and without, and such that fail."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Server:
    """What is given out, and what was asked for.

    Attributes:
        url: of the root.
        sent: bytes of bodies.
        asked: (path with query, headers) of each request.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = ""
        self.sent = 0
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.has_ranges = True
        self.status = 0  # answers all requests
        self.cut = 0  # bytes after which the next connections are cut
        self.cuts = 0
        self.mark = '"1"'


@contextmanager
def serving(root: Path) -> Iterator[Server]:
    """Give out a folder's files, without lists of them."""
    server = Server(root)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append((self.path, dict(self.headers)))
            path = root / unquote(urlsplit(self.path).path).lstrip("/")
            if server.status or not path.is_file():
                self.send_error(server.status or 404)
                return
            size = path.stat().st_size
            asked = self.headers.get("Range", "").removeprefix("bytes=").split("-")
            if server.has_ranges and len(asked) == 2:
                start, stop = int(asked[0]), min(int(asked[1]) + 1, size)
                if start >= size:
                    self.send_error(416)
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{size}")
                with path.open("rb") as file:
                    file.seek(start)
                    data = file.read(stop - start)
            else:
                data = path.read_bytes()
                self.send_response(200)
            self.send_header("ETag", server.mark)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if server.cuts and len(data) > server.cut:
                server.cuts -= 1
                data = data[: server.cut]
            for start in range(0, len(data), 1 << 16):
                try:
                    self.wfile.write(data[start : start + (1 << 16)])
                except OSError:  # enough for the other side
                    return
                server.sent += len(data[start : start + (1 << 16)])

        def log_message(self, *arguments: object) -> None:
            pass

    class Patient(ThreadingHTTPServer):
        request_queue_size = 128

    with Patient(("127.0.0.1", 0), Handler) as listening:
        server.url = f"http://127.0.0.1:{listening.server_port}"
        thread = threading.Thread(target=listening.serve_forever, daemon=True)
        thread.start()
        yield server
        listening.shutdown()
