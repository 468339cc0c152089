"""Where the service keeps what it is told. One pod for these tests alone: they count what is in it."""

from __future__ import annotations

import json

from client import ask, order

from pypod import Pod


def sql(pod: Pod, query: str) -> list[str]:
    command = ["psql", "-qAtX", "-U", "shop", "-c", query]
    return pod.exec(command, "database", check=True).stdout.splitlines()


def redis(pod: Pod, *command: str) -> str:
    return pod.exec(["redis-cli", *command], "cache", check=True).stdout.strip()


def test_nothing_is_there_at_first(quiet: Pod) -> None:
    assert sql(quiet, "SELECT count(*) FROM orders") == ["0"]
    assert redis(quiet, "DBSIZE") == "0"


def test_an_order_is_a_row(quiet: Pod) -> None:
    made = order(quiet, "tea", 3)
    assert sql(quiet, f"SELECT what, amount FROM orders WHERE id = {made['id']}") == ["tea|3"]


def test_a_row_is_an_order(quiet: Pod) -> None:
    number = sql(quiet, "INSERT INTO orders (what, amount) VALUES ('from elsewhere', 7) RETURNING id")[0]
    assert ask(quiet, "GET", f"/orders/{number}").value["what"] == "from elsewhere"


def test_the_cache_has_json_for_a_minute(quiet: Pod) -> None:
    made = order(quiet, "tea")
    ask(quiet, "GET", f"/orders/{made['id']}")
    assert json.loads(redis(quiet, "GET", f"order:{made['id']}")) == made
    assert 0 < int(redis(quiet, "TTL", f"order:{made['id']}")) <= 60


def test_the_database_refuses_what_the_service_should_have(quiet: Pod) -> None:
    done = quiet.exec(["psql", "-U", "shop", "-c", "INSERT INTO orders VALUES (1000, 'tea', 0)"], "database")
    assert done.exit_code == 1
    assert "violates check constraint" in done.stderr


def test_each_container_tells_its_own(quiet: Pod) -> None:
    ask(quiet, "GET", "/orders?from=a-test")
    # A line is in the log a moment after it was written: this waits for it.
    assert any("/orders?from=a-test" in line for line in quiet.logs("web", follow=True))
    assert "/orders?from=a-test" not in quiet.logs("database")
    assert "ready to accept connections" in quiet.logs("database")
