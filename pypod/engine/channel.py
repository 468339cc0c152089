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
from pypod.model import journal
from pypod.model.history import History
from pypod.model.journal import Entry


class Channel:
    """What is to be written waits until a pause is attached; a new pause is told the whole history first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stdin: StdinChannel | None = None
        self._history = History()
        self._unsent: list[Entry] = []
        self._name = ""
        self._told = ""
        self._is_stuck = False
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
            knows = self._name == name if old is not None else self._told in ("", name)
            self._name = name
            if old is not None:
                old.close()
            if not knows:
                self._unsent = self._history.entries()
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
        try:
            self._stdin.send(b"".join(journal.encode(entry) for entry in self._unsent))
            self._unsent = []
        except PypodError:
            self._is_stuck = True  # its pause has ended: the next one gets a snapshot of everything

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


_open_channels: weakref.WeakSet[Channel] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for channel in list(_open_channels):
        channel.close_in_child()
    _open_channels.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
