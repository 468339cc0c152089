"""One reader of the engine: a frozen snapshot of one pod, or the keys of all. By label, never by remembered handle."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from pypod.engine import pause
from pypod.engine.api import Engine
from pypod.engine.clock import SYSTEM, Clock
from pypod.engine.identity import engine_architecture, engine_identity
from pypod.engine.messages import read_file
from pypod.engine.objects import store_of
from pypod.engine.profiles import read_profiles
from pypod.errors import ConflictError, EngineError, NotFoundError
from pypod.model import naming
from pypod.model.hidden import without
from pypod.model.image_names import is_image_name
from pypod.model.life import history
from pypod.model.life.history import History
from pypod.model.naming import PodKey
from pypod.model.rules import env_files
from pypod.model.rules.mounts import slot_of
from pypod.model.spec.objects import PersistentVolumeClaim
from pypod.model.spec.pod import ClaimSource, Container, PodSpec, RestartPolicy
from pypod.model.wiring.environment import hidden_words, surroundings_of, takes_secrets
from pypod.model.wiring.referring import objects_of_files, references_of
from pypod.model.wiring.state import (
    ContainerInfo,
    ImageInfo,
    NetworkInfo,
    PodObservation,
    VolumeInfo,
)


def observe(
    engine: Engine,
    key: PodKey,
    spec: PodSpec | None = None,
    *,
    clock: Clock = SYSTEM,
    brief: bool = False,
    fresh: bool = False,
) -> PodObservation:
    """All that the engine has of a pod, by its uid.

    Args:
        engine: where to look.
        key: which pod.
        spec: with it, also what a plan needs to know: network, images and objects. Not asked for again once every container
            runs. Without it, what a removal needs to know.
        clock: says when.
        brief: containers as they are listed: without times, exit codes and stop signals, and perhaps with one that the engine
            has no more (see `inspect`). That saves a call for each.
        fresh: the uid was made up just now: nothing can be there that has it, and the engine is not asked for it.

    Raises:
        EngineError: the engine could not be read.
    """
    at = clock.now()
    infos = [] if fresh else _containers(engine, key, brief=brief)
    found = _snapshot(engine, key, at, infos)
    if spec is not None and _is_whole(found, spec):
        networked = _with_network(engine, found, spec)
        if networked.network is not None or not found.pauses[0].host_network:
            objects = store_of(engine).read(spec.namespace, objects_of_files(spec))
            whole = replace(networked, is_whole=True, objects=objects)
            return _without_secrets(engine, whole, spec)
    if spec is None:
        return _with_remains(engine, found)
    found = _with_surroundings(engine, found, spec, fresh=fresh)
    idle = [
        each for each in spec.all_containers if not ((newest := found.newest(each.name)) and newest.is_live)
    ]
    found = replace(found, env_files=read_env_files(engine, found, spec, idle))
    return _without_secrets(engine, found, spec)


def _snapshot(engine: Engine, key: PodKey, at: float, infos: list[ContainerInfo]) -> PodObservation:
    """Of its containers, and of what its engine is."""
    members: dict[str, tuple[ContainerInfo, ...]] = {}
    for info in _newest_first(info for info in infos if not naming.is_pause(info.labels)):
        members[info.container] = (*members.get(info.container, ()), info)
    node = engine_identity(engine)
    return PodObservation(
        key=key,
        at=at,
        pauses=_newest_first(info for info in infos if naming.is_pause(info.labels)),
        members=members,
        node_memory=node.memory,
        node_cpus=node.cpus,
        node_name=node.name,
        node_runtimes=node.runtimes,
        node_security=node.security_options,
        api_version=node.api_version,
    )


def read_env_files(
    engine: Engine, found: PodObservation, spec: PodSpec, containers: Iterable[Container]
) -> dict[tuple[str, str], bytes]:
    """The files that variables of these containers come from, by volume and path. They are read through the pause, which has all
    volumes; without one that runs there are none."""
    if found.sandbox is None:
        return {}
    wanted = {
        (ref.volume_name, ref.path) for container in containers for ref in env_files.files_of(container)
    }
    there = {}
    for volume, path in sorted(wanted):
        if env_files.is_readable(spec, volume):
            whole = f"{slot_of(spec, volume)}/{path}"
            with contextlib.suppress(NotFoundError):
                there[volume, path] = read_file(engine, found.sandbox.id, whole, env_files.MOST_BYTES)
    return there


def _without_secrets(engine: Engine, found: PodObservation, spec: PodSpec) -> PodObservation:
    """An engine that could not run a program says which: where that word comes from a Secret, nobody is to read it."""
    told = {info.container for info in found.all_members if info.error}
    users = [each for each in spec.all_containers if each.name in told and takes_secrets(each)]
    if not users:
        return found
    objects = found.objects
    if found.is_whole:
        objects = store_of(engine).read(spec.namespace, references_of(spec))
    around = surroundings_of(spec, replace(found, objects=objects))
    members = dict(found.members)
    for container in users:
        words = hidden_words(container, around)
        members[container.name] = tuple(
            replace(info, error=without(info.error, words)) for info in found.members[container.name]
        )
    return replace(found, members=members)


def _containers(engine: Engine, key: PodKey, *, brief: bool) -> list[ContainerInfo]:
    """Where one went between the list and the look at it, another may have come that the list has not (a restart makes the next
    instance, then removes the oldest): so they are listed once more. Only once, since an engine may list for long what it has not."""
    if brief:
        return engine.containers({naming.UID: key.uid})
    infos: list[ContainerInfo | None] = []
    for _ in range(2):
        infos = [inspect(engine, listed) for listed in engine.containers({naming.UID: key.uid})]
        if None not in infos:
            break
    return [info for info in infos if info is not None]


def inspect(engine: Engine, listed: ContainerInfo) -> ContainerInfo | None:
    """All about a container that was listed; None: it is not there."""
    try:
        return engine.container(listed.id)
    except (
        NotFoundError
    ):  # it went between the two calls, or long ago: 20.10 was seen to list what it no longer has
        return None


def _newest_first(infos: Iterable[ContainerInfo]) -> tuple[ContainerInfo, ...]:
    return tuple(sorted(infos, key=lambda info: (info.attempt, info.created_at), reverse=True))


def _is_whole(found: PodObservation, spec: PodSpec) -> bool:
    """Pause and all lasting members run: no plan will need network, volumes or images."""
    if found.pause is None or not found.pause.is_live:
        return False
    sidecars = [c for c in spec.init_containers if c.restart_policy is RestartPolicy.ALWAYS]
    lasting = [found.newest(container.name) for container in (*sidecars, *spec.containers)]
    return all(info is not None and info.is_live for info in lasting)


def _with_network(engine: Engine, found: PodObservation, spec: PodSpec) -> PodObservation:
    """Of a pod that runs: the networks of the engine are asked for only where its addresses alone do not tell."""
    pause = found.pauses[0]
    if pause.host_network or spec.extra_networks:
        return _with_networks(engine.networks(), found, spec)
    network_ids = list(pause.addresses)
    return replace(found, network=NetworkInfo(network_ids[0], "", "", ()) if network_ids else None)


def _with_networks(
    networks: list[NetworkInfo], found: PodObservation, spec: PodSpec | None
) -> PodObservation:
    others = _others(networks) if spec is not None and spec.extra_networks else ()
    return replace(found, network=_pod_network(networks, found, spec), others_networks=others)


def _with_remains(engine: Engine, found: PodObservation) -> PodObservation:
    """With what else is removed with a pod, and with its own network, by which hooks reach it. The engine's networks are asked for
    only where the pod's addresses do not tell which one that is: on the network of the host, and on several."""
    network = None
    if found.pause is not None and (found.pause.host_network or len(found.pause.addresses) > 1):
        network = _pod_network(engine.networks(), found, None)
    elif found.pause is not None and found.pause.addresses:
        network = NetworkInfo(next(iter(found.pause.addresses)), "", "", ())
    return replace(found, volumes=tuple(engine.volumes({naming.UID: found.key.uid})), network=network)


