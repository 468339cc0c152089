"""Volumes that are mounted with a Secret's credentials: what the engine is asked for, and where these are not seen."""

from __future__ import annotations

import pytest

from pypod.engine.docker_errors import refusal, without_passwords
from pypod.engine.docker_requests import volume_options
from pypod.model.life.journal import VolumeFailed
from pypod.model.life.plan import CreateVolume
from pypod.model.manifest import manifest
from pypod.model.rules import mounts
from pypod.model.rules.files import FilesError
from pypod.model.rules.remote_volumes import remote_of
from pypod.model.spec.object_references import Objects, needed
from pypod.model.spec.objects import Secret
from pypod.model.spec.pod import AzureFileSource, CephFSSource, Container, PodSecurityContext, PodSpec, Volume
from pypod.model.spec.volumes import VolumeMount
from pypod.model.wiring.referring import references_of
from tests.unit.pods import IDENTITY, KEY, Case, seen

AZURE = Volume.azure_file("v", "share", secret_name="azure")
CEPH = Volume.ceph_fs("v", ["10.0.0.1:6789", "10.0.0.2"], secret_ref="ceph", path="/some", read_only=True)
ACCOUNT = {"azurestorageaccountname": "acct", "azurestorageaccountkey": "c2VjcmV0+/="}


def objects(*secrets: Secret) -> Objects:
    return Objects(found={(Secret.kind, each.name): each for each in secrets})


HAVE = objects(Secret("azure", string_data=ACCOUNT), Secret("ceph", string_data={"key": "AQBx=="}))


def spec(volume: Volume, group: int | None = None) -> PodSpec:
    web = Container("web", "app:1", mounts=[VolumeMount("v", "/mnt")])
    return PodSpec("shop", (web,), volumes=(volume,), security_context=PodSecurityContext(fs_group=group))


@pytest.mark.parametrize(
    ("volume", "group", "options"),
    [
        (
            AZURE,
            None,
            {
                "type": "cifs",
                "device": "//acct.file.core.windows.net/share",
                "o": "addr=acct.file.core.windows.net,username=acct,file_mode=0777,dir_mode=0777,vers=3.0,"
                "password=c2VjcmV0+/=",
            },
        ),
        (
            AZURE,
            7,
            {
                "type": "cifs",
                "device": "//acct.file.core.windows.net/share",
                "o": "addr=acct.file.core.windows.net,username=acct,file_mode=0777,dir_mode=0777,vers=3.0,gid=7,"
                "password=c2VjcmV0+/=",
            },
        ),
        (
            CEPH,
            7,
            {"type": "ceph", "device": "10.0.0.1:6789,10.0.0.2:/some", "o": "name=admin,secret=AQBx=="},
        ),
        (
            Volume.ceph_fs("v", ["a"], secret_ref="ceph", user="me"),
            None,
            {"type": "ceph", "device": "a:/", "o": "name=me,secret=AQBx=="},
        ),
    ],
)
def test_what_the_engine_is_asked_for(volume: Volume, group: int | None, options: dict[str, str]) -> None:
    (request,) = mounts.volume_requests(spec(volume, group), IDENTITY, objects=HAVE)
    assert volume_options(request) == options


def test_its_password_is_in_no_words_and_no_label() -> None:
    for volume, secret in ((AZURE, "c2VjcmV0"), (CEPH, "AQBx")):
        (request,) = mounts.volume_requests(spec(volume), IDENTITY, objects=HAVE)
        action = CreateVolume(request, "x")
        assert secret not in f"{request!r} {action!r} {action} {request.labels}"


def test_a_member_has_it_from_the_pod_and_maybe_read_only() -> None:
    for volume, read_only in ((AZURE, False), (CEPH, True)):
        pod = spec(volume)
        (pause,) = mounts.pause_mounts(pod, KEY, IDENTITY.owner)
        (member,) = mounts.member_mounts(pod, pod.containers[0], KEY, {}, mounts.Places())
        assert (pause.source, pause.read_only) == (member.source, False)
        assert member.read_only is read_only


