"""The real engine, through docker-py's low-level client: the only module that imports docker.

Nobody outside sees an exception of docker, requests or urllib3: every call is made in `_asking`, which translates them.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

import requests
import urllib3
from docker import APIClient
from docker.auth import get_config_header, resolve_repository_name
from docker.context import ContextAPI
from docker.errors import APIError, DockerException
from docker.tls import TLSConfig
from docker.transport import UnixHTTPAdapter
from docker.utils import kwargs_from_env, parse_host, parse_repository_tag

from pypod.engine import docker_requests as wire_json
from pypod.engine.api import Closable, Progress
from pypod.engine.docker_errors import asking_again, last_cause, refusal
from pypod.engine.docker_http import LocalConnections
from pypod.engine.docker_networks import NetworkVerbs
from pypod.engine.docker_pull import login_header, pull
from pypod.engine.docker_stream_verbs import StreamVerbs
from pypod.engine.docker_streams import Reply, Wire
from pypod.engine.docker_transport import (
    CONNECT_TIMEOUT,
    TIMEOUT,
    LocalPool,
    ShortRequests,
    Transport,
    knock,
)
from pypod.errors import EngineError, EngineUnavailableError, ImagePullError, NotFoundError
from pypod.model.wiring.credentials import Login
from pypod.model.wiring.requests import ContainerRequest, VolumeRequest
from pypod.model.wiring.state import ContainerInfo, EngineInfo, ImageInfo, VolumeInfo

T = TypeVar("T")

_POOL_SIZE = 32
_BUILT_IN_NETWORKS = ("", "default", "bridge", "host", "none")


# --- which engine ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Address:
    """Where an engine is, and who said so."""

    url: str
    tls: TLSConfig | None = None
    origin: str = "given"


def connect(url: str | None = None) -> DockerEngine:
    """The engine at `url`, else of DOCKER_HOST, of the current docker context, or of the default socket.

    There is one for each address and process, shared by all who ask.

    Raises:
        EngineUnavailableError: none answers there.
    """
    address = _resolve(url)
    with _lock:
        engine = _engines.setdefault(address.url, DockerEngine(address))
    engine.ping()
    return engine


def _resolve(url: str | None) -> Address:
    try:
        environment = kwargs_from_env()
        tls = environment.get("tls")
        if url:
            return Address(_normal(url), tls)
        if "base_url" in environment:
            return Address(_normal(environment["base_url"]), tls, "from DOCKER_HOST")
        context = ContextAPI.kwargs_from_context()
        wanted = os.environ.get("DOCKER_CONTEXT")
        if not context and wanted:
            raise EngineUnavailableError(
                "connect to", "", f"there is no docker context '{wanted}' (DOCKER_CONTEXT)"
            )
        origin = "from the current docker context" if context else "the default socket"
        return Address(_normal(context.get("base_url")), tls or context.get("tls"), origin)
    except (DockerException, OSError, ValueError) as error:
        if isinstance(error, EngineError):
            raise
        raise EngineUnavailableError("connect to", url or "", f"{error}; {_HOW_TO_CHOOSE}") from error


_HOW_TO_CHOOSE = (
    "pypod asks the engine of DOCKER_HOST, else of the docker context in use, else the default socket"
)


def _normal(url: str | None) -> str:
    """As docker-py reads it, so that two spellings of an address are one engine; without its own schemes."""
    parsed = str(parse_host(url))
    scheme, _, rest = parsed.partition("://")
    return f"{ {'http+unix': 'unix', 'http': 'tcp'}.get(scheme, scheme) }://{rest}"


_lock = threading.Lock()
_engines: dict[str, DockerEngine] = {}
_alive: weakref.WeakSet[DockerEngine] = weakref.WeakSet()


def _after_fork() -> None:
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()
    for engine in list(_alive):
        engine.forget_connections()


os.register_at_fork(after_in_child=_after_fork)


# --- what went wrong -------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _asking(verb: str, target: str = "", url: str = "") -> Iterator[None]:
    """Translate what a call raises: the one place where the engine's refusals become pypod's errors."""
    try:
        yield
    except APIError as error:
        words: Any = error.explanation
        text = words.decode(errors="replace") if isinstance(words, bytes) else str(words or error)
        raise refusal(verb, target, error.status_code or 0, text) from error
    except (requests.RequestException, urllib3.exceptions.HTTPError, DockerException, OSError) as error:
        if isinstance(error, EngineError):
            raise
        raise EngineUnavailableError(
            verb, target, f"the engine at {url} does not answer: {last_cause(error)}"
        ) from error


# --- the engine ------------------------------------------------------------------------------------------------------


class _OnePool(UnixHTTPAdapter):
    """docker-py makes a pool for each URL and closes the oldest of 25 under the threads that are about to use it.

    Attributes:
        connections: those of short requests.
    """

    def __init__(self, socket_path: str) -> None:
        super().__init__(socket_path, TIMEOUT, max_pool_size=_POOL_SIZE)
        self.connections = LocalConnections(self.socket_path, _POOL_SIZE)

    def close(self) -> None:
        super().close()
        self.connections.close()

    def get_connection(self, url: bytes | str, proxies: Any = None) -> Any:
        del url, proxies
        with self.pools.lock:
            pool = self.pools.get("")
            if pool is None:
                pool = self.pools[""] = LocalPool(self.socket_path, self.timeout, self.max_pool_size)
            return pool


class _LocalClient(ShortRequests, APIClient):
    """docker-py's, with less in between."""


