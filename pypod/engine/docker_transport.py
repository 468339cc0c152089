"""Requests to the engine over connections of their own: for answers that are streams, and for short ones over a local socket."""

from __future__ import annotations

import errno
import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode

from pypod.engine.docker_errors import refusal
from pypod.engine.docker_streams import Reply, Wire, deadline_in, error_words, read_reply

TIMEOUT = 60
"""Seconds that an engine may be silent while it works on a request."""
CONNECT_TIMEOUT = 10
AGENT = {"User-Agent": "pypod"}

_OLDEST_API = (1, 24)
"""What docker-py still speaks."""
_WITHOUT_BODY = (204, 304)


@dataclass(frozen=True, slots=True)
class Answer:
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
    ) -> Answer:
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

    Each has a connection of its own. To keep them would save 0.05 ms of the 0.2 ms that a call takes, and bring what kept
    connections bring: ones that the engine has closed meanwhile, and ones that a forked child shares.

    Args:
        path: the socket's.
        headers: to send beside pypod's own.

    Raises:
        OSError: nobody answers there, or not as an engine does.
    """

    def __init__(self, path: str, headers: Mapping[str, str]) -> None:
        self._path = path
        self._headers = {**AGENT, **headers}
        self.about = self._version()
        """The engine's answer to the question for its version."""
        self.version = str(self.about["ApiVersion"])
        self._transport = self._prefixed(f"/v{self.version}", TIMEOUT)

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
    ) -> Answer:
        return _short(self._transport, method, path, query, body, TIMEOUT)

    def transport(self) -> Transport:
        return self._transport

    def close(self) -> None:
        """There are none."""

    def _prefixed(self, prefix: str, seconds: float) -> Transport:
        return Transport(lambda: local_socket(self._path, seconds), prefix, "localhost", self._headers)

    def _version(self) -> dict[str, Any]:
        """The first question: it finds out that nobody is there."""
        answer = _short(self._prefixed("", CONNECT_TIMEOUT), "GET", "/version", None, None, CONNECT_TIMEOUT)
        if answer.status != 200:
            raise OSError(
                errno.EPROTO, f"it does not tell its version: HTTP {answer.status}, {answer.words()}"
            )
        about = answer.json()
        spoken = about.get("ApiVersion") if isinstance(about, dict) else None
        try:
            numbers = tuple(int(part) for part in str(spoken).split("."))
        except ValueError as error:
            raise OSError(errno.EPROTO, f"it does not tell its version: {answer.body[:80]!r}") from error
        if numbers < _OLDEST_API:
            raise OSError(errno.EPROTO, f"its API {spoken} is older than {'.'.join(map(str, _OLDEST_API))}")
        return dict(about)


def _short(
    transport: Transport,
    method: str,
    path: str,
    query: Mapping[str, str] | None,
    body: object,
    timeout: float,
) -> Answer:
    """Over a connection that ends with the answer."""
    sent = b"" if body is None else json.dumps(body).encode()
    headers = {"Connection": "close"} | ({"Content-Type": "application/json"} if sent else {})
    wire = transport.dial()
    try:
        whole = f"{path}?{urlencode(query)}" if query else path
        reply = transport.ask(wire, method, whole, headers=headers, body=sent, timeout=timeout)
        if method == "HEAD" or reply.status in _WITHOUT_BODY:
            return Answer(reply.status, reply.headers, b"")
        pieces = list(iter(lambda: reply.receive(deadline_in(timeout)), b""))
        if not reply.complete:
            raise ConnectionResetError(errno.ECONNRESET, "the connection ended in the middle of an answer")
        return Answer(reply.status, reply.headers, b"".join(pieces))
    finally:
        wire.close()


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
