"""Which ConfigMaps, Secrets and claims of its namespace a pod refers to."""

from __future__ import annotations

from collections.abc import Iterator

from pypod.model.rules.remote_volumes import secret_of
from pypod.model.spec.env import ConfigMapEnvSource, ConfigMapKeyRef, SecretKeyRef
from pypod.model.spec.object_references import Reference
from pypod.model.spec.objects import ConfigMap, PersistentVolumeClaim, Secret
from pypod.model.spec.pod import Container, PodSpec
from pypod.model.spec.volume_sources import (
    AzureFileSource,
    CephFSSource,
    ClaimSource,
    ConfigMapProjection,
    ConfigMapSource,
    ProjectedSource,
    SecretProjection,
    SecretSource,
)
from pypod.model.spec.volumes import Volume


def references_of(spec: PodSpec) -> tuple[Reference, ...]:
    """All of them, as often as it does: `pypod.model.spec.object_references.needed` has each once."""
    return (
        *(each for container in spec.all_containers for each in variables_of(container)),
        *(each for volume in spec.volumes for each in volume_of(volume)),
        *logins_of(spec),
    )


def logins_of(spec: PodSpec) -> Iterator[Reference]:
    """Those with the credentials of registries: one that is missing is not waited for."""
    for name in spec.image_pull_secrets:
        yield Reference(Secret.kind, name, optional=True)


def objects_of_files(spec: PodSpec) -> tuple[Reference, ...]:
    """Those that files in its volumes are made of."""
    found = (each for volume in spec.volumes for each in volume_of(volume))
    return tuple(each for each in found if each.kind != PersistentVolumeClaim.kind)


def variables_of(container: Container) -> Iterator[Reference]:
    """Those of a container's variables."""
    for each in container.env_from:
        kind = ConfigMap.kind if isinstance(each.source, ConfigMapEnvSource) else Secret.kind
        yield Reference(kind, each.source.name, each.source.optional)
    for variable in container.env:
        match variable.value_from:
            case ConfigMapKeyRef(name=name, optional=optional):
                yield Reference(ConfigMap.kind, name, optional)
            case SecretKeyRef(name=name, optional=optional):
                yield Reference(Secret.kind, name, optional)


def volume_of(volume: Volume) -> Iterator[Reference]:
    """Those of a volume."""
    match volume.source:
        case ConfigMapSource(name=name, optional=optional):
            yield Reference(ConfigMap.kind, name, optional)
        case SecretSource(secret_name=name, optional=optional):
            yield Reference(Secret.kind, name, optional)
        case AzureFileSource() | CephFSSource() as remote:
            yield Reference(Secret.kind, secret_of(remote))
        case ClaimSource(claim_name=name):
            yield Reference(PersistentVolumeClaim.kind, name)
        case ProjectedSource(sources=sources):
            for source in sources:
                if isinstance(source, ConfigMapProjection):
                    yield Reference(ConfigMap.kind, source.name, source.optional)
                elif isinstance(source, SecretProjection):
                    yield Reference(Secret.kind, source.name, source.optional)