class DockerEngine(NetworkVerbs, StreamVerbs):
    """`pypod.engine.api.Engine`, of a Docker Engine or of what talks like one."""

    def __init__(self, address: Address | str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._address = Address(_normal(address)) if isinstance(address, str) else address
        self._sleep = sleep
        self._lock = threading.Lock()
        self._client: APIClient | None = None
        self._inherited: list[APIClient] = []
        self._podman: bool | None = None
        _alive.add(self)

    @property
    def url(self) -> str:
        return self._address.url

    def forget_connections(self) -> None:
        """In a forked child: the parent goes on using them. They are kept, as their end must not run here."""
        self._lock = threading.Lock()
        if self._client is not None:
            self._inherited.append(self._client)
            self._client = None

    def close(self) -> None:
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def ping(self) -> None:
        """Raises `EngineUnavailableError`, which says what was tried, where no engine answers."""
        try:
            self._read("connect to", self.url, lambda api: api.ping())
        except EngineUnavailableError as error:
            cause = error.__cause__ or error
            detail = (
                f"no engine answers there ({self._address.origin}): {last_cause(cause)}; {_HOW_TO_CHOOSE}"
            )
            raise EngineUnavailableError("connect to", self.url, detail) from cause

    def info(self) -> EngineInfo:
        def ask(api: APIClient) -> EngineInfo:
            return wire_json.engine_info(api.info(), str(api.api_version))

        return self._read("get information of the engine", "", ask)

    # images

    def image(self, reference: str) -> ImageInfo:
        def ask(api: Any) -> ImageInfo:
            return wire_json.image_info(api.inspect_image(reference))

        return self._read("inspect image", reference, ask)

    def images(self) -> list[ImageInfo]:
        found = [
            wire_json.image_info(entry) for entry in self._read("list images", "", lambda api: api.images())
        ]
        return [image for image in found if image.references]

    def load_image(self, archive: bytes) -> None:
        with self._call("load image") as api:
            untyped: Any = api
            for entry in untyped.load_image(archive):
                if "error" in entry:
                    raise EngineError("load image", "", str(entry["error"]))

    def remove_image(self, reference: str) -> None:
        with self._call("remove image", reference) as api:
            api.remove_image(reference)

    def pull_image(
        self,
        reference: str,
        progress: Progress | None = None,
        register: Callable[[Closable], None] | None = None,
        *,
        login: Login | None = None,
    ) -> None:
        name, tag = parse_repository_tag(reference)
        path = "/images/create?" + urlencode({"fromImage": name, "tag": tag or "latest"})
        with self._call("pull image", reference) as api:
            headers = _registry_login(api, reference, name) if login is None else login_header(login)
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
        filters = {"label": wire_json.label_filters(labels)}
        answer = self._read("list volumes", "", lambda api: api.volumes(filters=filters))
        return [wire_json.volume_info(entry) for entry in answer.get("Volumes") or ()]

    def create_volume(self, request: VolumeRequest) -> VolumeInfo:
        options = wire_json.volume_options(request)
        with self._call("create volume", request.name) as api:
            made = api.create_volume(
                request.name, driver="local", driver_opts=options, labels=dict(request.labels)
            )
        return wire_json.volume_info(made)

    def remove_volume(self, volume: str) -> None:
        with self._call("remove volume", volume) as api:
            api.remove_volume(volume)

    # containers

    def containers(self, labels: Mapping[str, str], *, volume: str = "") -> list[ContainerInfo]:
        filters = {"label": wire_json.label_filters(labels), **({"volume": [volume]} if volume else {})}
        found = self._read("list containers", "", lambda api: api.containers(all=True, filters=filters))
        # One without a name has been removed, but for the list: an exit that the engine notes after the removal puts it back
        # there, as "removing", until the daemon restarts (seen on 20.10). It can be neither inspected nor removed.
        there = [entry for entry in found if entry.get("Names") or entry.get("State") != "removing"]
        return [wire_json.listed_container(entry) for entry in there]

    def container(self, container: str) -> ContainerInfo:
        return wire_json.inspected_container(self._inspect(container))

    def create_container(self, request: ContainerRequest) -> str:
        self._check_network(request)
        config = wire_json.container_config(request, podman=self._is_podman())
        with self._call("create container", request.name) as api:
            untyped: Any = api
            made = untyped.create_container_from_config(config, request.name)
        return str(made["Id"])

    def start_container(self, container: str) -> None:
        with self._call("start container", container) as api:
            api.start(container)

    def kill_container(self, container: str, signal: str = "SIGKILL") -> None:
        with self._call("kill container", container) as api:
            api.kill(container, signal)

    def rename_container(self, container: str, name: str) -> None:
        with self._call("rename container", container) as api:
            api.rename(container, name)

    def remove_container(self, container: str) -> None:
        with self._call("remove container", container) as api:
            api.remove_container(container, v=True, force=True)

    # how

    def _api(self) -> APIClient:
        with self._lock:
            if self._client is None:
                self._client = _make_client(self._address)
            return self._client

    @contextlib.contextmanager
    def _call(self, verb: str, target: str = "") -> Iterator[APIClient]:
        with _asking(verb, target, self.url):
            yield self._api()

    def _read(self, verb: str, target: str, ask: Callable[[APIClient], T]) -> T:
        """A call that changes nothing, so it may be made again where the connection broke."""
        with _asking(verb, target, self.url):
            return asking_again(lambda: ask(self._api()), self._sleep)

    def _is_podman(self) -> bool:
        """Asked for once."""
        if self._podman is None:
            version = self._read("get the version of the engine", "", lambda api: api.version())
            self._podman = wire_json.is_podman(version)
        return self._podman

    def _inspect(self, container: str) -> dict[str, Any]:
        return self._read("inspect container", container, lambda api: api.inspect_container(container))

    def _check_network(self, request: ContainerRequest) -> None:
        """The engine notices only at the start that a network is missing."""
        network = request.network_mode
        if network in _BUILT_IN_NETWORKS or network.startswith(wire_json.JOINED):
            return
        try:
            self._read("create container", request.name, lambda api: api.inspect_network(network))
        except NotFoundError:
            swarm = self._read("create container", request.name, lambda api: api.info()).get("Swarm") or {}
            # A worker does not see an attachable overlay before the first container on it starts (moby#36197).
            if swarm.get("LocalNodeState") != "active":
                raise

    def _dial(self, verb: str, target: str = "") -> tuple[Transport, Wire]:
        """A new connection, and how to ask over it."""
        with self._call(verb, target) as api:
            transport = _transport(api)
            return transport, transport.dial()

    def _open(
        self,
        verb: str,
        target: str,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Reply:
        """A stream's answer, whose head says that it is one."""
        with self._call(verb, target) as api:
            return _transport(api).open(verb, target, method, path, headers=headers, body=body)


def _make_client(address: Address) -> APIClient:
    knock(address.url)
    # The first request, for the API version, is the one that finds out that nobody is there.
    client = (_LocalClient if address.url.startswith("unix://") else APIClient)(
        base_url=address.url,
        version="auto",
        timeout=CONNECT_TIMEOUT,
        tls=address.tls or False,
        max_pool_size=_POOL_SIZE,
    )
    client.timeout = TIMEOUT
    adapter = client.get_adapter(client.base_url)
    if type(adapter) is UnixHTTPAdapter:
        client.trust_env = (
            False  # no proxy leads to a local socket, and the host "localhost" of a ~/.netrc is another one
        )
        adapter.close()
        client.mount("http+docker://", _OnePool(adapter.socket_path))
    return client


def _transport(api: APIClient) -> Transport:
    insides: Any = api
    # Of ~/.docker/config.json, as docker-py sends them.
    extra = insides._general_configs.get("HttpHeaders") or {}
    agent = {"User-Agent": str(api.headers.get("User-Agent", "pypod"))}
    return Transport(api, api.base_url, str(api.api_version), agent | extra)


def _registry_login(api: APIClient, reference: str, name: str) -> dict[str, str]:
    """As docker is logged in now: a process that runs for long reads the configuration anew."""
    try:
        api.reload_config()
        registry, _ = resolve_repository_name(name)
        header = get_config_header(api, registry)
    except DockerException as error:
        raise ImagePullError("pull image", reference, str(error)) from error
    return {"X-Registry-Auth": header.decode()} if header else {}