def _with_surroundings(
    engine: Engine, found: PodObservation, spec: PodSpec, *, fresh: bool
) -> PodObservation:
    networks = engine.networks()
    reference = pause.reference(engine_architecture(engine))
    return replace(
        _with_networks(networks, found, spec),
        volumes=() if fresh else tuple(engine.volumes({naming.UID: found.key.uid})),
        claims=_claims(engine, spec),
        taken_subnets=tuple(subnet for network in networks for subnet in network.subnets),
        images={name: image_or_none(engine, name) for name in _images(spec)},
        objects=store_of(engine).read(spec.namespace, references_of(spec)),
        profiles=read_profiles(spec),
        pause_image=reference,
        pause_image_present=image_or_none(engine, reference) is not None,
    )


def _claims(engine: Engine, spec: PodSpec) -> tuple[VolumeInfo, ...]:
    """The volumes with the files of the namespace's claims, where the pod has any."""
    if not any(isinstance(volume.source, ClaimSource) for volume in spec.volumes):
        return ()
    labels = {naming.CONTENT: PersistentVolumeClaim.kind, naming.NAMESPACE: spec.namespace}
    return tuple(engine.volumes(labels))


def _images(spec: PodSpec) -> list[str]:
    return sorted({container.image for container in spec.all_containers})