@pytest.mark.parametrize(
    ("source", "secrets", "words"),
    [
        (AzureFileSource("azure", "s"), [], 'secret "azure" not found'),
        (
            AzureFileSource("azure", "s"),
            [Secret("azure", string_data={"azurestorageaccountname": "a"})],
            "invalid default/azure, couldn't extract azurestorageaccountname or azurestorageaccountkey",
        ),
        (
            AzureFileSource("azure", "s"),
            [Secret("azure", string_data={**ACCOUNT, "azurestorageaccountkey": "a,exec"})],
            "invalid default/azure: the value of 'azurestorageaccountkey' cannot stand in a mount's options",
        ),
        (
            AzureFileSource("azure", "s"),
            [Secret("azure", {"azurestorageaccountname": b"\xff"})],
            "invalid default/azure: the value of 'azurestorageaccountname' cannot stand in a mount's options",
        ),
        (CephFSSource(("a",), secret_ref="ceph"), [], 'secret "ceph" not found'),
        (
            CephFSSource(("a",), secret_ref="ceph"),
            [Secret("ceph", string_data={"a": "1", "b": "2"})],
            "invalid default/ceph: one value is expected, or one with the key 'key'",
        ),
    ],
)
def test_why_it_cannot_be_mounted(
    source: AzureFileSource | CephFSSource, secrets: list[Secret], words: str
) -> None:
    with pytest.raises(FilesError) as caught:
        remote_of(source, objects(*secrets))
    assert str(caught.value) == words


def test_the_only_value_is_the_key_whatever_it_is_called() -> None:
    found = remote_of(
        CephFSSource(("a",), secret_ref="ceph"), objects(Secret("ceph", string_data={"x": "K\n"}))
    )
    assert found.secret == "K"


def test_a_pod_waits_for_its_secret() -> None:
    case = Case(seen(volumes=()), "", spec=lambda _: spec(AZURE))
    (step,) = case.run().steps
    assert any(
        isinstance(entry, VolumeFailed) and entry.message == 'secret "azure" not found'
        for entry in step.action.entries  # type: ignore[union-attr]
    )
    whole = Case(seen(volumes=(), objects=HAVE), "", spec=lambda _: spec(AZURE)).run()
    assert [type(each.action).__name__ for each in whole.steps][:2] == ["CreateVolume", "CreateContainer"]


def test_its_secret_is_looked_up() -> None:
    assert [each.name for each in needed(references_of(spec(CEPH)))] == ["ceph"]


def test_it_is_read_and_written() -> None:
    for volume in (AZURE, CEPH):
        text = manifest.dump(spec(volume))
        assert manifest.load(text) == spec(volume)
    assert "secretRef:\n        name: ceph" in manifest.dump(spec(CEPH))


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (
            "failed to mount local volume: mount //a/s:/v, data: addr=1.2.3.4,username=a,password=K+/=: permission denied",
            "failed to mount local volume: mount //a/s:/v, data: addr=1.2.3.4,username=a,password=********: permission denied",
        ),
        (
            "mount m:/:/v, data: name=admin,secret=AQ==: no route",
            "mount m:/:/v, data: name=admin,secret=********: no route",
        ),
        ("data: password=K,gid=1: no", "data: password=********,gid=1: no"),
        ("data: password=K", "data: password=********"),
        ('secret "a" not found', 'secret "a" not found'),
        ("mount :/a:/v, data: addr=1.2.3.4: no", "mount :/a:/v, data: addr=1.2.3.4: no"),
    ],
)
def test_an_engine_that_quotes_a_mounts_options(words: str, shown: str) -> None:
    assert without_passwords(words) == shown
    assert "K+/=" not in str(refusal("start container", "x", 500, words))
