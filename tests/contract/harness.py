"""What the contract tests share: an engine under test, and the things that one test makes on it."""

from __future__ import annotations

import contextlib
import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from pypod.engine import pause
from pypod.engine.api import Closable, Engine, FrameStream
from pypod.errors import NotFoundError, SubnetInUseError
from pypod.model.wiring.requests import ContainerRequest, NetworkRequest, VolumeRequest
from pypod.model.wiring.state import ContainerInfo, ContainerState
from pypod.testing import FakeClock
from tests import images

LABEL = "io.pypod.contract"
BUSYBOX = images.BUSYBOX
PATIENCE = 40.0
FOREVER = ("sleep", "1000")
HUNGRY = ("env", "sh", "-c", "tail /dev/zero; until [ -e /go ]; do sleep 0.05; done; exit 137")
"""Takes memory until there is no more. Its child is killed, and it waits for /go: an engine that hears of the end of the first
process before it hears of the OOM says nothing of it (seen on 20.10 under load)."""

Stream = TypeVar("Stream", bound=Closable)


class Outside(Protocol):
    """What others do to containers, past pypod."""

    def pause(self, container: str) -> None: ...

    def unpause(self, container: str) -> None: ...

    def disconnect_network(self, container: str, network: str = "") -> None: ...

    def oom(self, container: str) -> None:
        """Let one that is `HUNGRY` be killed for want of memory, and end."""


@dataclass
class Contract:
    """An engine under test, and the things of one test: all named and labelled after it, removed at its end."""

    engine: Engine
    clock: FakeClock | None
    outside: Outside
    uid: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    containers: list[str] = field(default_factory=list)
    networks: list[str] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)

    @property
    def labels(self) -> dict[str, str]:
        return {LABEL: self.uid}

    @property
    def pause_image(self) -> str:
        return pause.reference(self.architecture)

    @property
    def architecture(self) -> str:
        return pause.normalise_architecture(self.engine.info().architecture)

    @property
    def has_unique_network_names(self) -> bool:
        """Docker 25.0 and newer, whatever API version it is asked in; the fake is a 20.10."""
        major = self.engine.info().version.partition(".")[0]
        return self.clock is None and int(major) >= 25

    def name(self, what: str) -> str:
        return f"contract-{self.uid}-{what}"

    # --- making things

    def request(self, what: str, *command: str, **more: Any) -> ContainerRequest:
        settings: dict[str, Any] = {"image": BUSYBOX, "labels": self.labels, "network_mode": "none", **more}
        return ContainerRequest(name=self.name(what), command=command or FOREVER, **settings)

    def create(self, what: str, *command: str, **more: Any) -> str:
        made = self.engine.create_container(self.request(what, *command, **more))
        self.containers.append(made)
        return made

    def run(self, what: str, *command: str, **more: Any) -> str:
        made = self.create(what, *command, **more)
        self.engine.start_container(made)
        return made

    def create_pause(self, what: str = "pause", *, lease: bool = False, **more: Any) -> str:
        """A container of the pause image, made as a pod's is."""
        self.engine.load_image(pause.archive(self.architecture))
        settings: dict[str, Any] = {
            "image": self.pause_image,
            "labels": self.labels,
            "command": ("--lease",) if lease else (),
            "network_mode": "none",
            "ipc_mode": "shareable",
            "stdin_open": True,
            "stdin_once": lease,
            **more,
        }
        made = self.engine.create_container(ContainerRequest(name=self.name(what), **settings))
        self.containers.append(made)
        return made

    def run_pause(self, what: str = "pause", **more: Any) -> str:
        made = self.create_pause(what, **more)
        self.engine.start_container(made)
        return made

    def member(self, what: str, pause_name: str, *command: str, pid: bool = True, **more: Any) -> str:
        """Create a container that joins a pause as a pod's member does."""
        shared = f"container:{pause_name}"
        modes = {"network_mode": shared, "ipc_mode": shared, "pid_mode": shared if pid else ""}
        return self.create(what, *command, **modes, **more)

    def network(self, what: str = "net", *, first: int = 0) -> tuple[str, str]:
        """A network on the first free /24 of ours; its ID and subnet. Tests run side by side: another may be faster."""
        for third in range(first, 256):
            subnet = f"10.223.{third}.0/24"
            with contextlib.suppress(SubnetInUseError):
                return self.network_on(subnet, what), subnet
        raise AssertionError("every subnet of 10.223.0.0/16 is taken")

    def network_on(self, subnet: str, what: str = "net") -> str:
        made = self.engine.create_network(NetworkRequest(self.name(what), subnet, self.labels))
        self.networks.append(made)
        return made

    def volume(self, what: str = "volume", **more: Any) -> str:
        name = self.name(what)
        self.engine.create_volume(VolumeRequest(name, self.labels, **more))
        self.volumes.append(name)
        return name

    # --- looking

    def closing(self, stream: Stream) -> Stream:
        self.stack.callback(stream.close)
        return stream

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Poll until it is so; the fake's time goes on meanwhile as real time does."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"in {PATIENCE} s this did not come: {what}"
            self.pass_time(0.02)

    def pass_time(self, seconds: float) -> None:
        if self.clock is not None:
            self.clock.advance(seconds)
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.02))

    def state(self, container: str) -> ContainerState:
        return self.engine.container(container).state

    def ended(self, container: str) -> ContainerInfo:
        self.until(lambda: self.state(container) is ContainerState.EXITED, f"{container} ends")
        return self.engine.container(container)

    def listed(self, **labels: str) -> dict[str, ContainerInfo]:
        return {found.id: found for found in self.engine.containers({**self.labels, **labels})}

    def log(self, container: str, **options: Any) -> bytes:
        return output(self.closing(self.engine.logs(container, **options)))

    # --- cleaning

    def clean(self) -> None:
        self.stack.close()
        for verb, names in (
            (self.engine.remove_container, reversed(self.containers)),
            (self.engine.remove_network, self.networks),
            (self.engine.remove_volume, self.volumes),
        ):
            for name in names:
                with contextlib.suppress(NotFoundError):
                    verb(name)

    def leftovers(self) -> list[str]:
        """By an unfiltered list: what has this test's mark in its name or labels."""
        return [what for what in everything(self.engine) if self.uid in what]


def everything(engine: Engine) -> list[str]:
    """Every container, network and volume on the engine, with name and mark."""
    rows: list[tuple[str, str, Mapping[str, str]]] = []
    rows += [("container", found.name, found.labels) for found in engine.containers({})]
    rows += [("network", found.name, found.labels) for found in engine.networks()]
    rows += [("volume", found.name, found.labels) for found in engine.volumes({})]
    return sorted(f"{kind} {name} {labels.get(LABEL, '')}" for kind, name, labels in rows)


def seconds(text: str) -> float:
    """Docker's time stamps, as Unix seconds."""
    return datetime.fromisoformat(re.sub(r"\.(\d{1,6})\d*Z$", r".\1+00:00", text)).timestamp()


def output(stream: FrameStream, number: int = 0) -> bytes:
    """All that comes until the end, of one stream or of both."""
    pieces = []
    while (frame := stream.read(PATIENCE)) is not None:
        if number in (0, frame.stream):
            pieces.append(frame.data)
    return b"".join(pieces)


def read_until(stream: FrameStream, wanted: bytes) -> bytes:
    """What comes, until it has these bytes."""
    found = b""
    while wanted not in found:
        frame = stream.read(PATIENCE)
        assert frame is not None, f"the stream ended after {found!r}"
        found += frame.data
    return found
