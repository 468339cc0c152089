"""What all integration tests share: the engine, names of their own, pods put together by hand, and a clean end.

Pods that are wrong on purpose (the negative controls of the claims) are a `HandMade`: raw calls of Docker's API, so that no
code of pypod decides what is shared in them. `PodLike` is what a check may ask of either.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import docker
import pytest

import pypod
from pypod.engine.api import Engine
from tests import images, own_engine
from tests.images import engine_http

pytest.register_assert_rewrite(
    *(f"tests.integration.corpus_{name}" for name in ("configuration", "life", "limits"))
)

HERE = Path(__file__).parent
PATIENCE = 15.0
"""Seconds that anything may take at most."""
VANISHING = 40.0
"""Seconds that the background program has for its part of the cleaning: it tries again what it could not remove after 30."""
POLL = 0.03
DEFAULT_NETWORK = "pypod"
PAUSE_IMAGE = "pypod/pause:"
STAY = ("sleep", "1000")

Things = dict[tuple[str, str], str]
"""Everything on an engine: kind and ID, to name."""


LONG = [
    "volumes_mounts",
    "life_sandbox",
    "volumes_files",
    "life_supervision",
    "checks_engine",
    "life_debug",
    "demo",
    "life_probes",
    "detached",
    "cli_life",
    "life_daemon",
    "security_contexts",
    "life_restarts",
    "claims_network",
    "in_container",
    "env_sources",
    "owner_death",
]
"""Files that take half a minute or more."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs an engine (the hook is handed the tests of all folders). The long files come first: workers
    take whole files, and none is to begin with a long one when the others are done."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.docker)
    names = [f"test_{name}" for name in LONG]
    items.sort(key=lambda item: names.index(item.path.stem) if item.path.stem in names else len(names))


def eventually(check: Callable[[], object], what: str, *, timeout: float = 2 * PATIENCE) -> None:
    """Wait for a condition.

    Raises:
        AssertionError: it did not come in time.
    """
    deadline = time.monotonic() + timeout
    while not check():
        assert time.monotonic() < deadline or check(), f"not in {timeout:g} s: {what}"
        time.sleep(POLL)


# --- the engine ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session", autouse=True)
def state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The background program's lock and log are this session's own; at the end of the session it is stopped."""
    home = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(home))
        yield home
        for pid in background_programs(home):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)


def background_programs(home: Path) -> list[int]:
    """The process IDs of the background programs that have this state directory: of this session and of no other."""
    mark = f"XDG_STATE_HOME={home}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes().split(b"\0")
            if b"supervise" in command and mark in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
    return found


@pytest.fixture(scope="session")
def docker_engine(state_home: Path) -> Engine:
    """The real engine, with the test images. Without one of these a test fails; it is never skipped."""
    try:
        images.require()
        return pypod.connect()
    except (images.MissingTestImages, engine_http.EngineUnreachable, pypod.EngineError) as error:
        pytest.fail(f"integration tests need a Docker Engine and the test images: {error}", pytrace=False)


@pytest.fixture(scope="session")
def engine(docker_engine: Engine) -> Engine:
    """The real engine, as pypod's API has it. (A file that means something else by the word redefines this one.)"""
    return docker_engine


@pytest.fixture(scope="session")
def raw(docker_engine: Engine) -> Iterator[docker.APIClient]:
    """Docker's own client: for making what pypod would not make, and for judging what pypod made."""
    settings: dict[str, Any] = {**docker.utils.kwargs_from_env(), "base_url": docker_engine.url}
    client = docker.APIClient(version="auto", **settings)
    yield client
    client.close()


# --- names, and a clean end ------------------------------------------------------------------------------------------


@pytest.fixture
def namespace() -> str:
    """A namespace of this test alone. Whatever a test makes has this in its name."""
    return f"it-{secrets.token_hex(4)}"


@pytest.fixture
def unique(namespace: str) -> Callable[[str], str]:
    """Makes names of this test: ``unique("net")`` is never the same in two tests."""
    return lambda word: f"{namespace}-{word}"


