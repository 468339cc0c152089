"""What happens to containers past pypod, on a real engine."""

from __future__ import annotations

import io
import os
import tarfile
import time
from collections.abc import Mapping
from typing import Any

import docker

PATIENCE = 20.0


class DockerOutside:
    """`harness.Outside`, by docker-py."""

    def __init__(self, url: str) -> None:
        self._client: Any = docker.APIClient(base_url=url, version="auto")

    def close(self) -> None:
        self._client.close()

    def inspect(self, container: str) -> dict[str, Any]:
        found: dict[str, Any] = self._client.inspect_container(container)
        return found

    def pause(self, container: str) -> None:
        self._client.pause(container)

    def unpause(self, container: str) -> None:
        self._client.unpause(container)

    def disconnect_network(self, container: str, network: str = "") -> None:
        if not network:
            (network,) = self.inspect(container)["NetworkSettings"]["Networks"]
        self._client.disconnect_container_from_network(container, network, force=True)

    def oom(self, container: str) -> None:
        """A hungry one needs no help for that; it ends when the engine has heard of it."""
        filters = {"type": "container", "container": container, "event": "oom"}
        begin, deadline = int(time.time()) - 60, time.monotonic() + PATIENCE
        # Fractions of a second, or the engine would wait for the next one.
        while not list(self._client.events(begin, time.time() + 0.001, filters, decode=True)):
            assert time.monotonic() < deadline, "it is not killed"
            time.sleep(0.02)
        self._client.exec_start(self._client.exec_create(container, ["touch", "/go"])["Id"])

    def publish(self, image: str, reference: str, login: Mapping[str, str] | None = None) -> None:
        """Push an image with one layer more, which the engine then has no more; as somebody, where a login is given."""
        repository, _, tag = reference.rpartition(":")
        made = self._client.create_container(image, ["true"])["Id"]
        try:
            self._client.put_archive(made, "/", _random_file(1 << 20))
            self._client.commit(made, repository=repository, tag=tag)
        finally:
            self._client.remove_container(made)
        for line in self._client.push(
            repository, tag=tag, stream=True, decode=True, auth_config=None if login is None else dict(login)
        ):
            assert "error" not in line, line
        self._client.remove_image(reference)


def _random_file(size: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        member = tarfile.TarInfo("random")
        member.size = size
        tar.addfile(member, io.BytesIO(os.urandom(size)))
    return buffer.getvalue()
