"""What the service answers. One pod for all of these tests, and for all workers: each makes the orders that it needs."""

from __future__ import annotations

from uuid import uuid4

import pytest
from client import ask, order

from pypod import Pod


def test_the_service_is_well(service: Pod) -> None:
    reply = ask(service, "GET", "/healthz")
    assert (reply.status, reply.value) == (200, {"cache": True, "database": True})


@pytest.mark.parametrize(
    ("what", "amount"), [("tea", 1), ("Grüner Tee 茶", 40), ("'; DROP TABLE orders; --", 2)]
)
def test_an_order_is_taken(service: Pod, what: str, amount: int) -> None:
    made = order(service, what, amount)
    assert (made["what"], made["amount"]) == (what, amount)
    assert ask(service, "GET", f"/orders/{made['id']}").value == made


def test_one_is_ordered_unless_said(service: Pod) -> None:
    assert ask(service, "POST", "/orders", {"what": "tea"}).value["amount"] == 1


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ([], "object"),
        ({"amount": 1}, "what"),
        ({"what": "  "}, "what"),
        ({"what": "tea", "amount": 0}, "amount"),
        ({"what": "tea", "amount": "many"}, "amount"),
    ],
)
def test_what_is_no_order_is_refused(service: Pod, body: object, wrong: str) -> None:
    reply = ask(service, "POST", "/orders", body)
    assert reply.status == 400
    assert wrong in reply.value["error"]


def test_what_is_no_json_is_refused(service: Pod) -> None:
    assert ask(service, "POST", "/orders", raw=b"{what").status == 400


def test_orders_have_numbers_of_their_own(service: Pod) -> None:
    assert order(service, "tea")["id"] != order(service, "tea")["id"]


def test_all_orders_are_listed(service: Pod) -> None:
    made = [order(service, "tea"), order(service, "coffee")]
    listed = ask(service, "GET", "/orders").value
    assert [each for each in listed if each in made] == made


def test_an_order_that_nobody_made_is_not_found(service: Pod) -> None:
    assert ask(service, "GET", "/orders/999999999").status == 404


def test_there_is_nothing_else(service: Pod) -> None:
    assert ask(service, "GET", "/secrets").status == 404


def test_an_order_is_deleted_once(service: Pod) -> None:
    path = f"/orders/{order(service, 'tea')['id']}"
    assert ask(service, "DELETE", path).status == 204
    assert ask(service, "GET", path).status == 404
    assert ask(service, "DELETE", path).status == 404


def test_the_second_look_comes_from_the_cache(service: Pod) -> None:
    path = f"/orders/{order(service, 'tea')['id']}"
    assert [ask(service, "GET", path).cache for _ in range(3)] == ["miss", "hit", "hit"]


def test_what_is_deleted_is_not_in_the_cache(service: Pod) -> None:
    path = f"/orders/{order(service, 'tea')['id']}"
    assert ask(service, "GET", path).status == 200
    ask(service, "DELETE", path)
    assert ask(service, "GET", path).status == 404


def test_amounts_are_counted(service: Pod) -> None:
    what = f"cake {uuid4().hex}"
    order(service, what, 2000)
    order(service, what, 1000)
    assert {"what": what, "amount": 3000} in ask(service, "GET", "/popular").value
