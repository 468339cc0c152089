"""Kubernetes-style pods on a plain Docker Engine, from Python."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pypod.connecting import connect
    from pypod.engine.api import Engine
    from pypod.engine.objects import Applied
    from pypod.errors import (
        CommandError,
        ConflictError,
        CopyError,
        EngineError,
        EngineUnavailableError,
        ExecError,
        ExecTimeoutError,
        ImageError,
        ImagePullError,
        InvalidNameError,
        InvalidPortError,
        ManifestError,
        NotFoundError,
        ObjectError,
        ObjectInUseError,
        ObjectNotFoundError,
        PodError,
        PodExistsError,
        PodNotFoundError,
        PodNotRunningError,
        PodStartError,
        PodTimeoutError,
        PortConflictError,
        PypodError,
        SpecError,
        SubnetInUseError,
        TeardownError,
        UnknownVolumeError,
    )
    from pypod.finding import get
    from pypod.finding import list_pods as list  # noqa: A004 (pypod.list, as in kubectl's words)
    from pypod.model.handlers import Hook, Lifecycle, Probe
    from pypod.model.journal import Event
    from pypod.model.objects import ConfigMap, PersistentVolumeClaim, Secret
    from pypod.model.references import Template
    from pypod.model.resources import Resources
    from pypod.model.results import ExecResult
    from pypod.model.spec import (
        ConfigMapProjection,
        Container,
        ContainerPort,
        DownwardAPIFile,
        DownwardAPIProjection,
        KeyToPath,
        NamedFile,
        PodSpec,
        ResourceFieldRef,
        SecretProjection,
        Volume,
        VolumeMount,
    )
    from pypod.model.status import ContainerStatus, Phase, PodStatus
    from pypod.pod import Pod
    from pypod.storing import apply, delete_object, get_object, list_objects
    from pypod.sweeping import Swept, sweep

__version__ = "0.1.0"

__all__ = [
    "Applied",
    "CommandError",
    "ConfigMap",
    "ConfigMapProjection",
    "ConflictError",
    "Container",
    "ContainerPort",
    "ContainerStatus",
    "CopyError",
    "DownwardAPIFile",
    "DownwardAPIProjection",
    "Engine",
    "EngineError",
    "EngineUnavailableError",
    "Event",
    "ExecError",
    "ExecResult",
    "ExecTimeoutError",
    "Hook",
    "ImageError",
    "ImagePullError",
    "InvalidNameError",
    "InvalidPortError",
    "KeyToPath",
    "Lifecycle",
    "ManifestError",
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
    "PodSpec",
    "PodStartError",
    "PodStatus",
    "PodTimeoutError",
    "PortConflictError",
    "Probe",
    "PypodError",
    "ResourceFieldRef",
    "Resources",
    "Secret",
    "SecretProjection",
    "SpecError",
    "SubnetInUseError",
    "Swept",
    "TeardownError",
    "Template",
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
    "sweep",
]

_HOMES = {
    "pypod.connecting": ("connect",),
    "pypod.engine.api": ("Engine",),
    "pypod.engine.objects": ("Applied",),
    "pypod.errors": (
        "CommandError",
        "ConflictError",
        "CopyError",
        "EngineError",
        "EngineUnavailableError",
        "ExecError",
        "ExecTimeoutError",
        "ImageError",
        "ImagePullError",
        "InvalidNameError",
        "InvalidPortError",
        "ManifestError",
        "NotFoundError",
        "ObjectError",
        "ObjectInUseError",
        "ObjectNotFoundError",
        "PodError",
        "PodExistsError",
        "PodNotFoundError",
        "PodNotRunningError",
        "PodStartError",
        "PodTimeoutError",
        "PortConflictError",
        "PypodError",
        "SpecError",
        "SubnetInUseError",
        "TeardownError",
        "UnknownVolumeError",
    ),
    "pypod.finding": (
        "get",
        "list",
    ),
    "pypod.model.handlers": (
        "Hook",
        "Lifecycle",
        "Probe",
    ),
    "pypod.model.journal": ("Event",),
    "pypod.model.objects": (
        "ConfigMap",
        "PersistentVolumeClaim",
        "Secret",
    ),
    "pypod.model.references": ("Template",),
    "pypod.model.resources": ("Resources",),
    "pypod.model.results": ("ExecResult",),
    "pypod.model.spec": (
        "ConfigMapProjection",
        "Container",
        "ContainerPort",
        "DownwardAPIFile",
        "DownwardAPIProjection",
        "KeyToPath",
        "NamedFile",
        "PodSpec",
        "ResourceFieldRef",
        "SecretProjection",
        "Volume",
        "VolumeMount",
    ),
    "pypod.model.status": (
        "ContainerStatus",
        "Phase",
        "PodStatus",
    ),
    "pypod.pod": ("Pod",),
    "pypod.storing": (
        "apply",
        "delete_object",
        "get_object",
        "list_objects",
    ),
    "pypod.sweeping": (
        "Swept",
        "sweep",
    ),
}

_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    """A public name, imported when it is first used (PEP 562): ``import pypod`` alone costs next to nothing, so a test
    suite pays for pods only where it has some."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(_HOME[name])
    value = getattr(module, "list_pods" if name == "list" else name)
    globals()[name] = value
    return value


def __dir__() -> tuple[str, ...]:
    return tuple(sorted({*globals(), *_HOME}))
