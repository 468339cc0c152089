"""The images of real servers do as the official ones of their names, as far as tests use these."""

from __future__ import annotations

import json

import pytest

from pypod import ConfigMap, Container, Pod, PodStartError, Probe, Volume, apply, delete_object
from tests import images

SCHEMA = "CREATE TABLE orders (what text NOT NULL); INSERT INTO orders VALUES ('tea')"

CLIENT = """
import json, sys
import psycopg2, redis

def ask(password):
    with psycopg2.connect(host=sys.argv[1], user="shop", password=password, dbname="orders") as connection:
        with connection.cursor() as cursor:
            cursor.execute("SET TIME ZONE 'UTC'")
            cursor.execute("SELECT what FROM orders")
            return [what for what, in cursor.fetchall()]

def refusal():
    try:
        ask("wrong")
    except psycopg2.OperationalError as error:
        return str(error)

cache = redis.Redis(host=sys.argv[1])
cache.set("key", "value")
print(json.dumps([ask("secret"), refusal(), cache.get("key").decode()]))
"""


def test_a_program_with_its_database_and_its_cache(namespace: str) -> None:
    database = Container(
        "db",
        images.POSTGRES,
        args=["-c", "fsync=off"],
        env={
            "POSTGRES_USER": "shop",
            "POSTGRES_PASSWORD": "secret",
            "POSTGRES_DB": "orders",
            "POSTGRES_INITDB_ARGS": "--no-sync",
        },
        mounts={"schema": "/docker-entrypoint-initdb.d"},
        readiness_probe=Probe.tcp_socket(5432),
    )
    cache = Container("cache", images.REDIS, readiness_probe=Probe.tcp_socket(6379))
    client = Container("app", images.PYTHON, command=["sleep", "1000"])
    apply(ConfigMap("schema", {"schema.sql": SCHEMA}, namespace=namespace))
    with Pod(
        "shop",
        containers=[database, cache, client],
        volumes=[Volume.config_map("schema", "schema")],
        namespace=namespace,
        termination_grace_period_seconds=5,
    ) as pod:
        assert pod.status.container("db").restart_count == 0
        # By the pod's address: on localhost the server asks for no password, as the official one.
        said = pod.exec(["python3", "-c", CLIENT, pod.ip], "app", check=True).stdout
        assert pod.exec(["psql", "-qAt", "-U", "shop", "orders", "-c", "SHOW fsync"], "db").stdout == "off\n"
    rows, refusal, value = json.loads(said)
    assert (rows, value) == (["tea"], "value")
    assert "password authentication failed" in refusal
    delete_object("ConfigMap", "schema", namespace)


def test_a_database_without_a_password_is_refused(namespace: str) -> None:
    pod = Pod(
        "db",
        containers=[Container("db", images.POSTGRES)],
        namespace=namespace,
        restart_policy="Never",
        min_ready_seconds=10,
    )
    with pytest.raises(PodStartError, match="set POSTGRES_PASSWORD"):
        pod.start()
