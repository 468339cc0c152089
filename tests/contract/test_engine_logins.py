"""The contract of a pull with credentials: given with it, or those of docker's own configuration."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from pypod.engine.api import Engine
from pypod.errors import ImagePullError
from pypod.model.wiring.credentials import Login
from tests.contract.harness import Contract
from tests.contract.registry import PASSWORD, USER

HELPER = """\
#!/bin/sh
[ "$1" = get ] || exit 1
read -r server
echo "$server" >> {folder}/asked
echo '{{"ServerURL": "'"$server"'", "Username": "{user}", "Secret": "{password}"}}'
"""


class TestLogins:
    def test_who_may_have_it_gets_it(self, engine: Engine, private: str) -> None:
        engine.pull_image(private, login=Login(USER, PASSWORD))
        assert private in engine.image(private).references
        engine.remove_image(private)

    @pytest.mark.parametrize("login", [None, Login(USER, "hush-wrong"), Login("you", PASSWORD)])
    def test_nobody_else_does(self, engine: Engine, private: str, login: Login | None) -> None:
        with pytest.raises(ImagePullError) as caught:
            engine.pull_image(private, login=login)
        assert "no basic auth credentials" in str(caught.value) or "unauthorized" in str(caught.value)
        assert "hush" not in f"{caught.value} {caught.value!r} {vars(caught.value)}"


class TestDockersOwn:
    """``~/.docker/config.json``: what ``docker login`` wrote, also while this process runs."""

    @pytest.fixture
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
        return tmp_path

    def _pulls(self, real: Contract, reference: str) -> None:
        real.engine.pull_image(reference)
        real.engine.remove_image(reference)

    def test_auths(self, real: Contract, private_registry: str, folder: Path) -> None:
        with pytest.raises(ImagePullError):
            real.engine.pull_image(private_registry)
        auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        host = private_registry.partition("/")[0]
        (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))
        self._pulls(real, private_registry)

    @pytest.mark.parametrize("word", ["credHelpers", "credsStore"])
    def test_helpers(
        self,
        real: Contract,
        private_registry: str,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        word: str,
    ) -> None:
        program = folder / "docker-credential-pypodtest"
        program.write_text(HELPER.format(folder=folder, user=USER, password=PASSWORD))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder), prepend=":")
        host = private_registry.partition("/")[0]
        says = {"credHelpers": {host: "pypodtest"}, "credsStore": "pypodtest"}
        (folder / "config.json").write_text(json.dumps({word: says[word]}))
        self._pulls(real, private_registry)
        assert host in (folder / "asked").read_text().split()
