"""The pod of the suite: the service, its database and its cache, as they belong together."""

from __future__ import annotations

import os
from pathlib import Path

from pypod import Container, Pod, Probe, Volume
from pypod.pytest import pod_fixture

HERE = Path(__file__).parent
WEB = os.environ.get("SHOP_WEB_IMAGE", "shop-web:1")  # of the Dockerfile beside this file
DATABASE = os.environ.get("SHOP_DATABASE_IMAGE", "postgres:16")
CACHE = os.environ.get("SHOP_CACHE_IMAGE", "redis:7")


def shop() -> Pod:
    """The web service is the main container, the other two are its helpers; all find each other on localhost."""
    web = Container(
        "web",
        WEB,
        command=["python3", "-u", "/srv/shop.py"],
        ports=[8080],
        mounts={"program": "/srv"},
        readiness_probe=Probe.http_get("/healthz", port=8080),
    )
    database = Container(
        "database",
        DATABASE,
        args=["-c", "fsync=off"],  # what a test loses by a crash of the machine it can make again
        env={
            "POSTGRES_USER": "shop",
            "POSTGRES_DB": "shop",
            "POSTGRES_PASSWORD": "only-for-tests",
            "POSTGRES_INITDB_ARGS": "--no-sync",
        },
        mounts={"schema": "/docker-entrypoint-initdb.d", "data": "/var/lib/postgresql/data"},
        # Not its port: that is open while the server recovers from a crash.
        readiness_probe=Probe.exec(["pg_isready", "-q", "-h", "127.0.0.1", "-U", "shop"]),
    )
    cache = Container("cache", CACHE, readiness_probe=Probe.tcp_socket(6379))
    return Pod(
        "shop",
        containers=[web, database, cache],
        volumes=[
            Volume.files("program", {"shop.py": (HERE / "shop.py").read_text()}),
            Volume.files("schema", {"schema.sql": (HERE / "schema.sql").read_text()}),
            Volume.empty_dir("data", medium="Memory"),
        ],
    )


service = pod_fixture(shop, scope="session", shared=True)
"""One for the whole run, and for all workers of pytest-xdist. Its tests leave each other's orders alone."""

quiet = pod_fixture(shop, scope="module")
"""One for a module whose tests look at all that is in it, in order."""

fragile = pod_fixture(shop, pool=2)
"""One a test, which may break it. The next two are started while a test runs."""
