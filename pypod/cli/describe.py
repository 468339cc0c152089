"""`describe`: everything about one pod, as kubectl lays it out."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

import pypod
from pypod.cli import common
from pypod.describing import pods
from pypod.errors import NotFoundError

if TYPE_CHECKING:
    from pypod.engine.api import Engine


def describe(args: argparse.Namespace) -> int:
    """Print all that is known of a pod."""
    engine = common.engine(args)
    pod = pypod.get(args.pod, args.namespace, engine=engine)
    where = f"{engine.info().name} ({engine.url})"
    print("\n".join(pods.lines_of(pod, where, time.time(), lambda container: _image_id(engine, container))))
    return 0


def _image_id(engine: Engine, container: str) -> str:
    """Of the image that a container was made of; empty where one of the two is gone."""
    try:
        image = engine.container(container).image
        return image if image.startswith("sha256:") else engine.image(image).id
    except NotFoundError:
        return ""
