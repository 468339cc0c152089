"""A small web service: orders in PostgreSQL, in front of it a cache in Redis. Its tests are what this example is about.

GET /orders, POST /orders, GET /orders/ID, DELETE /orders/ID, GET /popular, GET /healthz
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg2
import redis

# In a pod both are neighbours: whatever the pod's address is, they are on localhost.
DATABASE = f"host={os.environ.get('DATABASE_HOST', '127.0.0.1')} user=shop dbname=shop connect_timeout=10"
CACHE = os.environ.get("CACHE_HOST", "127.0.0.1")
CACHE_SECONDS = 60

cache = redis.Redis(host=CACHE, socket_timeout=2, decode_responses=True)
DOWN = object()
Answer = tuple[int, Any, str]


def rows(query: str, *values: object) -> list[tuple[Any, ...]]:
    """What the database answers; nothing for a statement without rows."""
    with psycopg2.connect(DATABASE) as connection, connection.cursor() as cursor:
        cursor.execute(query, values)
        return cursor.fetchall() if cursor.description else []


def as_order(row: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(("id", "what", "amount"), row, strict=True))


def try_cache(call: Callable[[], Any]) -> Any:
    """A cache that is down makes the service slower, not wrong; `DOWN` where it is."""
    try:
        return call()
    except redis.RedisError:
        return DOWN


def healthz() -> Answer:
    state = {"cache": try_cache(cache.ping) is True}
    try:
        state["database"] = rows("SELECT 1") == [(1,)]
    except psycopg2.Error:
        state["database"] = False
    return (200 if state["database"] else 503), state, ""


def create(order: Any) -> Answer:
    if not isinstance(order, dict):
        return 400, {"error": "a JSON object is expected"}, ""
    what, amount = order.get("what"), order.get("amount", 1)
    if not isinstance(what, str) or not what.strip():
        return 400, {"error": "'what' is expected: a text that is not empty"}, ""
    if not isinstance(amount, int) or isinstance(amount, bool) or amount < 1:
        return 400, {"error": "'amount' is expected to be a number, 1 or more"}, ""
    row = rows("INSERT INTO orders (what, amount) VALUES (%s, %s) RETURNING id, what, amount", what, amount)[
        0
    ]
    try_cache(lambda: cache.zincrby("popular", amount, what))
    return 201, as_order(row), ""


def one(number: int) -> Answer:
    key = f"order:{number}"
    known = try_cache(lambda: cache.get(key))
    if isinstance(known, str):
        return 200, json.loads(known), "hit"
    found = rows("SELECT id, what, amount FROM orders WHERE id = %s", number)
    if not found:
        return 404, {"error": f"there is no order {number}"}, "miss"
    order = as_order(found[0])
    if known is not DOWN:  # it is not waited for twice
        try_cache(lambda: cache.set(key, json.dumps(order), ex=CACHE_SECONDS))
    return 200, order, "miss"


def delete(number: int) -> Answer:
    gone = rows("DELETE FROM orders WHERE id = %s RETURNING id", number)
    try_cache(lambda: cache.delete(f"order:{number}"))
    return (204, None, "") if gone else (404, {"error": f"there is no order {number}"}, "")


def popular() -> Answer:
    best = try_cache(lambda: cache.zrevrange("popular", 0, 9, withscores=True))
    known = [] if best is DOWN else best
    return 200, [{"what": what, "amount": int(amount)} for what, amount in known], ""


def answer(method: str, path: str, body: bytes) -> Answer:
    number = re.fullmatch(r"/orders/([0-9]{1,9})", path)
    match method, path:
        case "GET", "/healthz":
            return healthz()
        case "GET", "/popular":
            return popular()
        case "GET", "/orders":
            found = rows("SELECT id, what, amount FROM orders ORDER BY id")
            return 200, [as_order(row) for row in found], ""
        case "POST", "/orders":
            try:
                return create(json.loads(body))
            except ValueError:
                return 400, {"error": "JSON is expected"}, ""
        case "GET", _ if number:
            return one(int(number[1]))
        case "DELETE", _ if number:
            return delete(int(number[1]))
    return 404, {"error": f"there is no {path}"}, ""


class Handler(BaseHTTPRequestHandler):
    def do(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            status, value, cached = answer(self.command, self.path.partition("?")[0], body)
        except psycopg2.OperationalError:
            status, value, cached = 503, {"error": "the database does not answer"}, ""
        except psycopg2.Error:
            status, value, cached = 500, {"error": "the database refuses"}, ""
        data = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if cached:
            self.send_header("X-Cache", cached)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_DELETE = do


if __name__ == "__main__":
    ThreadingHTTPServer(("", int(os.environ.get("PORT", "8080"))), Handler).serve_forever()
