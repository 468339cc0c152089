"""The credentials with which an image is pulled: out of the Secrets that a pod names.

Nothing of this is ever part of a plan, a label, a journal or an error; a `Login` does not print its password.

Sources: pkg/credentialprovider/keyring.go BasicDockerKeyring, secrets/secrets.go; config.go DockerConfigEntry.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from urllib.parse import urlsplit

from pypod.model.records import record
from pypod.model.spec.object_references import Objects
from pypod.model.spec.objects import DOCKER_CFG, DOCKER_CONFIG_JSON, Secret
from pypod.model.spec.pod import PodSpec

DEFAULT_REGISTRY = "index.docker.io"
"""What Docker's own registry is called in a configuration; in an image's name it is ``docker.io`` or left out."""
DOCKER_HUB = ("docker.io", DEFAULT_REGISTRY)
_KEYS = {DOCKER_CONFIG_JSON: ".dockerconfigjson", DOCKER_CFG: ".dockercfg"}


@record(frozen=True, slots=True)
class Login:
    """Of one user at one registry."""

    username: str
    password: str = field(repr=False)
    registry: str = ""


def logins(image: str, spec: PodSpec, objects: Objects) -> tuple[Login, ...]:
    """Those that may have the image, the ones of the longest path first; each is to be tried.

    Args:
        image: a reference.
        spec: which names the Secrets.
        objects: what was found of them.
    """
    found = [secret for name in spec.image_pull_secrets if (secret := objects.secret(name)) is not None]
    known: dict[str, list[Login]] = {}
    for key, login in _entries(found):
        known.setdefault(key, []).append(login)
    repository = _repository(image)
    matching = [
        login for key in sorted(known, reverse=True) if _matches(key, repository) for login in known[key]
    ]
    if not matching and repository.partition("/")[0] in DOCKER_HUB:
        matching = known.get(DEFAULT_REGISTRY, [])
    return tuple(dict.fromkeys(matching))


def unusable(spec: PodSpec, objects: Objects) -> list[str]:
    """The Secrets that the pod names and that have no credentials: they are not there, or of another type."""
    return [name for name in spec.image_pull_secrets if not _configuration(objects.secret(name))]


def _entries(secrets: Iterable[Secret]) -> Iterator[tuple[str, Login]]:
    """Registry and path, without a scheme, and who is known there."""
    for secret in secrets:
        for location, entry in _configuration(secret).items():
            login = _login(entry, location)
            if login is not None and (key := _key(location)):
                yield key, login


def _configuration(secret: Secret | None) -> Mapping[str, object]:
    """A docker configuration's ``auths``; nothing where there is none."""
    if secret is None or secret.type not in _KEYS:
        return {}
    try:
        content = json.loads(secret.data[_KEYS[secret.type]])
    except (KeyError, ValueError, RecursionError):
        return {}
    if secret.type == DOCKER_CONFIG_JSON:
        content = content.get("auths") if isinstance(content, dict) else None
    return content if isinstance(content, dict) else {}


def _login(entry: object, location: str) -> Login | None:
    if not isinstance(entry, dict):
        return None
    username, password = entry.get("username"), entry.get("password")
    if isinstance(auth := entry.get("auth"), str) and auth:
        try:
            text = base64.b64decode(auth.translate(str.maketrans("-_", "+/")), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError, ValueError):
            return None
        username, colon, password = text.partition(":")
        if not colon:
            return None
    if not isinstance(username, str) or not isinstance(password, str):
        return None
    return Login(username, password, location)


def _key(location: str) -> str:
    """Host and path; ``/v1/`` and ``/v2/`` are as if they were not there."""
    given = location if location.startswith(("https://", "http://")) else f"https://{location}"
    try:
        parts = urlsplit(given)
    except ValueError:
        return ""
    path = parts.path[3:] if parts.path.startswith(("/v1/", "/v2/")) else parts.path
    return parts.netloc if path in ("", "/") else parts.netloc + path


def _repository(image: str) -> str:
    """The whole name, with its registry, without tag and digest."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    name = head + slash + last.partition(":")[0]
    first, slash, _ = name.partition("/")
    if not slash:
        return f"docker.io/library/{name}"
    return name if "." in first or ":" in first or first == "localhost" else f"docker.io/{name}"


def _matches(key: str, repository: str) -> bool:
    """The host part by part, each a pattern; the same port; the path as far as it is given."""
    host, slash, path = key.partition("/")
    wanted, _, rest = repository.partition("/")
    host, _, port = host.partition(":")
    wanted, _, wanted_port = wanted.partition(":")
    parts, wanted_parts = host.split("."), wanted.split(".")
    if port != wanted_port or len(parts) != len(wanted_parts) or not f"/{rest}".startswith(slash + path):
        return False
    return all(fnmatch.fnmatchcase(one, other) for one, other in zip(wanted_parts, parts, strict=True))
