"""The real engine: the verbs of `pypod.engine.api.Engine`, asked of a Docker Engine or of what talks like one.

Over a local socket its short requests are pypod's own few lines; Docker's SDK is loaded where it is needed (`docker_sdk`). Nobody outside
sees an exception of docker, requests or urllib3.
"""

from __future__ import annotations

import json
import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from pypod.engine import docker_requests as wire_json
from pypod.engine.api import Closable, Progress
from pypod.engine.docker_address import HOW_TO_CHOOSE, Address, local_address
from pypod.engine.docker_asking import granted, quoted
from pypod.engine.docker_errors import asking_again
from pypod.engine.docker_networks import NetworkVerbs
from pypod.engine.docker_pull import login_header, pull
from pypod.engine.docker_stream_verbs import StreamVerbs
from pypod.errors import EngineUnavailableError, NotFoundError
from pypod.model.wiring.credentials import Login
from pypod.model.wiring.requests import ContainerRequest, VolumeRequest
from pypod.model.wiring.state import ContainerInfo, EngineInfo, ImageInfo, VolumeInfo

if TYPE_CHECKING:
    from pypod.engine.docker_sdk import APIClient

_BUILT_IN_NETWORKS = ("", "default", "bridge", "host", "none")


# --- which engine ----------------------------------------------------------------------------------------------------


def connect(url: str | None = None) -> DockerEngine:
    """The engine at `url`, else of DOCKER_HOST, of the current docker context, or of the default socket.

    There is one for each address and process, shared by all who ask.

    Raises:
        EngineUnavailableError: none answers there.
    """
    address = _resolved(url)
    with _lock:
        engine = _engines.setdefault(address.url, DockerEngine(address))
    engine.ping()
    return engine


def _resolved(url: str | None) -> Address:
    address = local_address(url, os.environ)
    if address is not None:
        return address
    from pypod.engine import docker_sdk  # noqa: PLC0415 (it is what local sockets do without)

    return docker_sdk.resolve(url)


_lock = threading.Lock()
_engines: dict[str, DockerEngine] = {}
_alive: weakref.WeakSet[DockerEngine] = weakref.WeakSet()


def _after_fork() -> None:
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()
    for engine in list(_alive):
        engine.forget_connections()


os.register_at_fork(after_in_child=_after_fork)


# --- the engine ------------------------------------------------------------------------------------------------------


