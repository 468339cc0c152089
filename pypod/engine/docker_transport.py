"""Requests to the engine: over connections of their own, for answers that are streams; and short ones over a local socket."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
import urllib3.connection

from pypod.engine.docker_errors import refusal
from pypod.engine.docker_http import Answer, LocalConnections, local_socket
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
        adapter: Any = self.session.get_adapter(self.base_url)
        connections: LocalConnections | None = getattr(adapter, "connections", None)
        if connections is not None:
            return Wire(connections.dial(CONNECT_TIMEOUT))
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


_UNDERSTOOD = ("params", "data", "headers", "timeout", "allow_redirects")
"""What `ShortRequests` understands of a request; an engine redirects nobody."""


class ShortRequests(requests.Session):
    """Of a client on a local socket: what it asks goes out as it is, over connections that are kept (`docker_http`).

    requests looks for proxies, cookies, redirects and passwords in each call, none of which such an engine has, and what is below it
    reads each head as an email's: that was most of an inspection's processor time (0.6 ms with both, 0.1 ms without).
    """

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **more: Any) -> requests.Response:
        """As requests has it. Whatever is not short and plain (streams, generators, files) goes through requests."""
        query: dict[str, Any] = {k: v for k, v in (more.get("params") or {}).items() if v is not None}
        body, headers = more.get("data"), more.get("headers") or {}
        others = (value for key, value in more.items() if key not in _UNDERSTOOD)
        connections = getattr(self.get_adapter(str(url)), "connections", None)
        if (
            connections is None
            or args
            or not isinstance(body, str | bytes | None)
            or not all(isinstance(value, str | int) for value in query.values())
            or any(others)
        ):
            return super().request(method, url, *args, **more)
        path = urlsplit(str(url)).path
        answer, found = connections.ask(
            str(method),
            f"{path}?{urlencode(query)}" if query else path,
            {**self._constant_headers(), **headers},
            body.encode() if isinstance(body, str) else body or b"",
            more.get("timeout"),
        )
        return _response(answer, found, str(url))

    def _constant_headers(self) -> dict[str, str]:
        return {"User-Agent": str(self.headers.get("User-Agent", "pypod"))}


def _response(answer: Answer, body: bytes, url: str) -> requests.Response:
    """As docker-py takes it."""
    made = requests.Response()
    made.status_code, made.reason, made.url = answer.status, answer.reason, url
    made.headers.update(answer.headers)
    made._content, made._content_consumed = body, True  # type: ignore[attr-defined] # it was read whole
    return made


class _LocalConnection(urllib3.connection.HTTPConnection):
    """docker-py's own leaves its socket to the garbage collector where nobody answers."""

    def __init__(self, path: str, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        seconds: Any = self.timeout  # a number, by now
        self.sock = local_socket(self._path, seconds)


class LocalPool(urllib3.HTTPConnectionPool):
    """Connections to a local socket.

    Args:
        path: the socket's.
        seconds: for a connection.
        size: how many are kept.
    """

    def __init__(self, path: str, seconds: float, size: int) -> None:
        super().__init__("localhost", timeout=seconds, maxsize=size)
        self._path = path
        self._seconds = seconds

    def _new_conn(self) -> Any:
        return _LocalConnection(self._path, self._seconds)


def knock(url: str) -> None:
    """A local socket that nobody listens on: docker-py would leave its own half open, and say it less clearly."""
    if url.startswith("unix://"):
        local_socket(url.removeprefix("unix://"), CONNECT_TIMEOUT).close()


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
