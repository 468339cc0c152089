"""The pause's standard input: the lease that it holds, and the journal that goes through it.

A forked child has the socket too, and would keep the lease after its parent is gone: the child drops its copy at once
(``close``; ``shutdown`` would end the parent's pod).
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable

from pypod.engine.api import StdinChannel
from pypod.errors import PypodError
from pypod.model.life import journal
from pypod.model.life.history import History
from pypod.model.life.journal import Entry

TELL_AGAIN_EVERY = 2 * 1024 * 1024
"""Bytes written, after which the whole history is written again. The engine keeps the last 16 MB of the log at least
(`pypod.model.wiring.requests.JOURNAL_MAX_SIZE`), where a line may take four times as much: it escapes it, and adds the time."""


class Channel:
    """What is to be written waits until a pause is attached; a new pause is told the whole history first, and one whose log
    grows long is told it again: the engine forgets the beginning of a log.

    Args:
        tell_again_every: bytes written, after which it is.
    """

    def __init__(self, tell_again_every: int = TELL_AGAIN_EVERY) -> None:
        self._lock = threading.Lock()
        self._stdin: StdinChannel | None = None
        self._history = History()
        self._unsent: list[Entry] = []
        self._name = ""
        self._told = ""
        self._is_stuck = False
        self._is_torn = False
        self._tell_again_every = tell_again_every
        self._left = tell_again_every
        _open_channels.add(self)

    @property
    def history(self) -> History:
        return self._history

    def adopt(self, history: History, pause: str = "") -> None:
        """Begin with what another process wrote to this pod's journal.

        Args:
            history: what it tells.
            pause: whose journal that is; any other is told all of it first. Empty: that of the next one that is attached.
        """
        with self._lock:
            self._history = history
            self._told = pause
            self._left = 0  # how much was written since it was last told is not known

    def attach(self, name: str, attach_stdin: Callable[[str], StdinChannel]) -> None:
        """Write through the pause of this name from now on. One that is attached already is not attached again: of two
        attachers, the first to leave ends the lease.

        Raises:
            EngineError: it cannot be attached.
        """
        if self._stdin is not None and self._name == name and not self._is_stuck:
            return
        stdin = attach_stdin(name)
        with self._lock:
            old, self._stdin, self._is_stuck = self._stdin, stdin, False
            self._is_torn = old is not None and self._name == name
            self._name = name
            if old is not None:
                old.close()
            if old is not None or self._told not in ("", name):
                self._unsent, self._left = self._history.entries(), self._tell_again_every
            self._flush()

    def renew(self) -> None:
        """A pause was just made: whatever is attached is none of it, also where it has an old one's name."""
        with self._lock:
            self._name = ""

    def write(self, *entries: Entry) -> None:
        """Add entries to the history, and to the journal as soon as there is one. Never raises: the pause may be gone."""
        with self._lock:
            for entry in entries:
                self._history = self._history.apply(entry)
            self._unsent.extend(entries)
            self._flush()

    def _flush(self) -> None:
        if self._stdin is None or self._is_stuck or not self._unsent:
            return
        data = _encoded(self._unsent)
        try:
            self._stdin.send(b"\n" + data if self._is_torn else data)
            self._unsent, self._is_torn = [], False
            self._left -= len(data)
            if self._left <= 0:
                self._stdin.send(_encoded(self._history.entries()))
                self._left = self._tell_again_every
        except PypodError:
            self._is_stuck = (
                True  # its pause has ended, or its stdin: the next one gets a snapshot of everything
            )

    @property
    def stuck_at(self) -> str:
        """The name of the pause that does not take what is written any more; empty: all is well."""
        return self._name if self._stdin is not None and self._is_stuck else ""

    @property
    def is_attached(self) -> bool:
        return self._stdin is not None

    def close(self) -> None:
        """Let go: the end of a lease."""
        with self._lock:
            stdin, self._stdin = self._stdin, None
        _open_channels.discard(self)
        if stdin is not None:
            stdin.close()

    def close_in_child(self) -> None:
        """Drop a forked child's copy, without a lock that a thread of the parent may have held."""
        if self._stdin is not None:
            self._stdin.close_in_child()
        self._stdin = None
        self._lock = threading.Lock()


def tell(stdin: StdinChannel, entry: Entry) -> None:
    """Write one entry to the journal of a pod that somebody else looks after. The line break before it ends whatever line that
    one may be in the middle of.

    Raises:
        EngineError: it is not taken.
    """
    stdin.send(b"\n" + journal.encode(entry))


def _encoded(entries: list[Entry]) -> bytes:
    return b"".join(journal.encode(entry) for entry in entries)


_open_channels: weakref.WeakSet[Channel] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for channel in list(_open_channels):
        channel.close_in_child()
    _open_channels.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
