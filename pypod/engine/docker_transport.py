"""Requests to the engine over connections of their own: for answers that are streams, and for short ones over a local socket."""

from __future__ import annotations

import errno
import json
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode

from pypod.engine.docker_errors import refusal
from pypod.engine.docker_http import LocalConnections, local_socket
from pypod.engine.docker_streams import Reply, Wire, deadline_in, error_words, read_reply

TIMEOUT = 60
"""Seconds that an engine may be silent while it works on a request."""
CONNECT_TIMEOUT = 10

_AGENT = {"User-Agent": "pypod"}
_KEPT = 32
"""Connections at most."""
_VERSION = re.compile(r"\d+\.\d+(\.\d+)*")
_OLDEST_API = (1, 24)
"""What docker-py still speaks."""


@dataclass(frozen=True, slots=True)
class Response:
    """The engine's, read whole.

    Attributes:
        headers: by their names in lower case.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """What it says. Raises `OSError` where that is not JSON."""
        try:
            return json.loads(self.body) if self.body else None
        except ValueError as error:
            raise OSError(errno.EPROTO, f"the answer is not JSON: {self.body[:80]!r}") from error

    def words(self) -> str:
        """Why it is a refusal."""
        return error_words(self.body, self.status)


class Calls(Protocol):
    """Short requests to one engine.

    Attributes:
        version: of the API, as the engine says it.
    """

    @property
    def version(self) -> str: ...

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
    ) -> Response:
        """One question, and its answer, be it a refusal.

        Args:
            path: without the API's version.
            body: is sent as JSON; None: there is none.

        Raises:
            OSError: there was no answer; a `ConnectionResetError` or `BrokenPipeError` where the connection broke.
        """

    def transport(self) -> Transport:
        """How this engine's streams are opened."""

    def close(self) -> None:
        """Let its connections go."""


@dataclass(frozen=True)
class Transport:
    """How an engine is reached over new connections.

    Attributes:
        connect: makes one; raises `OSError`.
        prefix: of each path: the API's version.
        host: what the requests call the engine.
        headers: are sent with each request.
    """

    connect: Callable[[], socket.socket]
    prefix: str
    host: str
    headers: Mapping[str, str]

    def dial(self) -> Wire:
        return Wire(self.connect())

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
        lines = [f"{method} {self.prefix}{path} HTTP/1.1", f"Host: {self.host}"]
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


class LocalCalls:
    """`Calls` over a local socket, without Docker's SDK.

    Args:
        path: the socket's.
        headers: to send beside pypod's own.

    Raises:
        OSError: nobody answers there, or not as an engine does.
    """

    def __init__(self, path: str, headers: Mapping[str, str]) -> None:
        self._headers = {**_AGENT, **headers}
        self._connections = LocalConnections(path, _KEPT)
        try:
            self.version = _version(self._ask("GET", "/version", b"", CONNECT_TIMEOUT))
        except BaseException:
            self.close()
            raise
        self._transport = Transport(
            lambda: local_socket(path, CONNECT_TIMEOUT), f"/v{self.version}", "localhost", self._headers
        )

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
    ) -> Response:
        whole = f"/v{self.version}{path}" + (f"?{urlencode(query)}" if query else "")
        return self._ask(method, whole, b"" if body is None else json.dumps(body).encode(), TIMEOUT)

    def transport(self) -> Transport:
        return self._transport

    def close(self) -> None:
        self._connections.close()

    def _ask(self, method: str, target: str, body: bytes, timeout: float) -> Response:
        headers = {**self._headers, "Content-Type": "application/json"} if body else self._headers
        answer, found = self._connections.ask(method, target, headers, body, timeout)
        return Response(answer.status, answer.headers, found)


def _version(response: Response) -> str:
    """Of the API, from the first answer of an engine. Raises `OSError` where none can be told, or one that is too old."""
    if response.status != 200:
        raise OSError(
            errno.EPROTO, f"it does not tell its version: HTTP {response.status}, {response.words()}"
        )
    about = response.json()
    spoken = str(about.get("ApiVersion")) if isinstance(about, dict) else ""
    if _VERSION.fullmatch(spoken) is None:
        raise OSError(errno.EPROTO, f"it does not tell its version: {response.body[:80]!r}")
    if tuple(map(int, spoken.split("."))) < _OLDEST_API:
        oldest = ".".join(map(str, _OLDEST_API))
        raise OSError(
            errno.EPROTO, f"it speaks version {spoken} of the API; {oldest} is the oldest that is understood"
        )
    return spoken
