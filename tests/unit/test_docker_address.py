"""Which engine is meant, without Docker's SDK: whatever is answered is what docker-py would have said."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from pypod.engine import docker_sdk
from pypod.engine.docker_address import DEFAULT, FROM_CONTEXT, FROM_HOST, GIVEN, http_headers, local_address
from pypod.errors import EngineUnavailableError

SOCKET = "unix:///run/some.sock"
DEFAULT_SOCKET = "unix:///var/run/docker.sock"
VARIABLES = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without a docker configuration, and no variable that says anything."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def configure(home: Path, content: object, *, folder: str = ".docker") -> Path:
    file = home / folder / "config.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file.parent


def make_context(folder: Path, name: str, host: str = SOCKET, **more: object) -> str:
    """Its identity, which names its folders."""
    identity = hashlib.sha256(name.encode()).hexdigest()
    meta = {"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": False}}}
    file = folder / "contexts" / "meta" / identity / "meta.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(meta | more))
    return identity


def both(url: str | None = None) -> str | None:
    """What is said without the SDK; where anything is, it is what docker-py says."""
    found = local_address(url, os.environ)
    if found is None:
        return None
    theirs = docker_sdk.resolve(url)
    assert (found.url, found.tls) == (theirs.url, theirs.tls)
    return found.url


def origin(url: str | None = None) -> str:
    found = local_address(url, os.environ)
    assert found is not None
    return found.origin


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (SOCKET, SOCKET),
        (f"{SOCKET}/", SOCKET),
        ("unix:///run//user/1000/docker.sock", "unix:///run//user/1000/docker.sock"),
        ("unix:////run/x", "unix:////run/x"),
        ("unix:///home/jörg/a,b=c@d:e~[f]/%41.sock", "unix:///home/jörg/a,b=c@d:e~[f]/%41.sock"),
    ],
)
def test_a_local_socket(url: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert both(url) == expected
    assert origin(url) == GIVEN
    monkeypatch.setenv("DOCKER_HOST", url)
    assert both() == expected
    assert origin() == FROM_HOST


@pytest.mark.parametrize(
    "url",
    [
        "unix://",
        "unix:///",
        "unix:////",
        "unix://run/docker.sock",
        "http+unix:///run/docker.sock",
        "UNIX:///run/docker.sock",
        " unix:///run/docker.sock",
        "unix:///run/docker.sock?a=b",
        "unix:///run/docker.sock#a",
        "unix:///run/a;b",
        "unix:///run/a b",
        "tcp://127.0.0.1:2375",
        "ssh://somebody@somewhere",
        "npipe:////./pipe/docker_engine",
        "fd://",
        "/run/docker.sock",
        "nonsense",
    ],
)
def test_anything_else_is_docker_pys_to_say(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert both(url) is None
    monkeypatch.setenv("DOCKER_HOST", url)
    assert both() is None


@pytest.mark.parametrize("name", ["DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"])
def test_so_is_whatever_has_to_do_with_tls(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    assert both(SOCKET) is None
    assert both() is None
    monkeypatch.setenv(name, "")  # as if it was not set
    assert both(SOCKET) == SOCKET
    assert both() == DEFAULT_SOCKET


def test_what_is_given_comes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/other.sock")
    assert both(SOCKET) == SOCKET


@pytest.mark.parametrize(
    "content", [None, {}, {"currentContext": "default"}, [], "no JSON", {"HttpHeaders": {"X-A": "1"}}]
)
def test_the_default_socket(content: object, home: Path) -> None:
    if content is not None:
        configure(home, content)
    assert both() == DEFAULT_SOCKET
    assert origin() == DEFAULT


class TestContexts:
    def test_the_one_of_the_configuration(self, home: Path) -> None:
        make_context(configure(home, {"currentContext": "rootless"}), "rootless")
        assert both() == SOCKET
        assert origin() == FROM_CONTEXT

    def test_the_one_of_the_environment_comes_first(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = configure(home, {"currentContext": "rootless"})
        make_context(folder, "rootless")
        make_context(folder, "other", "unix:///run/other.sock")
        monkeypatch.setenv("DOCKER_CONTEXT", "other")
        assert both() == "unix:///run/other.sock"
        monkeypatch.setenv("DOCKER_CONTEXT", "default")
        assert both() == DEFAULT_SOCKET

    def test_an_address_comes_before_any(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        make_context(configure(home, {"currentContext": "rootless"}), "rootless")
        monkeypatch.setenv("DOCKER_HOST", "unix:///run/other.sock")
        assert both() == "unix:///run/other.sock"

    def test_a_configuration_elsewhere(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        configure(home, {"currentContext": "default"})
        make_context(configure(home, {"currentContext": "rootless"}, folder="elsewhere"), "rootless")
        monkeypatch.setenv("DOCKER_CONFIG", str(home / "elsewhere"))
        assert both() == SOCKET
        monkeypatch.setenv("DOCKER_CONFIG", str(home / "nowhere"))
        assert both() == DEFAULT_SOCKET

    @pytest.mark.parametrize("host", ["tcp://10.0.0.1:2376", "ssh://somebody@somewhere", ""])
    def test_one_of_another_machine(self, host: str, home: Path) -> None:
        make_context(configure(home, {"currentContext": "far"}), "far", host)
        assert both() is None

    @pytest.mark.parametrize(
        "more",
        [
            {"Name": "another"},
            {"Metadata": {"StackOrchestrator": "kubernetes"}},
            {"Endpoints": {}},
            {"Endpoints": {"docker": {}}},
            {"Endpoints": []},
        ],
    )
    def test_one_with_a_file_out_of_the_ordinary(self, more: dict[str, Any], home: Path) -> None:
        make_context(configure(home, {"currentContext": "odd"}), "odd", **more)
        assert both() is None

    def test_one_with_certificates(self, home: Path) -> None:
        folder = configure(home, {"currentContext": "safe"})
        (folder / "contexts" / "tls" / make_context(folder, "safe") / "docker").mkdir(parents=True)
        assert both() is None

    def test_one_that_is_not_there(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        configure(home, {"currentContext": "gone"})
        assert both() is None
        monkeypatch.setenv("DOCKER_CONTEXT", "gone")
        assert both() is None
        with pytest.raises(EngineUnavailableError, match="no docker context 'gone'"):
            docker_sdk.resolve(None)

    @pytest.mark.parametrize("name", [None, 5, ""])
    def test_a_name_that_is_none(self, name: object, home: Path) -> None:
        configure(home, {"currentContext": name})
        assert both() is None


def test_what_is_sent_with_each_request(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert http_headers(os.environ) == {}
    configure(home, {"HttpHeaders": {"X-Asked-By": "us"}})
    assert http_headers(os.environ) == {"X-Asked-By": "us"}
    configure(home, {"HttpHeaders": None}, folder="elsewhere")
    monkeypatch.setenv("DOCKER_CONFIG", str(home / "elsewhere"))
    assert http_headers(os.environ) == {}
