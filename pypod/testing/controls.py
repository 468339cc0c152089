"""What a test does to a fake engine behind pypod's back: prepare it, look into it, break it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pypod.engine.api import Frame
from pypod.engine.pause import ENTRYPOINT, REPOSITORY
from pypod.model.wiring.requests import ContainerRequest
from pypod.model.wiring.state import ImageInfo
from pypod.testing.clock import FakeClock
from pypod.testing.fake_container import FakeImage
from pypod.testing.files import Entry, mountpoint
from pypod.testing.process import Core
from pypod.testing.programs import Program
from pypod.testing.resources import digest, full_reference
from pypod.testing.runtime import Runtime


@dataclass(slots=True)
class _Injected:
    verb: str
    error: Exception
    times: int
    target: str | None


class Controls:
    """The part of `FakeEngine` that a real engine has not got.

    Args:
        clock: whose time it has.
        api_version: what it speaks.
    """

    def __init__(self, clock: FakeClock | None = None, *, api_version: str = "1.45") -> None:
        self.clock = clock or FakeClock()
        self.api_version = api_version
        self.calls: list[tuple[str, str]] = []
        self._core = Core(self.clock)
        self._runtime = Runtime(self._core)
        self._injected: list[_Injected] = []

    def program(self, name: str, program: Program) -> None:
        """From now on, this is what a container or exec runs whose first word is `name`."""
        with self._core.condition:
            self._runtime.programs[name] = program

    def inject(self, verb: str, error: Exception, times: int = 1, *, target: str | None = None) -> None:
        """Let the next calls of a verb (of this target, where one is given) fail with an error, before they do anything."""
        with self._core.condition:
            self._injected.append(_Injected(verb, error, times, target))

    def add_image(
        self,
        reference: str,
        *,
        entrypoint: Sequence[str] = (),
        command: Sequence[str] = ("sleep", "infinity"),
        labels: Mapping[str, str] | None = None,
        stop_signal: str = "SIGTERM",
        user: str = "",
    ) -> ImageInfo:
        """Have an image, and say what it runs, and as whom."""
        with self._core.condition:
            image = replace(_image(reference, entrypoint, command, labels, stop_signal), user=user)
            self._runtime.images.add(reference, image)
            return self._runtime.images.info(image)

    def add_registry_image(
        self,
        reference: str,
        *,
        entrypoint: Sequence[str] = (),
        command: Sequence[str] = ("sleep", "infinity"),
        takes: float = 0.0,
        login: tuple[str, str] | None = None,
    ) -> None:
        """Let `pull_image` find an image; the pull takes so many seconds, by the clock. With ``login`` it is for that user with
        that password alone."""
        with self._core.condition:
            image = _image(reference, entrypoint, command, None, "SIGTERM")
            self._runtime.images.registry[full_reference(reference)] = (image, takes, login)

    def remove_image(self, reference: str) -> None:
        """Have it no more; containers of it live on."""
        with self._core.condition:
            self._runtime.images.remove(reference)

    def exit(self, container: str, code: int = 0) -> None:
        """Let a container's first process end by itself."""
        with self._core.condition:
            self._runtime.end(self._runtime.running(container, "exit"), code)

    def oom(self, container: str) -> None:
        """Let the kernel kill it for want of memory."""
        with self._core.condition:
            self._runtime.end(self._runtime.running(container, "oom"), 137, oom=True)

    def write(self, container: str, text: str, stream: int = 1) -> None:
        """Let a container's process write something."""
        with self._core.condition:
            self._runtime.running(container, "write").write(self.clock.now(), Frame(stream, text.encode()))
            self._core.condition.notify_all()

    def request(self, container: str) -> ContainerRequest:
        """What a container was created with."""
        with self._core.condition:
            return self._runtime.get(container, "request").request

    # files

    def host_file(
        self, path: str, data: str | bytes | None = b"", *, special: str = "", link: str = ""
    ) -> None:
        """Have a file on the engine's host; with None for its data a directory, and with ``special`` what that says."""
        content = data.encode() if isinstance(data, str) else data
        if special or link:
            content = None
        entry = Entry(0o755 if content is None else 0o644, content, link=link, special=special)
        with self._core.condition:
            self._runtime.volumes.host.put(path, entry)

    def no_host_path(self, path: str) -> None:
        """Have nothing there, until something is made there: every other path that is asked for is a directory."""
        with self._core.condition:
            self._runtime.volumes.absent.add(path)

    def host_entry(self, path: str) -> Entry | None:
        """What is on the engine's host."""
        with self._core.condition:
            return self._runtime.volumes.host.get(path)

    def volume_entry(self, volume: str, path: str = "") -> Entry | None:
        """What is in a volume, or its root."""
        return self.host_entry(f"{mountpoint(volume)}/{path}".rstrip("/"))

    def write_file(self, container: str, path: str, data: str | bytes) -> None:
        """Let a program of a container, run by root, write a file as ``>`` does. Raises `OSError` where it could not."""
        with self._core.condition:
            found = self._runtime.get(container, "write_file")
            self._runtime.files(found).write(path, data.encode() if isinstance(data, str) else data)

    def read_file(self, container: str, path: str) -> bytes:
        """What a program of a container would read. Raises `OSError`."""
        with self._core.condition:
            return self._runtime.files(self._runtime.get(container, "read_file")).read(path)

    # faults

    def pause(self, container: str) -> None:
        """Freeze it: time and input wait, and a signal wakes it. Raises `ConflictError` when it does not run."""
        with self._core.condition:
            self._runtime.freeze(self._runtime.running(container, "pause container"))

    def unpause(self, container: str) -> None:
        """Let it go on with what came meanwhile."""
        with self._core.condition:
            self._runtime.thaw(self._runtime.running(container, "unpause container"))

    def disconnect_network(self, container: str, network: str = "") -> None:
        """Take it off its network, or off one that it joined, as ``docker network disconnect -f``: it runs on, and starts again,
        without an address there."""
        with self._core.condition:
            self._runtime.networks.cut_off(self._runtime.get(container, "disconnect"), network)

    def break_streams(self) -> None:
        """End every open stream; containers live on and calls are answered."""
        with self._core.condition:
            self._core.break_streams()

    def stop_daemon(self, *, kill: bool = False) -> None:
        """Let nobody answer: every stream ends, every call raises `EngineUnavailableError`.

        First all containers get SIGTERM, and what does not end by it SIGKILL: on a real engine 10 s later, here at once.
        So a pause leaves with 0, as nobody's lease is lost, and most others with 137. With ``kill``, as after a
        ``kill -9`` of the daemon, containers live on until it starts again.
        """
        with self._core.condition:
            if not kill:
                self._runtime.end_all()
            self._core.is_down = True
            self._core.break_streams()

    def start_daemon(self) -> None:
        """Answer again. What lived on ends now, in the same way: this engine has no live-restore. Old events, and the exit
        codes of old execs, are forgotten."""
        with self._core.condition:
            self._runtime.end_all()
            self._core.events.clear()
            self._core.starts += 1
            self._core.is_down = False
            self._core.condition.notify_all()

    def restart_daemon(self) -> None:
        """`stop_daemon` and `start_daemon`."""
        self.stop_daemon()
        self.start_daemon()

    def _called(self, verb: str, target: str = "") -> None:
        self.calls.append((verb, target))
        self._core.check(verb.replace("_", " "), target)
        for injected in self._injected:
            if injected.verb == verb and injected.times > 0 and injected.target in (None, target):
                injected.times -= 1
                raise injected.error


def _image(
    reference: str,
    entrypoint: Sequence[str],
    command: Sequence[str],
    labels: Mapping[str, str] | None,
    stop_signal: str,
) -> FakeImage:
    is_pause = reference.startswith(f"{REPOSITORY}:")
    return FakeImage(
        id=f"sha256:{digest('image', reference, entrypoint, command, labels)}",
        entrypoint=(ENTRYPOINT,) if is_pause else tuple(entrypoint),
        command=() if is_pause else tuple(command),
        labels=dict(labels or {}),
        stop_signal=stop_signal,
        is_pause=is_pause,
    )
