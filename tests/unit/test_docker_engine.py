"""How engines are asked over a local socket, and over TCP: what is sent, what comes of the answer, and what is loaded for it."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pypod.engine.docker_address import Address
from pypod.engine.docker_engine import DockerEngine, connect
from pypod.errors import ConflictError, EngineError, EngineUnavailableError, NotFoundError
from pypod.model.wiring.requests import NetworkRequest, VolumeRequest
from pypod.model.wiring.state import ContainerInfo
from pypod.testing import FakeEngine
from tests.certificate import SELF_SIGNED
from tests.unit.canned import VERSION, Canned
from tests.unit.test_engine_calls import started

HEAVY = {"docker", "requests", "urllib3", "tenacity", "rich", "yaml", "http.client"}


@pytest.fixture
def canned() -> Canned:
    return Canned()


@pytest.fixture
def url(canned: Canned, tmp_path: Path) -> Iterator[str]:
    with canned.on_socket(tmp_path / "s") as address:
        yield address


@pytest.fixture
def engine(url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[DockerEngine]:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("DOCKER_CONFIG", raising=False)
    made = DockerEngine(url, sleep=lambda seconds: None)
    yield made
    made.close()


def as_listed(info: ContainerInfo) -> dict[str, Any]:
    """A container in the words of an engine's list."""
    networks = {
        number: {"NetworkID": number, "IPAddress": address} for number, address in info.addresses.items()
    }
    return {
        "Id": info.id,
        "Names": [f"/{info.name}"],
        "Labels": dict(info.labels),
        "State": info.state.value,
        "Image": info.image,
        "Created": int(info.created_at),
        "NetworkSettings": {"Networks": networks},
    }


def run(url: str, code: str) -> tuple[str, set[str]]:
    """What a fresh interpreter prints on that engine, and which modules it has then."""
    program = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    environment = {**os.environ, "DOCKER_HOST": url}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
    )
    *printed, modules = done.stdout.splitlines()
    return "\n".join(printed), set(json.loads(modules))


class TestWhatIsLoaded:
    def test_a_list_of_pods_takes_two_calls_and_no_sdk(self, canned: Canned, url: str) -> None:
        fake = FakeEngine()
        fake.add_image("app:1")
        for name in ("one", "two"):
            started(fake, name, 2)
        listed = [as_listed(info) for info in fake.containers({})]
        canned.answers |= {
            "GET /containers/json": (200, listed),
            "GET /volumes": (200, {"Volumes": None}),
        }
        printed, modules = run(url, "from pypod.cli import main\nmain(['ps'])")
        assert [line.split()[:3] for line in printed.splitlines()[1:]] == [
            ["one", "2/2", "Running"],
            ["two", "2/2", "Running"],
        ]
        assert not modules & HEAVY
        assert canned.asked == ["GET /version", "GET /v1.41/containers/json", "GET /v1.41/volumes"]

    def test_nor_does_looking_for_one_pod_or_for_objects(self, canned: Canned, url: str) -> None:
        canned.answers |= {"GET /containers/json": (200, []), "GET /volumes": (200, {})}
        code = (
            "import pypod\n"
            "from pypod.cli import main\n"
            "assert main(['get', 'cm']) == 0\n"
            "try: pypod.get('shop')\n"
            "except pypod.PodNotFoundError: print('none')"
        )
        printed, modules = run(url, code)
        assert printed == "none"
        assert not modules & (HEAVY - {"yaml"})  # `get` may have to write some

    def test_what_a_start_asks_needs_none(self, canned: Canned, url: str) -> None:
        canned.answers |= {
            "GET /networks": (200, []),
            "GET /networks/n": (200, {"Id": "n", "Name": "n"}),
            "POST /networks/create": (201, {"Id": "n"}),
            "POST /containers/create": (201, {"Id": "c"}),
            "POST /containers/c/start": (204, None),
        }
        code = (
            "from pypod.engine.docker_engine import connect\n"
            "from pypod.model.wiring.requests import ContainerRequest, NetworkRequest\n"
            "engine = connect()\n"
            "engine.networks()\n"
            "network = engine.create_network(NetworkRequest('n', '10.0.0.0/24', {}))\n"
            "engine.start_container(engine.create_container(\n"
            "    ContainerRequest(name='c', image='i', labels={}, network_mode='n')))"
        )
        _, modules = run(url, code)
        assert not modules & HEAVY
        assert canned.asked[-1] == "POST /v1.41/containers/c/start"


