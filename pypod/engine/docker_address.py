"""Which engine is meant, where that can be told without Docker's SDK: a local socket, and nothing unusual about it.

The rules are docker-py's, which are the docker CLI's: DOCKER_HOST, else the context of DOCKER_CONTEXT or of the configuration, else
the default socket. Whatever is not plain here (another scheme, TLS, an odd spelling, a file that is not as it should be)
has no answer, and `docker_sdk.resolve` is asked: it lets docker-py decide, and says what is wrong.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

GIVEN, FROM_HOST, FROM_CONTEXT, DEFAULT = (
    "given",
    "from DOCKER_HOST",
    "from the current docker context",
    "the default socket",
)
"""Who says which engine it is."""
DEFAULT_SOCKET = "unix:///var/run/docker.sock"
HOW_TO_CHOOSE = (
    "pypod asks the engine of DOCKER_HOST, else of the docker context in use, else the default socket"
)

_PLAIN_SOCKET = re.compile(r"unix:///+[^\s/?#;][^\s?#;]*")
_DEFAULT_CONTEXT = "default"


@dataclass(frozen=True)
class Address:
    """Where an engine is, and who said so.

    Attributes:
        url: ``unix:///var/run/docker.sock``, ``tcp://host:2375``, ``ssh://user@host``.
        tls: docker-py's settings for TLS, where there are any.
        origin: one of the words above.
    """

    url: str
    tls: Any = None
    origin: str = GIVEN

    @property
    def socket_path(self) -> str | None:
        """Of a local socket; None where the engine is reached in another way."""
        return self.url.removeprefix("unix://") if self.url.startswith("unix://") else None


def local_address(url: str | None, environment: Mapping[str, str]) -> Address | None:
    """The address of a local socket, by docker-py's rules; None where docker-py is to say.

    Args:
        url: an address that was given; None: none was.
        environment: variables of the process.
    """
    if os.name != "posix" or environment.get("DOCKER_TLS_VERIFY") or environment.get("DOCKER_CERT_PATH"):
        return None
    if url:
        return _local(url, GIVEN)
    if host := environment.get("DOCKER_HOST"):
        return _local(host, FROM_HOST)
    context = environment.get("DOCKER_CONTEXT") or _current_context(environment)
    if context == _DEFAULT_CONTEXT:
        return Address(DEFAULT_SOCKET, origin=DEFAULT)
    return _of_context(context, environment) if isinstance(context, str) and context else None


def http_headers(environment: Mapping[str, str]) -> dict[str, str]:
    """What the docker configuration has sent with each request (``HttpHeaders``)."""
    configuration = _read(_configuration(environment))
    found = configuration.get("HttpHeaders") if isinstance(configuration, dict) else None
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def _local(url: str, origin: str) -> Address | None:
    return Address(url.rstrip("/"), origin=origin) if _PLAIN_SOCKET.fullmatch(url) else None


def _current_context(environment: Mapping[str, str]) -> object:
    """Its name; `default` also where the configuration cannot be read."""
    configuration = _read(_configuration(environment))
    if not isinstance(configuration, dict):
        return _DEFAULT_CONTEXT
    return configuration.get("currentContext", _DEFAULT_CONTEXT)


def _of_context(name: str, environment: Mapping[str, str]) -> Address | None:
    import hashlib  # noqa: PLC0415 (it loads OpenSSL's library, and few have a context)

    identity = hashlib.sha256(name.encode()).hexdigest()
    folder = os.path.join(os.path.dirname(_configuration(environment) or ""), "contexts")
    if os.path.exists(os.path.join(folder, "tls", identity)):
        return None
    match _read(os.path.join(folder, "meta", identity, "meta.json")):
        case {"Name": known, "Metadata": dict(more), "Endpoints": {"docker": {"Host": str(host)}}} if (
            known == name and not more.get("StackOrchestrator")
        ):
            return _local(host, FROM_CONTEXT)
    return None


def _configuration(environment: Mapping[str, str]) -> str | None:
    """The file of the docker CLI's configuration: the first one that is there."""
    named, home = environment.get("DOCKER_CONFIG"), os.path.expanduser("~")
    files = [os.path.join(named, "config.json")] if named else []
    files += [os.path.join(home, ".docker", "config.json"), os.path.join(home, ".dockercfg")]
    return next((file for file in files if os.path.exists(file)), None)


def _read(file: str | None) -> object:
    """What is in a file of JSON; None where there is none, or no JSON in it."""
    if file is None:
        return None
    try:
        with open(file) as stream:  # in the encoding in which docker-py reads it
            return json.load(stream)
    except (OSError, ValueError):
        return None
