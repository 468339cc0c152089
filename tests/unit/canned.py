"""An engine that knows its answers by heart, over a local socket or TCP: for how pypod asks, and what it loads for that."""

from __future__ import annotations

import contextlib
import json
import re
import socketserver
import ssl
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

VERSION: Mapping[str, object] = {"ApiVersion": "1.41", "Version": "20.10.24", "Components": []}


class Canned:
    """What it answers, and what it was asked.

    Attributes:
        answers: by method and path, without the API's version: a status, and what is sent as JSON.
        asked: what came, in order; with the API's version where there was one.
        headers: of the last request.
        bodies: of those requests that had one.
    """

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, object]] = {
            "GET /version": (200, VERSION),
            "GET /_ping": (200, b"OK"),
        }
        self.asked: list[str] = []
        self.headers: dict[str, str] = {}
        self.bodies: list[Any] = []

    @contextlib.contextmanager
    def on_socket(self, path: Path) -> Iterator[str]:
        """Serve there; the address."""
        with socketserver.ThreadingUnixStreamServer(str(path), _handler(self)) as server, _running(server):
            yield f"unix://{path}"

    @contextlib.contextmanager
    def on_port(self, tls: ssl.SSLContext | None = None) -> Iterator[str]:
        """Serve on a port of 127.0.0.1; the address."""
        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _handler(self)) as server:
            if tls is not None:
                server.socket = tls.wrap_socket(server.socket, server_side=True)
            with _running(server):
                yield f"tcp://127.0.0.1:{server.server_address[1]}"


@contextlib.contextmanager
def _running(server: socketserver.BaseServer) -> Iterator[None]:
    vars(server)["daemon_threads"] = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


def _handler(canned: Canned) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            versioned = self.path.partition("?")[0]
            path = re.sub(r"^/v[0-9.]+(?=/)", "", versioned)
            canned.asked.append(f"{self.command} {versioned}")
            canned.headers = dict(self.headers.items())
            if length := int(self.headers.get("Content-Length") or 0):
                canned.bodies.append(json.loads(self.rfile.read(length)))
            status, said = canned.answers.get(f"{self.command} {path}", (404, {"message": f"no {path}"}))
            body = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(status)
            if status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if status != 204 and self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_POST = do_DELETE = do_HEAD = handle_one

        def log_message(self, *args: object) -> None:
            del args

        def address_string(self) -> str:
            return "a client"

    return Handler
