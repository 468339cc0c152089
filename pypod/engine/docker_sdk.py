"""The real engine, through docker-py's low-level client: the only module that imports docker.

Nobody outside sees an exception of docker, requests or urllib3: every call is made in `_asking`, which translates them.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.client import IncompleteRead
from typing import Any, NoReturn, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import requests
import tenacity
import urllib3
from docker import APIClient
from docker.auth import get_config_header, resolve_repository_name
from docker.context import ContextAPI
from docker.errors import APIError, DockerException
from docker.tls import TLSConfig
from docker.transport import UnixHTTPAdapter
from docker.types import IPAMConfig, IPAMPool
from docker.utils import kwargs_from_env, parse_host, parse_repository_tag

from pypod.engine import docker_requests as wire_json
from pypod.engine.api import (
    Closable,
    EventStream,
    ExecStream,
    FrameStream,
    Progress,
    StdinChannel,
)
from pypod.engine.docker_streams import Events, Exec, Frames, Reply, Stdin, Wire, json_lines, send_request
from pypod.errors import (
    ConflictError,
    EngineError,
    EngineUnavailableError,
    ImagePullError,
    NotFoundError,
    SubnetInUseError,
)
from pypod.model.requests import ContainerRequest, NetworkRequest, VolumeRequest
from pypod.model.state import ContainerInfo, EngineInfo, ImageInfo, NetworkInfo, VolumeInfo

T = TypeVar("T")

_TIMEOUT = 60
_CONNECT_TIMEOUT = 10
_POOL_SIZE = 32
_TRIES = 3
_EVENTS = ("create", "start", "die", "oom", "destroy", "rename", "kill", "pause", "unpause")
_UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}
_JSON = {"Content-Type": "application/json"}
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
        raise EngineUnavailableError(verb, target, f"the engine at {url} does not answer: {error}") from error


def refusal(verb: str, target: str, status: int, words: str) -> EngineError:
    """The error for an HTTP status and the engine's words, where the status alone does not tell."""
    text = words.strip()
    lower = text.lower()
    if "pool overlaps with other one" in lower:
        return SubnetInUseError(verb, target, text, status=status)
    if "has active endpoints" in lower or (verb == "start container" and _owner_is_missing(lower, target)):
        return ConflictError(verb, target, text, status=status)
    classes: dict[int, type[EngineError]] = {404: NotFoundError, 409: ConflictError}
    return classes.get(status, EngineError)(verb, target, text, status=status)


def _owner_is_missing(words: str, target: str) -> bool:
    """A start failed for the container whose namespaces it joins: 404, 409 or 500, by namespace and version."""
    if "cannot join" in words or "can't join" in words:
        return True
    if words.startswith("no such container: "):
        return not words.endswith(f": {target.lower()}")
    return words.startswith("container ") and words.endswith(" is not running")


