"""Whether a pod that was started some time ago is what a start would give now."""

from __future__ import annotations

from collections.abc import Mapping

from pypod.model.life.status import PodStatus
from pypod.model.spec.pod import PodSpec
from pypod.model.wiring.state import ImageInfo, PodObservation


def why_replaced(
    spec: PodSpec, seen: PodObservation, status: PodStatus, images: Mapping[str, ImageInfo | None]
) -> str:
    """What keeps a pod from being used again, in words; empty: nothing does.

    That its spec is the same is not asked here. It must be as it was when it was started: Ready, nothing of it restarted, and
    made of the images that its names mean by now on the engine. No registry is asked.

    Args:
        spec: what it is.
        seen, status: how it is.
        images: what the engine has under each name; None: nothing.
    """
    if seen.pause is None or seen.deletion_deadline is not None:
        return "it is being removed"
    if seen.pause.attempt:
        return "its sandbox ended, and it has another one"
    for each in (*status.init_container_statuses, *status.container_statuses):
        if each.restart_count:
            return f"container '{each.name}' was restarted"
    ready = status.conditions.get("Ready")
    if ready is None or not ready.status:
        return "it is not Ready"
    for container in spec.all_containers:
        made = seen.newest(container.name)
        now = images.get(container.image)
        if now is None:
            return f"the engine has no image '{container.image}' any more"
        if made is not None and made.image_id != now.id:
            return f"container '{container.name}' was made of what '{container.image}' was then"
    return ""


def images_of(spec: PodSpec) -> tuple[str, ...]:
    """The names whose images count, each once."""
    return tuple(sorted({container.image for container in spec.all_containers}))
