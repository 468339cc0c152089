"""What the stack of both suites is made of: the same images, programs and settings."""

from __future__ import annotations

from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "06-service-suite"
PROGRAM = (EXAMPLE / "shop.py").read_text()
SCHEMA = (EXAMPLE / "schema.sql").read_text()
WEB = "pypod-test/python:1"
DATABASE = "pypod-test/postgres:1"
CACHE = "pypod-test/redis:1"
COMMAND = ["python3", "-u", "/srv/shop.py"]
SERVER = ["-c", "fsync=off"]
DATABASE_ENV = {
    "POSTGRES_USER": "shop",
    "POSTGRES_DB": "shop",
    "POSTGRES_PASSWORD": "only-for-tests",
    "POSTGRES_INITDB_ARGS": "--no-sync",
}
