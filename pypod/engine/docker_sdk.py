"""Docker's SDK, for what needs it: engines that are not on a plain local socket, and calls that are made seldom.

This is the only module that imports docker, and it is imported late: with requests and urllib3 the SDK takes longer to load
than `pypod ps` takes to ask its engine. What it raises leaves here as `OSError`, or as the engine's refusal.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator, Mapping
from http.client import HTTPException, IncompleteRead
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from docker import APIClient
from docker.auth import get_config_header, resolve_repository_name
from docker.context import ContextAPI
from docker.errors import APIError, DockerException
from docker.utils import kwargs_from_env, parse_host, parse_repository_tag

from pypod.engine.docker_address import DEFAULT, FROM_CONTEXT, FROM_HOST, HOW_TO_CHOOSE, Address
from pypod.engine.docker_errors import refusal
from pypod.engine.docker_transport import CONNECT_TIMEOUT, TIMEOUT, Response, Transport
from pypod.errors import EngineError, EngineUnavailableError, ImagePullError

__all__ = [
    "APIClient",
    "RemoteCalls",
    "client_of",
    "load_image",
    "parse_repository_tag",
    "registry_login",
    "resolve",
]

_POOL_SIZE = 32


# --- which engine ----------------------------------------------------------------------------------------------------


def resolve(url: str | None) -> Address:
    """The address of the engine that is meant, by docker-py's rules.

    Raises:
        EngineUnavailableError: it cannot be told; the words say why.
    """
    try:
        environment = kwargs_from_env()
        tls = environment.get("tls")
        if url:
            return Address(_normal(url), tls)
        if "base_url" in environment:
            return Address(_normal(environment["base_url"]), tls, FROM_HOST)
        context = ContextAPI.kwargs_from_context()
        wanted = os.environ.get("DOCKER_CONTEXT")
        if not context and wanted:
            raise EngineUnavailableError(
                "connect to", "", f"there is no docker context '{wanted}' (DOCKER_CONTEXT)"
            )
        origin = FROM_CONTEXT if context else DEFAULT
        return Address(_normal(context.get("base_url")), tls or context.get("tls"), origin)
    except (DockerException, OSError, ValueError) as error:
        if isinstance(error, EngineError):
            raise
        raise EngineUnavailableError("connect to", url or "", f"{error}; {HOW_TO_CHOOSE}") from error


def _normal(url: str | None) -> str:
    """As docker-py reads it, so that two spellings of an address are one engine; without its own schemes."""
    parsed = str(parse_host(url))
    scheme, _, rest = parsed.partition("://")
    return f"{ {'http+unix': 'unix', 'http': 'tcp'}.get(scheme, scheme) }://{rest}"


# --- what went wrong -------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _translating(verb: str, target: str) -> Iterator[None]:
    """A refusal becomes pypod's error; whatever else a call of docker-py raises, an `OSError` with its innermost words."""
    try:
        yield
    except APIError as error:
        words: Any = error.explanation
        text = words.decode(errors="replace") if isinstance(words, bytes) else str(words or error)
        raise refusal(verb, target, error.status_code or 0, text) from error
    except (requests.RequestException, urllib3.exceptions.HTTPError, DockerException) as error:
        kind = ConnectionResetError if _is_reset(error) else OSError
        raise kind(_last_cause(error)) from error


