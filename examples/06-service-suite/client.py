"""How the tests speak to the service."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any

from pypod import Pod


@dataclass(frozen=True)
class Reply:
    status: int
    value: Any
    cache: str | None


def ask(pod: Pod, method: str, path: str, body: object = None, *, raw: bytes | None = None) -> Reply:
    """One request to the service, in whatever way its port can be reached from here."""
    host, port = pod.address(8080)
    connection = http.client.HTTPConnection(host, port, timeout=30)
    try:
        connection.request(
            method, path, raw if raw is not None else json.dumps(body) if body is not None else None
        )
        response = connection.getresponse()
        data = response.read()
        return Reply(response.status, json.loads(data) if data else None, response.headers["X-Cache"])
    finally:
        connection.close()


def order(pod: Pod, what: str, amount: int = 1) -> dict[str, Any]:
    """A new order, as the service answers it."""
    reply = ask(pod, "POST", "/orders", {"what": what, "amount": amount})
    assert reply.status == 201
    found: dict[str, Any] = reply.value
    return found