def _others(networks: list[NetworkInfo]) -> tuple[NetworkInfo, ...]:
    """Those that a pod can join beside its own."""
    return tuple(
        each
        for each in networks
        if naming.network_of(each.labels) is None and each.name not in naming.NOT_JOINED
    )


def _pod_network(
    networks: list[NetworkInfo], found: PodObservation, spec: PodSpec | None
) -> NetworkInfo | None:
    """The network that the pod is on, or belongs on. Of two that raced into being, everyone takes the same."""
    wanted = spec.network if spec is not None else None
    if found.pause is not None:
        on = [network for network in networks if network.id in found.pause.addresses]
        own = [network for network in on if naming.network_of(network.labels) is not None]
        if own or (on and not (spec is not None and spec.extra_networks)):
            return (own or on)[0]
        wanted = naming.network_of(found.pause.labels)  # a pause that has ended has no address any more
    ours = [n for n in networks if wanted is not None and naming.network_of(n.labels) == wanted]
    return min(ours, key=lambda network: (network.subnets, network.id), default=None)


def image_or_none(engine: Engine, reference: str) -> ImageInfo | None:
    """The image, where the engine has it."""
    if not is_image_name(reference):
        return None
    try:
        return engine.image(reference)
    except NotFoundError:
        return None
    except EngineError as error:
        if "invalid reference format" in str(error):  # the pull says so, and of this container alone
            return None
        raise


def read_history(engine: Engine, pause_container: str) -> History:
    """What the journal in a pause's log tells.

    Raises:
        NotFoundError: the pause is gone, or about to be.
    """
    try:
        stream = engine.logs(pause_container)
    except ConflictError as error:  # "dead or marked for removal"
        raise NotFoundError(error.verb, error.target, error.detail, status=error.status) from error
    data = bytearray()
    try:
        while (frame := stream.read()) is not None:
            data += frame.data
    finally:
        stream.close()
    return history.read(bytes(data).split(b"\n"))


@dataclass(frozen=True, slots=True)
class Found:
    """Everything on the engine that names one uid.

    Attributes:
        containers: as listed: without times, exit codes and errors.
    """

    key: PodKey
    containers: tuple[ContainerInfo, ...]
    volumes: tuple[VolumeInfo, ...]

    @property
    def pause(self) -> ContainerInfo | None:
        pauses = _newest_first(info for info in self.containers if naming.is_pause(info.labels))
        return pauses[0] if pauses else None


def find_all(engine: Engine) -> list[Found]:
    """Every pod of which the engine has anything, in two calls, by namespace and name."""
    return find(engine, {naming.UID: ""})


def find(engine: Engine, labels: Mapping[str, str]) -> list[Found]:
    """Those whose containers and volumes carry all these labels (an empty value: whatever it is)."""
    containers: dict[PodKey, list[ContainerInfo]] = {}
    volumes: dict[PodKey, list[VolumeInfo]] = {}
    for info in engine.containers(labels):
        if (key := naming.key_of(info.labels)) is not None:
            containers.setdefault(key, []).append(info)
    for volume in engine.volumes(labels):
        if (key := naming.key_of(volume.labels)) is not None:
            volumes.setdefault(key, []).append(volume)
    keys = sorted({*containers, *volumes}, key=lambda key: (key.namespace, key.name, key.uid))
    return [Found(key, tuple(containers.get(key, ())), tuple(volumes.get(key, ()))) for key in keys]


def newest_pause(engine: Engine, uid: str) -> ContainerInfo | None:
    """A pod's sandbox, as listed; None: it has none."""
    pauses = _newest_first(engine.containers({naming.UID: uid, naming.ROLE: naming.Role.PAUSE.value}))
    return pauses[0] if pauses else None


def find_named(engine: Engine, namespace: str, name: str) -> list[Found]:
    """Every pod of that name: one, and those that are being deleted."""
    return find(engine, {naming.NAMESPACE: namespace, naming.POD: name})