class TestALocalSocket:
    def test_its_version_is_asked_for_once_and_is_answer_enough(
        self, canned: Canned, engine: DockerEngine
    ) -> None:
        engine.ping()
        engine.ping()
        assert canned.asked == ["GET /version", "GET /v1.41/_ping"]

    def test_a_refusal_is_an_error_in_the_engines_words(self, canned: Canned, engine: DockerEngine) -> None:
        canned.answers |= {
            "POST /containers/c/start": (409, {"message": "cannot join network"}),
            "DELETE /volumes/v": (500, b"out of order"),
        }
        with pytest.raises(ConflictError, match="cannot start container 'c': cannot join network"):
            engine.start_container("c")
        with pytest.raises(NotFoundError, match="no /containers/d/json"):
            engine.container("d")
        with pytest.raises(EngineError, match="out of order") as refused:
            engine.remove_volume("v")
        assert refused.value.status == 500

    def test_one_that_runs_already_is_left_running(self, canned: Canned, engine: DockerEngine) -> None:
        canned.answers["POST /containers/c/start"] = (304, b"")
        engine.start_container("c")

    def test_a_name_with_signs_in_it(self, canned: Canned, engine: DockerEngine) -> None:
        with pytest.raises(NotFoundError):
            engine.image("localhost:5000/a/b@sha256:1f?x=1#y")
        assert canned.asked[-1] == "GET /v1.41/images/localhost:5000/a/b%40sha256:1f%3Fx%3D1%23y/json"

    def test_bodies(self, canned: Canned, engine: DockerEngine) -> None:
        canned.answers |= {
            "POST /networks/create": (201, {"Id": "n"}),
            "POST /networks/n/connect": (200, b"OK\n"),
            "POST /volumes/create": (201, {"Name": "v", "Labels": {"a": "b"}}),
        }
        engine.create_network(NetworkRequest("n", "10.0.0.0/24", {"a": "b"}))
        engine.connect_network("n", "c", ["x"])
        engine.create_volume(VolumeRequest("v", {"a": "b"}))
        assert canned.bodies == [
            {
                "Name": "n",
                "Driver": "bridge",
                "IPAM": {"Driver": "default", "Config": [{"Subnet": "10.0.0.0/24"}]},
                "Labels": {"a": "b"},
            },
            {"Container": "c", "EndpointConfig": {"Aliases": ["x"]}},
            {"Name": "v", "Driver": "local", "Labels": {"a": "b"}},
        ]

    def test_the_configurations_headers_are_sent(
        self, canned: Canned, engine: DockerEngine, tmp_path: Path
    ) -> None:
        (tmp_path / ".docker").mkdir()
        (tmp_path / ".docker" / "config.json").write_text('{"HttpHeaders": {"X-Asked-By": "us"}}')
        engine.ping()
        assert canned.headers["X-Asked-By"] == "us"
        assert canned.headers["User-Agent"] == "pypod"

    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            ((200, {**VERSION, "ApiVersion": "1.23"}), "speaks version 1.23 of the API"),
            ((200, {}), "does not tell its version"),
            ((200, []), "does not tell its version"),
            ((200, {"ApiVersion": "new"}), "does not tell its version"),
            ((200, b"<html>"), "the answer is not JSON"),
            ((503, {"message": "starting"}), "HTTP 503, starting"),
        ],
    )
    def test_what_is_no_engine(
        self, answer: tuple[int, object], words: str, canned: Canned, engine: DockerEngine
    ) -> None:
        canned.answers["GET /version"] = answer
        with pytest.raises(EngineUnavailableError, match=words) as failed:
            engine.ping()
        assert str(failed.value).startswith(
            f"cannot connect to '{engine.url}': no engine answers there (given)"
        )

    def test_an_answer_that_is_no_json(self, canned: Canned, engine: DockerEngine) -> None:
        canned.answers["GET /networks"] = (200, b"<html>")
        with pytest.raises(EngineUnavailableError, match=r"cannot list networks: .* the answer is not JSON"):
            engine.networks()

    def test_nobody_there(self, tmp_path: Path) -> None:
        with pytest.raises(EngineUnavailableError, match="No such file") as failed:
            connect(f"unix://{tmp_path}/nobody")
        assert "DOCKER_HOST, else of the docker context in use" in str(failed.value)


class TestOverTCP:
    """By way of docker-py."""

    def test_questions_orders_and_streams(self, canned: Canned) -> None:
        event = b'{"Action": "start", "Actor": {"ID": "c"}, "time": 5}\n'
        canned.answers |= {
            "GET /networks": (200, [{"Id": "n", "Name": "n"}]),
            "POST /networks/create": (201, {"Id": "n"}),
            "POST /containers/c/start": (409, {"message": "cannot join network"}),
            "GET /events": (200, event),
        }
        with canned.on_port() as url:
            engine = connect(url)
            assert (engine.url, [network.id for network in engine.networks()]) == (url, ["n"])
            assert engine.create_network(NetworkRequest("n", "10.0.0.0/24", {})) == "n"
            with pytest.raises(ConflictError, match="cannot start container 'c': cannot join network"):
                engine.start_container("c")
            assert [(event.action, event.container) for event in engine.events({})] == [("start", "c")]
            engine.close()
        assert canned.asked[1:] == [
            f"{what.split()[0]} /v1.41{what.split()[1]}"
            for what in (
                "GET /networks",
                "POST /networks/create",
                "POST /containers/c/start",
                "GET /events",
            )
        ]

    def test_nobody_there(self) -> None:
        with Canned().on_port() as url:
            pass
        with pytest.raises(EngineUnavailableError, match=r"no engine answers there .*Connection refused"):
            connect(url)

    @pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
    def test_with_tls(self, canned: Canned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("cert.pem", "key.pem", "ca.pem"):
            (tmp_path / name).write_text(SELF_SIGNED)
        monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
        monkeypatch.setenv("DOCKER_TLS_VERIFY", "")
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            monkeypatch.delenv(name, raising=False)
        canned.answers |= {"GET /networks": (200, []), "GET /events": (200, b"")}
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(tmp_path / "cert.pem")
        with canned.on_port(tls) as url:
            engine = connect(url)
            assert engine.networks() == []
            assert list(engine.events({})) == []
            engine.close()


def test_an_address_that_was_made_out_is_taken_as_it_is(tmp_path: Path) -> None:
    assert DockerEngine(Address("unix:///x")).url == "unix:///x"
