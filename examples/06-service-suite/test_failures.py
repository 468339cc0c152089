"""What the service does when its neighbours fail. Each test has a pod of its own to break, and does not wait for it."""

from __future__ import annotations

from client import ask, order

from pypod import Pod


def signal(pod: Pod, name: str, program: str) -> None:
    """To a program anywhere in the pod: its containers share one PID space. Few images have pkill, all have a shell."""
    each = f'[ "$(cat $p/comm)" != {program} ] || kill -{name} "${{p#/proc/}}"'
    pod.exec(
        ["sh", "-c", f"for p in /proc/[0-9]*; do {each}; done"],
        "cache" if program == "postgres" else "database",
    )


def wait_for_restart(pod: Pod, container: str) -> None:
    pod.wait(lambda status: status.container(container).restart_count > 0)
    pod.wait("Ready")


def test_a_cache_that_hangs_is_done_without(fragile: Pod) -> None:
    made = order(fragile, "tea")
    signal(fragile, "STOP", "redis-server")
    reply = ask(fragile, "GET", f"/orders/{made['id']}")
    assert (reply.value, reply.cache) == (made, "miss")
    signal(fragile, "CONT", "redis-server")


def test_a_cache_that_crashes_comes_back_empty(fragile: Pod) -> None:
    made = order(fragile, "tea")
    ask(fragile, "GET", f"/orders/{made['id']}")
    signal(fragile, "KILL", "redis-server")
    wait_for_restart(fragile, "cache")
    assert [ask(fragile, "GET", f"/orders/{made['id']}").cache for _ in range(2)] == ["miss", "hit"]


def test_orders_outlive_a_crash_of_the_database(fragile: Pod) -> None:
    made = order(fragile, "tea")
    signal(fragile, "KILL", "postgres")
    wait_for_restart(fragile, "database")
    assert ask(fragile, "GET", "/orders").value == [made]


def test_a_service_that_crashes_is_started_again(fragile: Pod) -> None:
    made = order(fragile, "tea")
    signal(fragile, "KILL", "python3")
    wait_for_restart(fragile, "web")
    assert ask(fragile, "GET", f"/orders/{made['id']}").value == made


def test_a_service_without_its_table_says_so(fragile: Pod) -> None:
    drop = ["psql", "-U", "shop", "-c", "DROP TABLE orders"]
    fragile.exec(drop, "database", check=True)
    assert ask(fragile, "GET", "/healthz").status == 200
    reply = ask(fragile, "GET", "/orders")
    assert (reply.status, reply.value) == (500, {"error": "the database refuses"})
