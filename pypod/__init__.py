"""Kubernetes-style pods on a plain Docker Engine, from Python."""

from __future__ import annotations

from pypod.connecting import connect
from pypod.engine.api import Engine
from pypod.errors import (
    CommandError,
    ConflictError,
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
from pypod.model.results import ExecResult
from pypod.model.spec import Container, ContainerPort, PodSpec, Volume, VolumeMount
from pypod.model.status import ContainerStatus, Phase, PodStatus
from pypod.pod import Pod, get
from pypod.pod import list_pods as list
from pypod.sweep import Swept, sweep

__version__ = "0.1.0"

__all__ = [
    "CommandError",
    "ConflictError",
    "Container",
    "ContainerPort",
    "ContainerStatus",
    "Engine",
    "EngineError",
    "EngineUnavailableError",
    "ExecError",
    "ExecResult",
    "ExecTimeoutError",
    "ImageError",
    "ImagePullError",
    "InvalidNameError",
    "InvalidPortError",
    "ManifestError",
    "NotFoundError",
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
    "PypodError",
    "SpecError",
    "SubnetInUseError",
    "Swept",
    "TeardownError",
    "UnknownVolumeError",
    "Volume",
    "VolumeMount",
    "connect",
    "get",
    "list",
    "sweep",
]
