"""What is on the engine already under a pod's name: itself, another, or what a dead owner left."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from pypod import background, lifetime
from pypod.engine import observe
from pypod.engine.api import Engine
from pypod.engine.owner import current_owner
from pypod.engine.sync import PodSync
from pypod.engine.teardown import Teardown
from pypod.errors import NotFoundError, PodExistsError
from pypod.expiring import Ends
from pypod.model import naming
from pypod.model.document import codec
from pypod.model.life import reuse
from pypod.model.life.desired import Desired
from pypod.model.life.plan import Plan
from pypod.model.naming import PodIdentity, PodKey
from pypod.model.spec.pod import PodSpec
from pypod.model.wiring.state import ContainerInfo
from pypod.sweeping import graceful, why_abandoned, why_left


@dataclass(frozen=True, slots=True)
class There:
    """A pod that is on the engine under a name.

    Attributes:
        pod: what is known of it.
        same: it is of the spec that was asked for.
        leased: it ends with its owner, a process that lives.
    """

    pod: PodSync
    same: bool
    leased: bool


def look_up(engine: Engine, spec: PodSpec) -> There | None:
    """The pod that has the name of this one, if any (and if it has one). One that is being deleted is none, nor is what a dead owner left.

    Raises:
        EngineError: the engine could not be read.
    """
    wanted = naming.spec_hash(codec.dump_spec(spec))
    for found in observe.find_named(engine, spec.namespace, spec.name) if spec.name else ():
        pause = found.pause
        if pause is None or naming.deletion_deadline(pause.name) is not None:
            continue
        if lifetime.is_left(found.key.uid) or why_abandoned(engine, found):
            continue
        pod = lifetime.owned(found.key.uid) or background.described(engine, found)
        if pod is not None:
            same = pause.labels.get(naming.SPEC_HASH) == wanted
            return There(pod, same, naming.is_leased(pause.labels))
    return None


def why_replaced(there: There) -> str:
    """Why a pod that is there is not what a start would make now, in words; empty: it is. No registry is asked.

    Raises:
        EngineError: the engine could not be read.
    """
    if not there.same:
        return "its description has changed"
    pod, spec = there.pod, there.pod.desired.spec
    read_journal(pod)
    status = pod.refresh()
    assert pod.observed is not None, "a refresh observes"
    images = {name: observe.image_or_none(pod.engine, name) for name in reuse.images_of(spec)}
    return reuse.why_replaced(spec, pod.observed, status, images)


def find_same(engine: Engine, spec: PodSpec, *, detach: bool) -> PodSync | None:
    """The pod of this name that is the same in spec and owner; None where there is no pod of it. What a dead owner left under
    the name is removed, what this process could not remove before, and a pod that is past its time.

    Raises:
        PodExistsError: a pod of the name is there, with another spec or another owner.
    """
    for found in observe.find_named(engine, spec.namespace, spec.name):
        if lifetime.is_left(found.key.uid) or why_left(engine, found):
            Teardown(engine, found.key).run()
            lifetime.disown(found.key.uid)
            continue
        if Ends(engine).why_over(found):
            graceful(engine, found).run()
            continue
        pause = found.pause
        if pause is None or naming.deletion_deadline(pause.name) is not None:
            continue
        if _is_same(spec, pause, detach=detach):
            return lifetime.owned(found.key.uid) or background.described(engine, found)
        raise PodExistsError(
            f"cannot start pod '{spec.full_name}': a pod of that name is there, with another spec or another owner "
            f"(uid {found.key.uid}); stop it first, or take another name",
            pod=spec.full_name,
        )
    return None


def finish(pod: PodSync) -> None:
    """Remove a pod that is at its end, or help whoever does, so that its name is free.

    Raises:
        TeardownError: something could not be removed.
        EngineError: the engine failed.
    """
    key, spec = pod.desired.identity.key, pod.desired.spec
    Teardown(pod.engine, key, grace=spec.termination_grace_period_seconds, spec=spec).run()


def _is_same(spec: PodSpec, pause: ContainerInfo, *, detach: bool) -> bool:
    leased = naming.is_leased(pause.labels)
    same_spec = pause.labels.get(naming.SPEC_HASH) == naming.spec_hash(codec.dump_spec(spec))
    same_owner = leased is not detach and (detach or naming.owner_of(pause.labels) == current_owner())
    return same_spec and same_owner


def dry_run(engine: Engine, spec: PodSpec, *, anew: bool = False) -> Plan:
    """What would be done for this spec now: for the pod of the name that is there, else for a new one; ``anew``: for a new one."""
    there = () if anew else observe.find_named(engine, spec.namespace, spec.name)
    for found in there:
        pod = background.described(engine, found)
        if pod is not None:
            read_journal(pod)
            return pod.plan()
    identity = PodIdentity(PodKey(spec.namespace, spec.name, "<uid>"), current_owner(), leased=True)
    return PodSync(engine, Desired(spec, identity)).plan()


def read_journal(pod: PodSync) -> None:
    """Take what happened to a pod of another process from its pause's log."""
    pause = observe.newest_pause(pod.engine, pod.desired.identity.key.uid)
    if pause is not None:
        with contextlib.suppress(NotFoundError):  # it went meanwhile
            pod.channel.adopt(observe.read_history(pod.engine, pause.id))
