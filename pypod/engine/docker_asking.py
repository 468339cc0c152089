"""How the verbs of `DockerEngine` ask: what each of its parts is built on."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from pypod.engine import docker_requests as wire_json
from pypod.engine.docker_address import Address, http_headers
from pypod.engine.docker_errors import asking_again, refusal
from pypod.engine.docker_streams import Reply, Wire
from pypod.engine.docker_transport import Calls, LocalCalls, Response, Transport
from pypod.errors import EngineError, EngineUnavailableError


def quoted(name: str) -> str:
    """A name within a path, as docker-py writes it: images have colons and slashes."""
    return quote(name, safe="/:")


class Asking:
    """What asks one engine.

    Args:
        address: where it is.
        sleep: between a connection that broke and the next one.
    """

    def __init__(self, address: Address, sleep: Callable[[float], None]) -> None:
        self._address = address
        self._sleep = sleep
        self._lock = threading.Lock()
        self._calls: Calls | None = None
        self._podman: bool | None = None

    @property
    def url(self) -> str:
        return self._address.url

    def _connected(self) -> Calls:
        """Raises `OSError` where nobody answers."""
        with self._lock:
            if self._calls is None:
                self._calls = _calls_of(self._address)
            return self._calls

    @contextlib.contextmanager
    def _asking(self, verb: str, target: str = "") -> Iterator[None]:
        """Where there was no answer, the error says so."""
        try:
            yield
        except EngineError:
            raise
        except OSError as error:
            detail = f"the engine at {self.url} does not answer: {error}"
            raise EngineUnavailableError(verb, target, detail) from error

    def _answer(
        self,
        verb: str,
        target: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        method: str = "GET",
    ) -> Response:
        """To a question that changes nothing, so it is asked again where the connection broke; be it a refusal."""
        with self._asking(verb, target):
            return asking_again(lambda: self._connected().ask(method, path, query=query), self._sleep)

    def _read(self, verb: str, target: str, path: str, query: Mapping[str, str] | None = None) -> Any:
        """The JSON that answers such a question."""
        answer = self._answer(verb, target, path, query)
        with self._asking(verb, target):
            return granted(answer, verb, target).json()

    def _order(
        self,
        verb: str,
        target: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: object = None,
        method: str = "POST",
    ) -> Response:
        """What is to be done, once. What the answer says beside that it is done differs between engines."""
        with self._asking(verb, target):
            return granted(self._connected().ask(method, path, query=query, body=body), verb, target)

    def _make(
        self, verb: str, target: str, path: str, body: object, query: Mapping[str, str] | None = None
    ) -> Any:
        """The same of what is to be made; what the engine tells of it."""
        answer = self._order(verb, target, path, query, body=body)
        with self._asking(verb, target):
            return answer.json()

    def _dial(self, verb: str, target: str = "") -> tuple[Transport, Wire]:
        """A new connection, and how to ask over it."""
        with self._asking(verb, target):
            transport = self._connected().transport()
            return transport, transport.dial()

    def _open(
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
        with self._asking(verb, target):
            transport = self._connected().transport()
            return transport.open(verb, target, method, path, headers=headers, body=body)

    def _is_podman(self) -> bool:
        """Asked for once."""
        if self._podman is None:
            answer = self._read("get the version of the engine", "", "/version")
            self._podman = wire_json.is_podman(answer)
        return self._podman

    def _inspect(self, container: str) -> dict[str, Any]:
        """A container, in the engine's words."""
        path = f"/containers/{quoted(container)}/json"
        found: dict[str, Any] = self._read("inspect container", container, path)
        return found


def _calls_of(address: Address) -> Calls:
    if address.socket_path is not None and address.tls is None:
        return LocalCalls(address.socket_path, http_headers(os.environ))
    from pypod.engine import docker_sdk  # noqa: PLC0415

    return docker_sdk.RemoteCalls(address)


def granted(answer: Response, verb: str, target: str) -> Response:
    """An answer that is no refusal; that is raised."""
    if answer.status >= 400:
        raise refusal(verb, target, answer.status, answer.words())
    return answer