_shared: set[str] = set()
"""The namespaces of pods that several tests use: what they have more is looked for after the last of these."""


def everything(raw: docker.APIClient) -> Things:
    """All that is on the engine, unfiltered."""
    things: Things = {}
    for container in raw.containers(all=True):
        things["container", container["Id"]] = (container["Names"] or ["?"])[0].lstrip("/")
    for volume in raw.volumes()["Volumes"] or []:
        things["volume", volume["Name"]] = volume["Name"]
    for network in raw.networks():
        things["network", network["Id"]] = network["Name"]
    for image in raw.images(all=True):
        things["image", image["Id"]] = " ".join(image["RepoTags"] or [])
    return things


def _is_kept(kind: str, name: str) -> bool:
    """What pypod leaves on purpose: its flat network, and the pause image."""
    return (kind == "network" and name == DEFAULT_NETWORK) or (
        kind == "image" and name.startswith(PAUSE_IMAGE)
    )


def left_over(raw: docker.APIClient, before: Things, namespace: str) -> list[str]:
    """What is there and was not before: of anybody where nobody else uses the engine; else with this test's name."""
    alone = own_engine.is_alone()
    shared = _shared - {namespace}

    def is_anothers(name: str) -> bool:
        return any(each in name for each in shared) or not (alone or namespace in name)

    return [
        f"{kind} {name or identity}"
        for (kind, identity), name in everything(raw).items()
        if (kind, identity) not in before and not _is_kept(kind, name) and not is_anothers(name)
    ]


@contextlib.contextmanager
def leaving_nothing(raw: docker.APIClient, namespace: str) -> Iterator[None]:
    """Asserts that nothing new is on the engine afterwards; takes its containers away where there is."""
    before = everything(raw)
    yield
    deadline = time.monotonic() + VANISHING
    while (left := left_over(raw, before, namespace)) and time.monotonic() < deadline:
        time.sleep(POLL)
    if left:
        _clean(raw, namespace)
    assert not left, f"left on the engine: {left}"


def _clean(raw: docker.APIClient, namespace: str) -> None:
    """What one test left is not for the next one to suffer from."""
    removers: dict[str, Callable[[str], Any]] = {
        "container": lambda container: raw.remove_container(container, force=True, v=True),
        "network": raw.remove_network,
        "volume": raw.remove_volume,
    }
    for (kind, identity), name in everything(raw).items():
        if kind in removers and namespace in name:
            with contextlib.suppress(docker.errors.APIError):
                removers[kind](identity)


@pytest.fixture(autouse=True)
def nothing_left(raw: docker.APIClient, namespace: str) -> Iterator[None]:
    """After each test: nothing new on the engine, whatever the test made of it."""
    with leaving_nothing(raw, namespace):
        yield


@pytest.fixture(scope="module")
def module_namespace(raw: docker.APIClient) -> Iterator[str]:
    """For pods that the tests of a file share because they only look at them. Also after these nothing is left."""
    namespace = f"it-{secrets.token_hex(4)}"
    _shared.add(namespace)
    with leaving_nothing(raw, namespace):
        yield namespace
    _shared.discard(namespace)


# --- pods, of either kind --------------------------------------------------------------------------------------------


class PodLike(Protocol):
    """What a check may ask: a `pypod.Pod` has it, and a pod that was put together by hand."""

    @property
    def name(self) -> str: ...

    @property
    def ip(self) -> str: ...

    def exec(self, command: Sequence[str], container: str | None = None) -> pypod.ExecResult: ...

    def logs(self, container: str | None = None) -> str: ...


