"""Talk to a Docker Engine with the standard library alone: find it, ping it, ask it, feed it.

`scripts/quickstart` and `scripts/test` need to know whether an engine answers before anything is installed, and the
test images are built before pypod can be imported, so neither docker-py nor the docker CLI may be assumed here.

Run as a program, it prints the URL of the engine that answers:

    python tests/images/engine_http.py

Exit codes: 0 an engine answers (its URL on stdout), 1 there is none, 2 one was named (DOCKER_HOST, docker context)
or is there but does not answer this user (why, on stderr).
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import socket
import ssl
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

DEFAULT_SOCKET = "/var/run/docker.sock"
PING_TIMEOUT = 5.0
CALL_TIMEOUT = 120.0


class EngineUnreachable(Exception):
    """No engine answers; the message says which was asked and why it failed."""


class EngineRefused(Exception):
    """The engine answered with an error status."""

    def __init__(self, method: str, path: str, status: int, message: str) -> None:
        super().__init__(f"{method} {path}: HTTP {status}: {message}")
        self.status = status


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Engine:
    """One engine, by URL (`unix://`, `tcp://`, TLS as DOCKER_TLS_VERIFY and DOCKER_CERT_PATH say)."""

    def __init__(self, url: str) -> None:
        self.url = url

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        if parts.scheme == "unix":
            return _UnixConnection(parts.path, timeout)
        if parts.scheme not in ("tcp", "http", "https"):
            raise EngineUnreachable(f"{self.url}: only unix:// and tcp:// can be used here")
        return _tcp_connection(parts, timeout)

    def call(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = CALL_TIMEOUT,
    ) -> bytes:
        """The body of the answer; EngineRefused for an error status, EngineUnreachable without an answer."""
        connection = self._connection(timeout)
        try:
            connection.request(method, path, body=body, headers=dict(headers or {}))
            response = connection.getresponse()
            data = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise EngineUnreachable(f"{self.url}: {error}") from error
        finally:
            connection.close()
        if response.status >= 400:
            raise EngineRefused(method, path, response.status, _message(data))
        return data

    def ping(self) -> None:
        self.call("GET", "/_ping", timeout=PING_TIMEOUT)

    def image(self, reference: str) -> dict[str, object] | None:
        """What the engine knows of an image, None when it has no such image."""
        try:
            known = json.loads(self.call("GET", f"/images/{reference}/json"))
        except EngineRefused as refused:
            if refused.status == 404:
                return None
            raise
        assert isinstance(known, dict)
        return known

    def load(self, archive: bytes) -> None:
        """What `docker load` does. The engine answers 200 and reports failure inside the stream."""
        answer = self.call(
            "POST", "/images/load?quiet=1", body=archive, headers={"Content-Type": "application/x-tar"}
        )
        for line in answer.splitlines():
            failure = json.loads(line).get("error") if line.strip() else None
            if failure:
                raise EngineRefused("POST", "/images/load", 200, str(failure))

    def remove_image(self, image_id: str) -> None:
        self.call("DELETE", f"/images/{image_id}")


def _tcp_connection(parts: SplitResult, timeout: float) -> http.client.HTTPConnection:
    host = parts.hostname or "localhost"
    certificates = os.environ.get("DOCKER_CERT_PATH")
    if parts.scheme != "https" and not os.environ.get("DOCKER_TLS_VERIFY"):
        return http.client.HTTPConnection(host, parts.port or 2375, timeout=timeout)
    folder = Path(certificates) if certificates else Path.home() / ".docker"
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return http.client.HTTPSConnection(host, parts.port or 2376, timeout=timeout, context=context)


def _message(data: bytes) -> str:
    try:
        return str(json.loads(data)["message"])
    except (ValueError, KeyError, TypeError):
        return data.decode(errors="replace").strip()


def named_url() -> str | None:
    """The engine that the user named: DOCKER_HOST, else the current docker context, else None."""
    if host := os.environ.get("DOCKER_HOST"):
        return host
    config = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    context = os.environ.get("DOCKER_CONTEXT")
    try:
        context = context or json.loads((config / "config.json").read_text()).get("currentContext")
        if not context or context == "default":
            return None
        folder = hashlib.sha256(context.encode()).hexdigest()
        meta = json.loads((config / "contexts" / "meta" / folder / "meta.json").read_text())
        return str(meta["Endpoints"]["docker"]["Host"])
    except (OSError, ValueError, KeyError, AttributeError):
        return None


def usual_urls() -> Iterator[str]:
    """Where an engine listens when nobody says: the system's socket, a rootless one, Docker Desktop's."""
    yield f"unix://{DEFAULT_SOCKET}"
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        yield f"unix://{runtime}/docker.sock"
    yield f"unix://{Path.home()}/.docker/run/docker.sock"


def find() -> Engine | None:
    """The engine that answers, None when there is none; EngineUnreachable when one is there but out of reach."""
    if named := named_url():
        engine = Engine(named)
        if not named.startswith("ssh://"):  # no login on the side: pypod itself will say whether it works
            engine.ping()
        return engine
    for url in usual_urls():
        engine = Engine(url)
        try:
            engine.ping()
        except EngineUnreachable as error:
            if isinstance(error.__cause__, PermissionError):
                raise
            continue
        return engine
    return None


def main() -> int:
    try:
        engine = find()
    except (EngineUnreachable, EngineRefused) as error:
        print(error, file=sys.stderr)
        return 2
    if engine is None:
        return 1
    print(engine.url)
    return 0


if __name__ == "__main__":
    sys.exit(main())
