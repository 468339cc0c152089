"""The images that the tests run: real programs from Debian packages, built here because no registry is assumed.

`python tests/images/build.py` builds them (`scripts/test` does that), `require` says so when one is missing.
"""

from __future__ import annotations

from collections.abc import Iterable

from tests.images import engine_http, recipes

BUSYBOX = recipes.BUSYBOX.reference
NGINX = recipes.NGINX.reference
POSTGRES = recipes.POSTGRES.reference
PYTHON = recipes.PYTHON.reference
REDIS = recipes.REDIS.reference
TOOLS = recipes.TOOLS.reference

ALL = (BUSYBOX, NGINX, POSTGRES, PYTHON, REDIS, TOOLS)

__all__ = [
    "ALL",
    "BUSYBOX",
    "NGINX",
    "POSTGRES",
    "PYTHON",
    "REDIS",
    "TOOLS",
    "MissingTestImages",
    "require",
]


class MissingTestImages(RuntimeError):
    """The engine lacks images that a test needs; the message is the command that builds them."""


def require(references: Iterable[str] = ALL) -> None:
    """Raise MissingTestImages unless the engine answers and has all of these images."""
    engine = engine_http.find()
    if engine is None:
        raise MissingTestImages("no Docker Engine answers; run: scripts/test")
    missing = [reference for reference in references if engine.image(reference) is None]
    if missing:
        names = " ".join(reference.split("/")[-1].split(":")[0] for reference in missing)
        raise MissingTestImages(
            f"the engine at {engine.url} lacks {', '.join(missing)}; run: python tests/images/build.py {names}"
        )
