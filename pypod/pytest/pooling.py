"""``pool=``: pods that are ready before a test asks for them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pypod.errors import PypodError
from pypod.model.document import codec
from pypod.pod import Pod
from pypod.podpool import PodPool
from pypod.pytest.wishes import Place, Wish

if TYPE_CHECKING:
    from pypod.pytest.session import Run


@dataclass(slots=True)
class _Pool:
    """One of a run.

    Attributes:
        template: what its pods are made of.
        pods: the pool.
        last: the last test of the suite that takes from it; None: that is not known.
    """

    template: Pod
    pods: PodPool
    last: pytest.Item | None


class Pools:
    """All pools of a run: one for each description that pods are made of. A pool goes after the last test that takes from it."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._pools: dict[tuple[str, str], _Pool] = {}

    @contextlib.contextmanager
    def serve(self, wish: Wish, place: Place) -> Iterator[Pod]:
        """A pod for the time of the block that was started before it.

        Raises:
            PypodError: as `pypod.PodPool.take`.
            SpecError: there cannot be several such pods at a time.
        """
        pool = self._pool(wish, place)
        timeout = self._run.timeout(wish)
        try:
            pod = pool.pods.take(timeout)
        except PypodError as error:
            self._run.note_refused(place.use, pool.template, error)
            raise
        self._run.add(pod, place.use)
        try:
            yield pod
        finally:
            self._run.drop(pod)
            pool.pods.discard(pod)

    def _pool(self, wish: Wish, place: Place) -> _Pool:
        template = self._run.described(wish, place)
        key = (codec.dump_spec(template.spec), place.engine.url)
        found = self._pools.get(key)
        if found is None:
            template = self._run.prepare(wish, place)
            timeout = self._run.timeout(wish)
            made = PodPool(template, wish.pool, engine=place.engine, start_timeout=timeout, grace=wish.grace)
            found = self._pools[key] = _Pool(template, made, _last_user(place))
        return found

    def over(self, item: pytest.Item) -> None:
        """A test is over: what nobody takes from any more is closed."""
        done = [key for key, pool in self._pools.items() if pool.last is item]
        for key in done:
            self._close(self._pools.pop(key))

    def close(self) -> None:
        """The run is over."""
        while self._pools:
            self._close(self._pools.popitem()[1])

    def _close(self, pool: _Pool) -> None:
        self._run.trying(pool.pods.close)
        self._run.trying(partial(self._run.forget, pool.template))


def _last_user(place: Place) -> pytest.Item | None:
    """The last test of the suite that asks for one of the fixtures that the pool is for."""
    users = [
        item
        for item in place.use.node.session.items
        if not place.use.names.isdisjoint(getattr(item, "fixturenames", ()))
    ]
    return users[-1] if users else None