def _is_reset(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(
            error, (ConnectionResetError, BrokenPipeError, IncompleteRead, urllib3.exceptions.ClosedPoolError)
        ):
            return True
        error = error.__cause__ or error.__context__
    return False


def _last_cause(error: BaseException) -> str:
    """Why there was no answer, without the layers around it: ``[Errno 111] Connection refused``."""
    words = str(error)
    for cause in _causes(error):
        if isinstance(cause, (OSError, HTTPException, urllib3.exceptions.HTTPError)):
            words = str(cause) or words
    return words


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Outermost first. Not by `__context__`: it may be what the caller was handling before all this."""
    while error is not None:
        yield error
        if isinstance(error, requests.HTTPError):  # an answer, whose words only the outermost has
            return
        # requests holds urllib3's error as an argument.
        inner = [error.__cause__, *error.args]
        error = next((item for item in inner if isinstance(item, BaseException)), None)


# --- the client ------------------------------------------------------------------------------------------------------


def client_of(address: Address, version: str = "auto") -> APIClient:
    """docker-py's own, for what it is used for.

    Args:
        version: of the API; `auto`: the engine is asked for it.

    Raises:
        OSError: nobody answers there.
    """
    with _translating("connect to", address.url):
        client = APIClient(
            base_url=address.url,
            version=version,
            timeout=CONNECT_TIMEOUT,
            tls=address.tls or False,
            max_pool_size=_POOL_SIZE,
        )
    client.timeout = TIMEOUT
    if address.socket_path is not None:
        # No proxy leads to a local socket, and the host "localhost" of a ~/.netrc is another one.
        client.trust_env = False
    return client


class RemoteCalls:
    """`pypod.engine.docker_transport.Calls` over whatever docker-py reaches: TCP, TLS, SSH, a pipe of Windows'.

    Raises:
        OSError: nobody answers there.
    """

    def __init__(self, address: Address) -> None:
        self.client = client_of(address)
        self.version = str(self.client.api_version)

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
    ) -> Response:
        url = f"{self.client.base_url}/v{self.version}{path}"
        sent: Any = body
        with _translating("ask", path):
            found = self.client.request(
                method, url, params=query, json=sent, headers=_headers(self.client), timeout=TIMEOUT
            )
        headers = {name.lower(): value for name, value in found.headers.items()}
        return Response(found.status_code, headers, found.content)

    def transport(self) -> Transport:
        client = self.client
        base = urlsplit(client.base_url)
        headers = {"User-Agent": str(client.headers.get("User-Agent", "pypod"))} | _headers(client)
        prefix = f"{base.path}/v{self.version}"
        return Transport(lambda: _connected_socket(client), prefix, base.netloc or "docker", headers)

    def close(self) -> None:
        self.client.close()


def _headers(client: APIClient) -> dict[str, str]:
    """Of ~/.docker/config.json, as docker-py sends them."""
    insides: Any = client
    return dict(insides._general_configs.get("HttpHeaders") or {})


def _connected_socket(client: APIClient) -> socket.socket:
    """A new connection to the engine, over whatever transport docker-py was told to use, TLS done.

    This is the one place that reaches into docker-py's and urllib3's insides (`_new_conn`): both keep the socket to
    themselves, and a stream that can be closed from another thread needs it from before the request on.
    """
    with _translating("connect to", str(client.base_url)):
        adapter: Any = client.get_adapter(client.base_url)
        settings = client.merge_environment_settings(client.base_url, {}, True, None, None)
        prepared = requests.Request("GET", client.base_url).prepare()
        pool = adapter.get_connection_with_tls_context(prepared, settings["verify"], cert=settings["cert"])
        connection = pool._new_conn()
        connection.connect()
    connected: socket.socket = connection.sock
    connection.sock = None
    return connected


# --- calls that are made seldom --------------------------------------------------------------------------------------


def registry_login(client: APIClient, reference: str, name: str) -> dict[str, str]:
    """As docker is logged in now: a process that runs for long reads the configuration anew."""
    try:
        client.reload_config()
        registry, _ = resolve_repository_name(name)
        header = get_config_header(client, registry)
    except DockerException as error:
        raise ImagePullError("pull image", reference, str(error)) from error
    return {"X-Registry-Auth": header.decode()} if header else {}


def load_image(client: APIClient, archive: bytes) -> None:
    """Raises `EngineError` where the engine does not take it."""
    untyped: Any = client
    with _translating("load image", ""):
        for entry in untyped.load_image(archive):
            if "error" in entry:
                raise EngineError("load image", "", str(entry["error"]))
