"""Pulls images, each on a thread of its own, since a plan must not wait for one; what became of it goes to the journal.

What is being pulled is known to this process alone: a pull ends with whoever asked for it, and another supervisor asks again.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable, Sequence

from pypod.engine.api import Closable, Engine, Progress
from pypod.engine.clock import Clock
from pypod.engine.pool import Spawn, on_thread
from pypod.errors import EngineUnavailableError, ImagePullError, PypodError
from pypod.model.wiring.credentials import Login

log = logging.getLogger(__name__)

RETRY = 0.5
"""Seconds until an engine that did not answer is asked again."""

pull_thread: Spawn = functools.partial(on_thread, name="pypod-pull")


def pull(
    engine: Engine,
    reference: str,
    logins: Sequence[Login] = (),
    *,
    progress: Progress | None = None,
    register: Callable[[Closable], None] | None = None,
    given_up: Callable[[], bool] = lambda: False,
) -> None:
    """Get an image with one of these credentials, each tried in turn; the last try is as docker is logged in.

    Args:
        engine: which gets it.
        reference: of the image.
        logins: to be tried.
        progress, register: as of `Engine.pull_image`, for each try.
        given_up: no other one is to be tried.

    Raises:
        ImagePullError: with what the registry said to each.
        EngineError: the engine failed.
    """
    failures: list[ImagePullError] = []
    for login in (*logins, None):
        try:
            engine.pull_image(reference, progress, register, login=login)
        except ImagePullError as error:
            failures.append(error)
            if given_up():
                raise
        else:
            return
    if len(details := list(dict.fromkeys(error.detail for error in failures))) == 1:
        raise failures[0]
    raise ImagePullError("pull image", reference, "; ".join(details), status=failures[0].status)


class _Pull:
    """One that is under way, and can be given up."""

    def __init__(self, logins: Sequence[Login]) -> None:
        self.logins = logins
        self.given_up = False
        self._lock = threading.Lock()
        self._transfer: Closable | None = None

    def register(self, transfer: Closable) -> None:
        """This is what ends it."""
        with self._lock:
            self._transfer, given_up = transfer, self.given_up
        if given_up:
            transfer.close()

    def give_up(self) -> None:
        with self._lock:
            self.given_up, transfer = True, self._transfer
        if transfer is not None:
            transfer.close()


class PullRunner:
    """Of one pod.

    Args:
        engine: where it runs.
        clock: by which an engine that does not answer is asked again.
        tell: hears how a pull comes on: the image, and a line; an empty one: it begins.
        ended: hears what became of it: the image, and why it could not be had. Not of one that was given up: that says
            nothing of the image.
        wake: is called when that has been told, and the image is not being pulled any more.
        spawn: gives a pull a thread; for tests.
    """

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        tell: Callable[[str, str], None],
        ended: Callable[[str, PypodError | None], None],
        wake: Callable[[], None],
        *,
        spawn: Spawn = pull_thread,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._tell = tell
        self._ended = ended
        self._wake = wake
        self._spawn = spawn
        self._lock = threading.Lock()
        self._pulls: dict[str, _Pull] = {}
        self._is_closed = False

    @property
    def running(self) -> frozenset[str]:
        """What is being pulled. One that ended was told of before it is missing here: who reads this first, then what was
        told, knows of each pull."""
        with self._lock:
            return frozenset(self._pulls)

    def begin(self, reference: str, logins: Sequence[Login] = ()) -> None:
        """Pull it, unless it is being pulled. The credentials are tried one after the other."""
        with self._lock:
            if self._is_closed or reference in self._pulls:
                return
            begun = self._pulls[reference] = _Pull(logins)
        self._spawn(lambda: self._run(reference, begun))

    def give_up(self) -> None:
        """End all that are under way."""
        with self._lock:
            pulls, self._pulls = list(self._pulls.values()), {}
        for each in pulls:
            each.give_up()

    def close(self) -> None:
        """End them, and begin none any more."""
        with self._lock:
            self._is_closed = True
        self.give_up()

    def _run(self, reference: str, begun: _Pull) -> None:
        if begun.given_up:
            return
        error = self._pull(reference, begun)
        if error is None or not begun.given_up:
            self._ended(reference, error)
        if isinstance(error, EngineUnavailableError):
            # Whoever looks next would ask for it at once, and again, and again.
            self._clock.call_at(self._clock.now() + RETRY, lambda: self._forget(reference, begun))
        else:
            self._forget(reference, begun)

    def _pull(self, reference: str, begun: _Pull) -> PypodError | None:
        try:
            self._tell(reference, "")
            pull(
                self._engine,
                reference,
                begun.logins,
                progress=lambda line: self._tell(reference, line),
                register=begun.register,
                given_up=lambda: begun.given_up,
            )
        except PypodError as error:
            return error
        except Exception as error:  # a bug of ours must not leave it being pulled for ever
            log.exception("cannot pull image %s", reference)
            return PypodError(f"cannot pull image {reference!r}: {type(error).__name__}: {error}")
        return None

    def _forget(self, reference: str, begun: _Pull) -> None:
        with self._lock:
            if self._pulls.get(reference) is begun:
                del self._pulls[reference]
        self._wake()
