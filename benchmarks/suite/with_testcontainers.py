"""The suite with testcontainers-python, as its documentation has it: its modules for the two servers, its own ways to wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from testcontainers.community.postgres import PostgresContainer
from testcontainers.community.redis import RedisContainer
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from testcontainers.core.wait_strategies import HttpWaitStrategy

from benchmarks.suite import stack
from benchmarks.suite.checks import test_an_order_is_the_only_one

__all__ = ["test_an_order_is_the_only_one"]


@pytest.fixture
def service() -> Iterator[Callable[[], str]]:
    """Three containers on a network of their own, which find each other by name."""
    with Network() as network:
        database = PostgresContainer(
            stack.DATABASE, username="shop", password="only-for-tests", dbname="shop"
        )
        database.with_command(stack.SERVER).with_env("POSTGRES_INITDB_ARGS", "--no-sync")
        database.with_env("POSTGRES_HOST_AUTH_METHOD", "trust")
        database.with_volume_mapping(stack.EXAMPLE / "schema.sql", "/docker-entrypoint-initdb.d/schema.sql")
        database.with_network(network).with_network_aliases("database")
        cache = RedisContainer(stack.CACHE).with_network(network).with_network_aliases("cache")
        web = DockerContainer(stack.WEB).with_command(stack.COMMAND).with_network(network)
        web.with_env("DATABASE_HOST", "database").with_env("CACHE_HOST", "cache")
        web.with_volume_mapping(stack.EXAMPLE / "shop.py", "/srv/shop.py")
        web.with_exposed_ports(8080).waiting_for(HttpWaitStrategy(8080, "/healthz"))
        with database, cache, web:
            yield lambda: f"http://{web.get_container_host_ip()}:{web.get_exposed_port(8080)}"
