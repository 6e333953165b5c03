"""A web server on this machine for tests: pages by path, and a record of the requests."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Reply:
    """The answer of a path. Without an `etag` the body's hash is sent; with "" no ETag is sent."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    etag: str | None = None


@dataclass
class Request:
    """A request to the server, with the number of bytes in the body of the answer."""

    path: str
    headers: dict[str, str]
    status: int = 0
    body_bytes: int = 0


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        pages = self.server.pages
        request = Request(self.path, {name.lower(): value for name, value in self.headers.items()})
        pages.requests.append(request)
        reply = pages.reply(self.path)
        etag = reply.etag if reply.etag is not None else hashlib.sha256(reply.body).hexdigest()[:9]
        known = request.headers.get("if-none-match")
        is_known = reply.status == 200 and bool(etag) and known == f'"{etag}"'
        body = b"" if is_known else reply.body
        request.status, request.body_bytes = (304 if is_known else reply.status), len(body)
        headers = {"Content-Type": "text/html", "Content-Length": str(len(body)), **reply.headers}
        self.send_response(request.status)
        for name, value in headers.items():
            self.send_header(name, value)
        if etag and reply.status == 200:
            self.send_header("ETag", f'"{etag}"')
        self.end_headers()
        self._write(body)

    def _write(self, body: bytes) -> None:
        try:
            self.wfile.write(body)
        except OSError:
            self.close_connection = True  # the client has read enough

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, pages: PageServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pages = pages


class PageServer:
    """`pages` may be changed at any time: text is a body of HTML, a function is called."""

    def __init__(self) -> None:
        self.pages: dict[str, str | Reply | Callable[[], Reply]] = {}
        self.requests: list[Request] = []
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    @property
    def body_bytes(self) -> int:
        return sum(request.body_bytes for request in self.requests)

    def reply(self, path: str) -> Reply:
        page = self.pages.get(path, Reply(status=404))
        if isinstance(page, str):
            return Reply(page.encode())
        return page if isinstance(page, Reply) else page()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def serve_pages() -> Iterator[PageServer]:
    server = PageServer()
    yield server
    server.stop()
