"""Pulling an image: a stream of progress that can be given up."""

from __future__ import annotations

import base64
import errno
import json
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from pypod.engine.api import Closable, Progress
from pypod.engine.docker_streams import Reply, Wire, json_lines
from pypod.engine.docker_transport import Transport
from pypod.errors import ImagePullError
from pypod.model.wiring.credentials import Login


def login_header(login: Login) -> dict[str, str]:
    """What tells the engine who asks for an image."""
    content = {
        "username": login.username,
        "password": login.password,
        "serveraddress": login.registry,
    }
    return {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(content).encode()).decode()}


def pull(
    transport: Transport,
    wire: Wire,
    path: str,
    reference: str,
    *,
    url: str,
    headers: Mapping[str, str],
    progress: Progress | None,
    register: Callable[[Closable], None] | None,
) -> None:
    """Over `wire`, which it closes; `url` is what errors call the engine."""
    transfer = _Transfer(wire)
    try:
        if register is not None:
            register(transfer)
        # The head comes with the first progress, which may take as long as the registry does.
        reply = transport.ask(wire, "POST", path, headers=headers, timeout=None)
        if reply.status != 200:
            raise ImagePullError("pull image", reference, reply.error_message(), status=reply.status)
        _follow_pull(reply, reference, progress)
        if not reply.complete:
            raise ConnectionResetError(errno.ECONNRESET, "the connection ended before the pull did")
    except OSError as error:
        if transfer.given_up:
            raise ImagePullError("pull image", reference, "it was given up") from error
        raise ImagePullError("pull image", reference, f"the engine at {url} broke off: {error}") from error
    finally:
        wire.close()


class _Transfer:
    """What gives a pull up."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.given_up = False

    def close(self) -> None:
        self.given_up = True
        self._wire.close()


def _follow_pull(reply: Reply, reference: str, progress: Progress | None) -> None:
    """Each layer's steps, a line each: layers take turns, and one that is downloaded says so again and again."""
    told: dict[str, str] = {}
    for entry in json_lines(reply):
        if "error" in entry:
            _give_up(reference, entry)
        layer, status = entry.get("id") or "", entry.get("status") or ""
        if progress is not None and status and told.get(layer) != status:
            progress(f"{layer}: {status}" if layer else status)
        told[layer] = status


def _give_up(reference: str, entry: Mapping[str, Any]) -> NoReturn:
    raise ImagePullError("pull image", reference, str(entry["error"]))