def _is_reset(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(
            error, (ConnectionResetError, BrokenPipeError, IncompleteRead, urllib3.exceptions.ClosedPoolError)
        ):
            return True
        error = error.__cause__ or error.__context__
    return False


# --- the engine ------------------------------------------------------------------------------------------------------


class _OnePool(UnixHTTPAdapter):
    """docker-py makes a pool for each URL and closes the oldest of 25 under the threads that are about to use it."""

    def get_connection(self, url: bytes | str, proxies: Any = None) -> Any:
        del url
        return super().get_connection("http+docker://localhost", proxies)


class DockerEngine:
    """`pypod.engine.api.Engine`, of a Docker Engine or of what talks like one."""

    def __init__(self, address: Address | str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._address = Address(_normal(address)) if isinstance(address, str) else address
        self._sleep = sleep
        self._lock = threading.Lock()
        self._client: APIClient | None = None
        self._inherited: list[APIClient] = []
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
            detail = f"no engine answers there ({self._address.origin}): {cause}; {_HOW_TO_CHOOSE}"
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
    ) -> None:
        name, tag = parse_repository_tag(reference)
        path = "/images/create?" + urlencode({"fromImage": name, "tag": tag or "latest"})
        with self._call("pull image", reference) as api:
            headers = _registry_login(api, reference, name)
            wire = self._dial(api)
        transfer = _Transfer(wire)
        try:
            if register is not None:
                register(transfer)
            # The head comes with the first progress, which may take as long as the registry does.
            reply = _ask(api, wire, "POST", path, headers=headers, timeout=None)
            if reply.status != 200:
                raise ImagePullError("pull image", reference, reply.error_message(), status=reply.status)
            _follow_pull(reply, reference, progress)
            if not reply.complete:
                raise ConnectionResetError(errno.ECONNRESET, "the connection ended before the pull did")
        except OSError as error:
            if transfer.given_up:
                raise ImagePullError("pull image", reference, "it was given up") from error
            raise ImagePullError(
                "pull image", reference, f"the engine at {self.url} broke off: {error}"
            ) from error
        finally:
            wire.close()

    # networks

    def networks(self) -> list[NetworkInfo]:
        return [
            wire_json.network_info(entry)
            for entry in self._read("list networks", "", lambda api: api.networks())
        ]

    def create_network(self, request: NetworkRequest) -> str:
        ipam = IPAMConfig(driver="default", pool_configs=[IPAMPool(subnet=request.subnet)])
        with self._call("create network", request.name) as api:
            made = api.create_network(request.name, driver="bridge", ipam=ipam, labels=dict(request.labels))
        return str(made["Id"])

    def remove_network(self, network: str) -> None:
        with self._call("remove network", network) as api:
            api.remove_network(network)

    # volumes

    def volumes(self, labels: Mapping[str, str]) -> list[VolumeInfo]:
        filters = {"label": wire_json.label_filters(labels)}
        answer = self._read("list volumes", "", lambda api: api.volumes(filters=filters))
        return [wire_json.volume_info(entry) for entry in answer.get("Volumes") or ()]

    def create_volume(self, request: VolumeRequest) -> None:
        options = wire_json.volume_options(request)
        with self._call("create volume", request.name) as api:
            api.create_volume(request.name, driver="local", driver_opts=options, labels=dict(request.labels))

    def remove_volume(self, volume: str) -> None:
        with self._call("remove volume", volume) as api:
            api.remove_volume(volume)

    # containers

    def containers(self, labels: Mapping[str, str]) -> list[ContainerInfo]:
        filters = {"label": wire_json.label_filters(labels)}
        found = self._read("list containers", "", lambda api: api.containers(all=True, filters=filters))
        return [wire_json.listed_container(entry) for entry in found]

    def container(self, container: str) -> ContainerInfo:
        return wire_json.inspected_container(self._inspect(container))

    def create_container(self, request: ContainerRequest) -> str:
        self._check_network(request)
        with self._call("create container", request.name) as api:
            untyped: Any = api
            made = untyped.create_container_from_config(wire_json.container_config(request), request.name)
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

    # streams

    def attach_stdin(self, container: str) -> StdinChannel:
        path = f"/containers/{quote(container)}/attach?stdin=1&stream=1"
        return Stdin(self._open("attach to container", container, "POST", path, headers=_UPGRADE), container)

    def logs(
        self,
        container: str,
        *,
        follow: bool = False,
        tail: int | None = None,
        since: float | None = None,
        timestamps: bool = False,
    ) -> FrameStream:
        query = {
            "stdout": "1",
            "stderr": "1",
            "follow": "1" if follow else "0",
            "tail": "all" if tail is None else str(tail),
            "timestamps": "1" if timestamps else "0",
        }
        if since is not None:
            query["since"] = f"{since:.9f}"
        path = f"/containers/{quote(container)}/logs?{urlencode(query)}"
        reply = self._open("read logs of container", container, "GET", path)
        return Frames(reply, multiplexed=self._is_multiplexed(reply, container))

    def exec(
        self,
        container: str,
        command: Sequence[str],
        *,
        stdin: bool = False,
        user: str = "",
        working_dir: str = "",
        env: Mapping[str, str] | None = None,
    ) -> ExecStream:
        with self._call("execute in container", container) as api:
            made = api.exec_create(
                container,
                list(command),
                stdin=stdin,
                user=user,
                workdir=working_dir or None,
                environment=dict(env) if env else None,
            )
        name = str(made["Id"])
        body = json.dumps({"Detach": False, "Tty": False}).encode()
        reply = self._open(
            "execute in container",
            container,
            "POST",
            f"/exec/{name}/start",
            headers=_UPGRADE | _JSON,
            body=body,
        )

        def exit_code() -> int | None:
            state = self._read("inspect exec in container", container, lambda api: api.exec_inspect(name))
            code = state.get("ExitCode")
            return None if state.get("Running") or code is None else int(code)

        return Exec(reply, exit_code)

    def events(self, labels: Mapping[str, str], since: float | None = None) -> EventStream:
        filters = {"type": ["container"], "event": list(_EVENTS), "label": wire_json.label_filters(labels)}
        query = {"filters": json.dumps(filters)}
        if since is not None:
            query["since"] = f"{since:.9f}"
        return Events(self._open("read events", "", "GET", f"/events?{urlencode(query)}"))

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
        again = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(_TRIES),
            wait=tenacity.wait_exponential(multiplier=0.05),
            retry=tenacity.retry_if_exception(_is_reset),
            sleep=self._sleep,
            reraise=True,
        )
        with _asking(verb, target, self.url):
            return again(lambda: ask(self._api()))

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

    def _is_multiplexed(self, reply: Reply, container: str) -> bool:
        kind = reply.headers.get("content-type", "")
        if kind.startswith("application/vnd.docker."):
            return "multiplexed" in kind
        try:  # before API 1.42 the answer does not tell
            return not self._inspect(container)["Config"].get("Tty")
        except EngineError:
            reply.wire.close()
            raise

    def _dial(self, api: APIClient) -> Wire:
        return Wire(_connected_socket(api))

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
            wire = self._dial(api)
            try:
                reply = _ask(api, wire, method, path, headers=headers or {}, body=body, timeout=_TIMEOUT)
                if reply.status not in (101, 200):
                    raise refusal(verb, target, reply.status, reply.error_message())
            except BaseException:
                wire.close()
                raise
            return reply


