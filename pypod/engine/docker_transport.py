"""Requests to the engine over connections of their own, for answers that are streams."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests

from pypod.engine.docker_errors import refusal
from pypod.engine.docker_streams import Reply, Wire, deadline_in, read_reply

TIMEOUT = 60
CONNECT_TIMEOUT = 10


@dataclass(frozen=True)
class Transport:
    """How docker-py's client reaches the engine, and what it sends with each request."""

    session: requests.Session
    base_url: str
    version: str
    headers: Mapping[str, str]

    def dial(self) -> Wire:
        return Wire(_connected_socket(self.session, self.base_url))

    def ask(
        self,
        wire: Wire,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout: float | None,
    ) -> Reply:
        """Send a request whole, and read the head of the answer; `timeout`: seconds for both."""
        deadline = deadline_in(timeout)
        length = {"Content-Length": str(len(body))}
        wire.send(self.head(method, path, {**(headers or {}), **length}) + body, deadline)
        return read_reply(wire, deadline)

    def head(self, method: str, path: str, headers: Mapping[str, str]) -> bytes:
        """The head of a request."""
        base = urlsplit(self.base_url)
        lines = [f"{method} {base.path}/v{self.version}{path} HTTP/1.1", f"Host: {base.netloc or 'docker'}"]
        lines += [f"{key}: {value}" for key, value in {**self.headers, **headers}.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def open(
        self,
        verb: str,
        target: str,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Reply:
        """A stream's answer, whose head says that it is one."""
        wire = self.dial()
        try:
            reply = self.ask(wire, method, path, headers=headers, body=body, timeout=TIMEOUT)
            if reply.status not in (101, 200):
                raise refusal(verb, target, reply.status, reply.error_message())
        except BaseException:
            wire.close()
            raise
        return reply


def knock(url: str) -> None:
    """A local socket that nobody listens on: docker-py would leave its own half open, and say it less clearly."""
    if url.startswith("unix://"):
        local_socket(url.removeprefix("unix://"), CONNECT_TIMEOUT).close()


def local_socket(path: str, timeout: float | None) -> socket.socket:
    """A connected one. Raises `OSError`, with nothing left open."""
    local = socket.socket(socket.AF_UNIX)
    try:
        local.settimeout(timeout)
        local.connect(path)
    except BaseException:
        local.close()
        raise
    return local


def _connected_socket(session: requests.Session, base_url: str) -> socket.socket:
    """A new connection to the engine, over whatever transport docker-py was told to use, TLS done.

    This is the one place that reaches into docker-py's and urllib3's insides (`_new_conn`): both keep the socket to
    themselves, and a stream that can be closed from another thread needs it from before the request on.
    """
    adapter: Any = session.get_adapter(base_url)
    settings = session.merge_environment_settings(base_url, {}, True, None, None)
    prepared = requests.Request("GET", base_url).prepare()
    pool = adapter.get_connection_with_tls_context(prepared, settings["verify"], cert=settings["cert"])
    connection = pool._new_conn()
    connection.connect()
    connected: socket.socket = connection.sock
    connection.sock = None
    return connected
