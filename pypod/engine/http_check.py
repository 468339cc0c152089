"""The GET request of a probe or hook, as a kubelet makes it: a connection for each, no proxy, no compression, redirects only
within the same host name (kubernetes pkg/probe/http)."""

from __future__ import annotations

import contextlib
import http.client
import io
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from pypod.engine.connection import (
    VERSION,
    Connection,
    NoConnectionError,
    NotTLSError,
    TLSConnection,
    Way,
    join,
    words,
)
from pypod.errors import EngineError
from pypod.model.spec.handlers import HTTPGetAction, Scheme

MAX_BODY = 10 * 1024
MAX_REQUESTS = 10
"""Of one try: the one asked for, and those that redirects ask for (Go's own figure)."""
REDIRECTS = (301, 302, 303, 307, 308)
PORTS = {"http": 80, "https": 443}
IN_A_URL = "/%:?&=+,;@!$'()*~[]"
"""What is left as it is in a path; the rest is quoted, as Go does."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The last answer: its status, and the start of its body where it was asked for."""

    status: int
    body: str = ""


class RequestError(Exception):
    """No answer came.

    Attributes:
        cause: the kind of trouble.
    """

    def __init__(self, url: str, reason: str, cause: Exception | None = None) -> None:
        super().__init__(f'Get "{url}": {reason}')
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for: the handler, its host and port as they were found, and who asks (``probe``, ``lifecycle``)."""

    action: HTTPGetAction
    host: str
    port: int
    asker: str

    def url(self, scheme: Scheme) -> str:
        path = self.action.path.partition("#")[0]
        path = path if path.startswith("/") else f"/{path}"
        return f"{scheme.value.lower()}://{join(self.host, self.port)}{quote(path, safe=IN_A_URL)}"

    def headers(self) -> tuple[list[tuple[str, str]], str]:
        """Those to send, and the value of ``Host``; empty: that of the URL."""
        given = self.action.http_headers
        names = {name.lower() for name, _ in given}
        host = next((value for name, value in given if name.lower() == "host"), "")
        sent = [
            (name, value)
            for name, value in given
            # An empty one of these two means: do not send it.
            if name.lower() != "host" and (value or name.lower() not in ("accept", "user-agent"))
        ]
        if "user-agent" not in names:
            sent.append(("User-Agent", f"kube-{self.asker}/{VERSION}"))
        if "accept" not in names:
            sent.append(("Accept", "*/*"))
        if "connection" not in names:
            sent.append(("Connection", "close"))
        return sent, host


def get(
    way: Way, request: Request, deadline: float | None, *, scheme: Scheme | None = None, with_body: bool
) -> Answer:
    """Ask, and follow redirects.

    Args:
        way: to the request's host.
        request: what for.
        deadline: on `time.monotonic`, of all requests together; None: none.
        scheme: instead of the handler's.
        with_body: whether the start of the body must have come, too.

    Raises:
        RequestError: no answer came, or too many redirects.
        NotTriedError: nothing could be sent.
        EngineError: the engine, which the way needs, failed.
    """
    headers, host = request.headers()
    url = request.url(scheme or request.action.scheme)
    for _ in range(MAX_REQUESTS):
        answer, location = _once(way, url, headers, host, deadline, with_body=with_body)
        if answer.status not in REDIRECTS or not location:
            return answer
        try:
            target = urljoin(url, location)
            split = urlsplit(target)
            known = split.scheme in PORTS and (split.port or 1)
        except ValueError as error:  # a port that is no number, half of a pair of brackets
            raise RequestError(
                url, f'failed to parse Location header "{location}": {error}', error
            ) from error
        if split.hostname != urlsplit(url).hostname:
            return answer
        if not known:
            raise RequestError(target, f'unsupported protocol scheme "{split.scheme}"')
        if urlsplit(location).netloc:
            host = ""  # Go keeps a Host header only where the redirect is relative
        url = target
    raise RequestError(url, f"stopped after {MAX_REQUESTS} redirects")


def _once(
    way: Way, url: str, headers: list[tuple[str, str]], host: str, deadline: float | None, *, with_body: bool
) -> tuple[Answer, str]:
    """One request: its answer, and where that points to."""
    state = "awaiting headers"
    try:
        with contextlib.closing(_open(way, url, deadline)) as connection:
            response = _ask(connection, url, headers, host)
            state = "reading body"
            body = response.read(MAX_BODY) if with_body else b""
            location = response.getheader("Location") or ""
            return Answer(response.status, body.decode(errors="replace")), location
    except EngineError:  # some are a ConnectionError as well
        raise
    except TimeoutError as error:
        reason = f"context deadline exceeded (Client.Timeout exceeded while {state})"
        raise RequestError(url, reason, error) from error
    except (NoConnectionError, NotTLSError, OSError, http.client.HTTPException, ValueError) as error:
        raise RequestError(url, _reason(error), error) from error


def _open(way: Way, url: str, deadline: float | None) -> Connection:
    split = urlsplit(url)
    host = split.hostname or ""
    connection = way.open(host, split.port or PORTS[split.scheme], deadline)
    return TLSConnection(connection, host) if split.scheme == "https" else connection


def _ask(
    connection: Connection, url: str, headers: list[tuple[str, str]], host: str
) -> http.client.HTTPResponse:
    split = urlsplit(url)
    exchange = http.client.HTTPConnection("pod")  # only writes and reads: it is given what it is connected to
    exchange.sock = _Socket(connection)
    path = (split.path or "/") + (f"?{split.query}" if split.query else "")
    exchange.putrequest("GET", quote(path, safe=IN_A_URL), skip_host=True, skip_accept_encoding=True)
    exchange.putheader("Host", host or split.netloc.rpartition("@")[2])
    for name, value in headers:
        exchange.putheader(name, value.encode())
    exchange.endheaders()
    return exchange.getresponse()


def _reason(error: Exception) -> str:
    """Go's words for what went wrong."""
    if isinstance(error, http.client.RemoteDisconnected):
        return "EOF"
    if isinstance(error, http.client.BadStatusLine):
        return f"net/http: HTTP/1.x transport connection broken: malformed HTTP response {str(error)!r}"
    if isinstance(error, http.client.HTTPException):
        return f"net/http: HTTP/1.x transport connection broken: {type(error).__name__} {error}".rstrip()
    return words(error) if isinstance(error, OSError) else str(error)


class _Socket:
    """As much of a socket as `http.client` uses. It ends with the connection, which somebody else closes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def sendall(self, data: bytes) -> None:
        self._connection.send(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        del mode  # always "rb"
        return io.BufferedReader(_Raw(self._connection))

    def close(self) -> None:
        """`http.client` closes the socket as soon as it has the file."""


class _Raw(io.RawIOBase):
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._rest or self._connection.receive()
        size = min(len(data), len(buffer))
        buffer[:size] = data[:size]
        self._rest = data[size:]
        return size
