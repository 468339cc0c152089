"""What `import pypod` promises: these names, and that it costs nothing until one is used."""

from __future__ import annotations

import builtins
import json
import subprocess
import sys

import pytest

import pypod
from pypod.engine import pause
from pypod.model.wiring import requests, state

NAMES = [
    "AppArmorProfile",
    "Applied",
    "AzureFileSource",
    "BackoffProfile",
    "Capabilities",
    "CephFSSource",
    "ClaimSource",
    "CommandError",
    "ConfigMap",
    "ConfigMapEnvSource",
    "ConfigMapKeyRef",
    "ConfigMapProjection",
    "ConfigMapSource",
    "ConflictError",
    "Container",
    "ContainerPort",
    "ContainerStatus",
    "CopyError",
    "DNSConfig",
    "DNSPolicy",
    "DownwardAPIFile",
    "DownwardAPIProjection",
    "DownwardAPISource",
    "EmptyDir",
    "Engine",
    "EngineError",
    "EngineUnavailableError",
    "EnvFrom",
    "EnvVar",
    "Event",
    "ExecError",
    "ExecResult",
    "ExecTimeoutError",
    "ExitCodeOperator",
    "ExitCodes",
    "FSGroupChangePolicy",
    "FieldRef",
    "FileKeyRef",
    "FilesSource",
    "Hook",
    "HostAlias",
    "HostPath",
    "HostPathType",
    "ImageError",
    "ImagePullError",
    "ImageSource",
    "InvalidNameError",
    "InvalidPortError",
    "KeyToPath",
    "Lifecycle",
    "ManifestError",
    "ManifestWarning",
    "Medium",
    "MessagePolicy",
    "MountPropagation",
    "NFSSource",
    "NamedFile",
    "NotFoundError",
    "ObjectError",
    "ObjectInUseError",
    "ObjectNotFoundError",
    "PersistentVolumeClaim",
    "Phase",
    "Pod",
    "PodError",
    "PodExistsError",
    "PodNotFoundError",
    "PodNotRunningError",
    "PodPool",
    "PodSecurityContext",
    "PodSpec",
    "PodStartError",
    "PodStatus",
    "PodTimeoutError",
    "PoolError",
    "PortConflictError",
    "PortForward",
    "PortForwardError",
    "Probe",
    "ProcMount",
    "ProfileType",
    "ProjectedSource",
    "PullPolicy",
    "PypodError",
    "RecursiveReadOnly",
    "ResourceFieldRef",
    "Resources",
    "RestartAction",
    "RestartPolicy",
    "RestartRule",
    "SELinuxOptions",
    "SeccompProfile",
    "Secret",
    "SecretEnvSource",
    "SecretKeyRef",
    "SecretProjection",
    "SecretSource",
    "SecurityContext",
    "Span",
    "SpecError",
    "SubnetInUseError",
    "SupplementalGroupsPolicy",
    "Swept",
    "TeardownError",
    "Template",
    "Trace",
    "UnknownVolumeError",
    "Volume",
    "VolumeMount",
    "apply",
    "connect",
    "delete_object",
    "get",
    "get_object",
    "list",
    "list_objects",
    "load",
    "sweep",
]


SDK = ("docker", "requests", "urllib3")


def loaded_after(code: str) -> set[str]:
    """The modules that a fresh interpreter has after a piece of code."""
    program = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_the_public_names_are_these() -> None:
    assert pypod.__all__ == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_there_when_it_is_used(name: str) -> None:
    assert getattr(pypod, name) is not None
    assert name in dir(pypod)


def test_every_error_class_is_public() -> None:
    from pypod import errors  # noqa: PLC0415 (beside its use)

    classes = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    assert classes <= set(NAMES)


def test_list_is_pypods_own() -> None:
    assert pypod.list is not builtins.list
    assert callable(pypod.list)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'pypod' has no attribute 'Deployment'"):
        pypod.Deployment  # noqa: B018 (the access is what is tested)


def test_importing_it_imports_next_to_nothing() -> None:
    loaded = loaded_after("import pypod")
    assert {name for name in loaded if name.startswith("pypod")} == {"pypod"}
    assert not loaded & {"docker", "yaml", "rich", "tenacity", "requests", "urllib3", "threading"}


def test_describing_a_pod_imports_no_docker() -> None:
    loaded = loaded_after(
        "from pypod import Pod, Container\n"
        "pod = Pod('shop', containers=[Container('web', 'nginx')])\n"
        "import pypod; pypod.Engine, pypod.get, pypod.list, pypod.sweep, pypod.connect, pypod.PodStatus, pypod.ConfigMap, pypod.apply"
    )
    assert "pypod.pod" in loaded
    assert not loaded & {*SDK, "yaml", "rich", "tenacity", "http.client"}


def test_nor_does_reading_a_manifest() -> None:
    loaded = loaded_after(
        "import pypod\n"
        "text = 'kind: Pod\\napiVersion: v1\\nmetadata: {name: a}\\nspec: {containers: [{name: b, image: c}]}'\n"
        "assert pypod.Pod.from_manifest(text).name == 'a'"
    )
    assert "yaml" in loaded
    assert not loaded & {*SDK, "rich", "tenacity", "http.client"}


def test_numbers_that_two_layers_must_agree_on() -> None:
    assert state.LEASE_LOST == pause.LEASE_LOST_EXIT_CODE
    assert requests.MAX_VOLUMES == pause.VOLUME_SLOTS
