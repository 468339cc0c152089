"""The tests of both suites. Each has a stack of its own: the service of the example, its database and its cache."""

from __future__ import annotations

import json
import os
import time
import urllib.request
from collections.abc import Callable

import pytest

WORK = float(os.environ.get("SUITE_WORK", "2"))
"""Seconds that each test takes once its stack is there."""
TESTS = int(os.environ.get("SUITE_TESTS", "6"))


def ask(url: str, body: object = None) -> object:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=10) as reply:
        return json.loads(reply.read())


@pytest.mark.parametrize("number", range(TESTS))
def test_an_order_is_the_only_one(service: Callable[[], str], number: int) -> None:
    url = service()
    until = time.monotonic() + WORK
    made = ask(f"{url}/orders", {"what": f"tea {number}"})
    assert ask(f"{url}/orders") == [made]
    time.sleep(max(0.0, until - time.monotonic()))