class HandMade:
    """Containers that are called a pod: what they share is what each test says, right or wrong.

    The first container that is added stands for the pause: its address is the pod's.
    """

    def __init__(self, raw: docker.APIClient, name: str) -> None:
        self._raw = raw
        self.name = name
        self.ids: dict[str, str] = {}
        self.volumes: list[str] = []

    def add(
        self, name: str, command: Sequence[str] = STAY, *, image: str = images.TOOLS, **options: Any
    ) -> str:
        """Create and start a container; answers its ID.

        Args:
            name: in this pod.
            command: what it runs.
            image: of what.
            options: ``hostname``, ``ports``, and whatever docker-py's ``create_host_config`` takes.
        """
        config = {key: options.pop(key) for key in ("hostname", "ports") if key in options}
        made = self._raw.create_container(
            image,
            list(command),
            name=f"{self.name}-{name}",
            **config,
            host_config=self._raw.create_host_config(**options),
        )
        self.ids[name] = str(made["Id"])
        self._raw.start(self.ids[name])
        return self.ids[name]

    def join(
        self,
        name: str,
        command: Sequence[str] = STAY,
        *,
        shared: Sequence[str] = ("network", "ipc", "pid"),
        image: str = images.TOOLS,
        **options: Any,
    ) -> str:
        """As `add`, into these spaces of the first container."""
        first = next(iter(self.ids.values()))
        spaces = {f"{space}_mode": f"container:{first}" for space in shared}
        return self.add(name, command, image=image, **{**spaces, **options})

    def volume(self, name: str, **options: str) -> str:
        """Make a volume of the local driver; answers its name on the engine."""
        full = f"{self.name}-{name}"
        self._raw.create_volume(full, driver_opts=options or None)
        self.volumes.append(full)
        return full

    @property
    def ip(self) -> str:
        first = next(iter(self.ids.values()))
        networks: Mapping[str, Mapping[str, str]] = self._raw.inspect_container(first)["NetworkSettings"][
            "Networks"
        ]
        return next(network["IPAddress"] for network in networks.values())

    def exec(self, command: Sequence[str], container: str | None = None) -> pypod.ExecResult:
        target = self.ids[container] if container is not None else next(iter(self.ids.values()))
        made = self._raw.exec_create(target, list(command))["Id"]
        stdout, stderr = self._raw.exec_start(made, demux=True)
        return pypod.ExecResult(int(self._raw.exec_inspect(made)["ExitCode"]), stdout or b"", stderr or b"")

    def logs(self, container: str | None = None) -> str:
        target = self.ids[container] if container is not None else next(iter(self.ids.values()))
        text: bytes = self._raw.logs(target)
        return text.decode()

    def restart(self, container: str) -> None:
        self._raw.restart(self.ids[container], timeout=0)

    def is_up(self) -> bool:
        """Whether all of it runs: what is asserted before a check is told to fail on it."""
        return all(self._raw.inspect_container(found)["State"]["Running"] for found in self.ids.values())

    def remove(self) -> None:
        for container in reversed(self.ids.values()):
            with contextlib.suppress(docker.errors.NotFound):
                self._raw.remove_container(container, force=True, v=True)
        for volume in self.volumes:
            self._raw.remove_volume(volume)


@pytest.fixture
def by_hand(raw: docker.APIClient, unique: Callable[[str], str]) -> Iterator[Callable[[str], HandMade]]:
    """Makes pods by hand; they are removed after the test."""
    with contextlib.ExitStack() as stack:

        def make(name: str) -> HandMade:
            made = HandMade(raw, unique(name))
            stack.callback(made.remove)
            return made

        yield make


@contextlib.contextmanager
def together(*pods: pypod.Pod) -> Iterator[None]:
    """Start pods at the same time; stop them at the same time."""
    with ThreadPoolExecutor(len(pods)) as pool:
        try:
            list(pool.map(pypod.Pod.start, pods))
            yield
        finally:
            list(pool.map(pypod.Pod.stop, pods))


def sh(pod: PodLike, container: str, script: str) -> str:
    """What a shell script in a member wrote; it must succeed."""
    result = pod.exec(["sh", "-c", script], container)
    assert result.exit_code == 0, (
        f"{script!r} in {container}: exit {result.exit_code}: {result.stderr or result.stdout}"
    )
    return result.stdout