class DockerEngine(NetworkVerbs, StreamVerbs):
    """`pypod.engine.api.Engine`, of a Docker Engine or of what talks like one."""

    def __init__(self, address: Address | str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        super().__init__(_resolved(address) if isinstance(address, str) else address, sleep)
        self._client: APIClient | None = None
        self._inherited: list[object] = []
        _alive.add(self)

    def forget_connections(self) -> None:
        """In a forked child: the parent goes on using them. They are kept, as their end must not run here."""
        self._lock = threading.Lock()
        self._inherited += [self._calls, self._client]
        self._calls = self._client = None

    def close(self) -> None:
        with self._lock:
            calls, self._calls = self._calls, None
            client, self._client = self._client, None
        for each in (calls, client):
            if each is not None:
                each.close()

    def ping(self) -> None:
        """Raises `EngineUnavailableError`, which says what was tried, where no engine answers."""
        try:
            # Who asks for the first time asks for the version, which is answer enough.
            if not self._ask_version():
                granted(self._answer("connect to", self.url, "/_ping"), "connect to", self.url)
        except EngineUnavailableError as error:
            cause = error.__cause__ or error
            detail = f"no engine answers there ({self._address.origin}): {cause}; {HOW_TO_CHOOSE}"
            raise EngineUnavailableError("connect to", self.url, detail) from cause

    def info(self) -> EngineInfo:
        answer = self._read("get information of the engine", "", "/info")
        return wire_json.engine_info(answer, self._connected().version)

    # images

    def image(self, reference: str) -> ImageInfo:
        answer = self._read("inspect image", reference, f"/images/{quoted(reference)}/json")
        return wire_json.image_info(answer)

    def images(self) -> list[ImageInfo]:
        found = [wire_json.image_info(entry) for entry in self._read("list images", "", "/images/json")]
        return [image for image in found if image.references]

    def load_image(self, archive: bytes) -> None:
        from pypod.engine import docker_sdk  # noqa: PLC0415 (one image, once for an engine)

        with self._asking("load image"):
            docker_sdk.load_image(self._sdk(), archive)

    def remove_image(self, reference: str) -> None:
        self._order("remove image", reference, f"/images/{quoted(reference)}", method="DELETE")

    def pull_image(
        self,
        reference: str,
        progress: Progress | None = None,
        register: Callable[[Closable], None] | None = None,
        *,
        login: Login | None = None,
    ) -> None:
        from pypod.engine import docker_sdk  # noqa: PLC0415 (the registry takes longer)

        name, tag = docker_sdk.parse_repository_tag(reference)
        path = "/images/create?" + urlencode({"fromImage": name, "tag": tag or "latest"})
        if login is not None:
            headers = login_header(login)
        else:
            with self._asking("pull image", reference):
                headers = docker_sdk.registry_login(self._sdk(), reference, name)
        transport, wire = self._dial("pull image", reference)
        pull(
            transport,
            wire,
            path,
            reference,
            url=self.url,
            headers=headers,
            progress=progress,
            register=register,
        )

    # volumes

    def volumes(self, labels: Mapping[str, str]) -> list[VolumeInfo]:
        found = self._read("list volumes", "", "/volumes", _filters(label=wire_json.label_filters(labels)))
        return [wire_json.volume_info(entry) for entry in found.get("Volumes") or ()]

    def create_volume(self, request: VolumeRequest) -> VolumeInfo:
        body = {"Name": request.name, "Driver": "local", "Labels": dict(request.labels)}
        body |= {"DriverOpts": options} if (options := wire_json.volume_options(request)) else {}
        made = self._make("create volume", request.name, "/volumes/create", body)
        return wire_json.volume_info(made)

    def remove_volume(self, volume: str) -> None:
        self._order("remove volume", volume, f"/volumes/{quoted(volume)}", method="DELETE")

    # containers

    def containers(self, labels: Mapping[str, str], *, volume: str = "") -> list[ContainerInfo]:
        filters = _filters(label=wire_json.label_filters(labels), volume=[volume] if volume else [])
        found = self._read("list containers", "", "/containers/json", {"all": "1", **filters})
        # One without a name has been removed, but for the list: an exit that the engine notes after the removal puts it back
        # there, as "removing", until the daemon restarts (seen on 20.10). It can be neither inspected nor removed.
        there = [entry for entry in found if entry.get("Names") or entry.get("State") != "removing"]
        return [wire_json.listed_container(entry) for entry in there]

    def container(self, container: str) -> ContainerInfo:
        return wire_json.inspected_container(self._inspect(container))

    def create_container(self, request: ContainerRequest) -> str:
        self._check_network(request)
        config = wire_json.container_config(request, podman=self._is_podman())
        made = self._make(
            "create container", request.name, "/containers/create", config, {"name": request.name}
        )
        return str(made["Id"])

    def start_container(self, container: str) -> None:
        self._order("start container", container, f"/containers/{quoted(container)}/start")

    def kill_container(self, container: str, signal: str = "SIGKILL") -> None:
        path = f"/containers/{quoted(container)}/kill"
        self._order("kill container", container, path, {"signal": signal})

    def rename_container(self, container: str, name: str) -> None:
        self._order("rename container", container, f"/containers/{quoted(container)}/rename", {"name": name})

    def remove_container(self, container: str) -> None:
        path, query = f"/containers/{quoted(container)}", {"v": "1", "force": "1"}
        self._order("remove container", container, path, query, method="DELETE")

    # how

    def _ask_version(self) -> bool:
        """Whether this was the first time, so that the engine has just been asked for it."""
        if self._calls is not None:
            return False
        with self._asking("connect to", self.url):
            asking_again(self._connected, self._sleep)
        return True

    def _check_network(self, request: ContainerRequest) -> None:
        """The engine notices only at the start that a network is missing."""
        network = request.network_mode
        if network in _BUILT_IN_NETWORKS or network.startswith(wire_json.JOINED):
            return
        try:
            self._read("create container", request.name, f"/networks/{quoted(network)}")
        except NotFoundError:
            swarm = self._read("create container", request.name, "/info").get("Swarm") or {}
            # A worker does not see an attachable overlay before the first container on it starts (moby#36197).
            if swarm.get("LocalNodeState") != "active":
                raise

    # what Docker's SDK is for

    def _sdk(self) -> APIClient:
        """docker-py's client. Raises `OSError` where nobody answers."""
        from pypod.engine import docker_sdk  # noqa: PLC0415

        calls = self._connected()
        if isinstance(calls, docker_sdk.RemoteCalls):
            return calls.client
        with self._lock:
            if self._client is None:
                self._client = docker_sdk.client_of(self._address, calls.version)
            return self._client


def _filters(**wanted: list[str]) -> dict[str, str]:
    return {"filters": json.dumps({name: values for name, values in wanted.items() if values})}
