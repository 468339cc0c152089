"""The suite with pypod: the stack is one pod. SUITE_POOL pods are started ahead of time."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

import pypod
from benchmarks.suite import stack
from benchmarks.suite.checks import test_an_order_is_the_only_one
from pypod import Container, Pod, Probe, Volume
from pypod.pytest import pod_fixture

__all__ = ["test_an_order_is_the_only_one"]


def shop() -> Pod:
    return Pod(
        "shop",
        containers=[
            Container(
                "web",
                stack.WEB,
                command=stack.COMMAND,
                mounts={"program": "/srv"},
                readiness_probe=Probe.http_get("/healthz", port=8080),
            ),
            Container(
                "database",
                stack.DATABASE,
                args=stack.SERVER,
                env=stack.DATABASE_ENV,
                mounts={"schema": "/docker-entrypoint-initdb.d"},
                readiness_probe=Probe.tcp_socket(5432),
            ),
            Container("cache", stack.CACHE, readiness_probe=Probe.tcp_socket(6379)),
        ],
        volumes=[
            Volume.files("program", {"shop.py": stack.PROGRAM}),
            Volume.files("schema", {"schema.sql": stack.SCHEMA}),
        ],
    )


pod = pod_fixture(shop, pool=int(os.environ.get("SUITE_POOL", "0")))


@pytest.fixture
def service(pod: pypod.Pod) -> Callable[[], str]:
    """Asked for the service's URL in the test: the fixture's time is the wait for the pod."""
    return lambda: "http://{}:{}".format(*pod.address(8080))