def _knock(url: str) -> None:
    """A local socket that nobody listens on: docker-py would leave its own half open, and say it less clearly."""
    if url.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as local:
            local.settimeout(_CONNECT_TIMEOUT)
            local.connect(url.removeprefix("unix://"))


def _make_client(address: Address) -> APIClient:
    _knock(address.url)
    # The first request, for the API version, is the one that finds out that nobody is there.
    client = APIClient(
        base_url=address.url,
        version="auto",
        timeout=_CONNECT_TIMEOUT,
        tls=address.tls or False,
        max_pool_size=_POOL_SIZE,
    )
    client.timeout = _TIMEOUT
    adapter = client.get_adapter(client.base_url)
    if type(adapter) is UnixHTTPAdapter:
        adapter.close()
        client.mount("http+docker://", _OnePool(adapter.socket_path, _TIMEOUT, max_pool_size=_POOL_SIZE))
    return client


def _connected_socket(api: APIClient) -> socket.socket:
    """A new connection to the engine, over whatever transport docker-py was told to use, TLS done.

    This is the one place that reaches into docker-py's and urllib3's insides (`_new_conn`): both keep the socket to
    themselves, and a stream that can be closed from another thread needs it from before the request on.
    """
    adapter: Any = api.get_adapter(api.base_url)
    settings = api.merge_environment_settings(api.base_url, {}, True, None, None)
    prepared = requests.Request("GET", api.base_url).prepare()
    pool = adapter.get_connection_with_tls_context(prepared, settings["verify"], cert=settings["cert"])
    connection = pool._new_conn()
    connection.connect()
    connected: socket.socket = connection.sock
    connection.sock = None
    return connected


def _ask(
    api: APIClient,
    wire: Wire,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str],
    body: bytes = b"",
    timeout: float | None,
) -> Reply:
    base = urlsplit(api.base_url)
    insides: Any = api
    extra = (
        insides._general_configs.get("HttpHeaders") or {}
    )  # of ~/.docker/config.json, as docker-py sends them
    return send_request(
        wire,
        method,
        f"{base.path}/v{api.api_version}{path}",
        host=base.netloc,
        headers={"User-Agent": str(api.headers.get("User-Agent", "pypod")), **extra, **headers},
        body=body,
        timeout=timeout,
    )


class _Transfer:
    """What gives a pull up."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.given_up = False

    def close(self) -> None:
        self.given_up = True
        self._wire.close()


def _registry_login(api: APIClient, reference: str, name: str) -> dict[str, str]:
    try:
        registry, _ = resolve_repository_name(name)
        header = get_config_header(api, registry)
    except DockerException as error:
        raise ImagePullError("pull image", reference, str(error)) from error
    return {"X-Registry-Auth": header.decode()} if header else {}


def _follow_pull(reply: Reply, reference: str, progress: Progress | None) -> None:
    last = ""
    for entry in json_lines(reply):
        if "error" in entry:
            _give_up(reference, entry)
        line = ": ".join(filter(None, (entry.get("id"), entry.get("status"))))
        if progress is not None and line and line != last:
            progress(line)
        last = line


def _give_up(reference: str, entry: Mapping[str, Any]) -> NoReturn:
    raise ImagePullError("pull image", reference, str(entry["error"]))
