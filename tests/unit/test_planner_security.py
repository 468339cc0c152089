"""What is planned for pods with security contexts, on the host's network, and with a hosts file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pypod.model import image_names, naming
from pypod.model.life.journal import ContainerFailed
from pypod.model.spec.pod import (
    Container,
    HostAlias,
    PodSecurityContext,
    PodSpec,
    SupplementalGroupsPolicy,
    Volume,
)
from pypod.model.wiring.state import ContainerInfo, ImageInfo, VolumeInfo
from tests.unit.pods import HERE, KEY, NOW, Case, member, pause, seen, told
from tests.unit.pods import started as was_started


def with_(**more: Any) -> Callable[[PodSpec], PodSpec]:
    return lambda spec: replace(spec, **more)


def on_host(attempt: int = 0) -> ContainerInfo:
    return pause(attempt, addresses={}, host_network=True)


NON_ROOT = with_(security_context=PodSecurityContext(run_as_non_root=True))
ALIASES = with_(host_aliases=(HostAlias("1.2.3.4", ("a",)),))
WORDS = (
    "container has runAsNonRoot and image will run as root "
    '(pod: "shop_default(0123456789abcdef)", container: web)'
)
STRICT = with_(
    security_context=PodSecurityContext(
        run_as_user=33, supplemental_groups_policy=SupplementalGroupsPolicy.STRICT
    )
)
NO_GROUP = (
    "supplementalGroupsPolicy is Strict, and an engine adds the groups of the image's /etc/group where a user has no"
    " group given: runAsGroup is needed (container: web, user: 33)"
)
NO_NAME = "<your-image>"
INVALID = image_names.refusal(NO_NAME)
USERS = {**HERE, "busybox:1": ImageInfo("sha256:busybox:1", ("busybox:1",), user="33")}
MESSAGES = (VolumeInfo(naming.volume_name(KEY, naming.MESSAGES), {}, NOW, "/var/m"),)

OWN = (Volume.host_path("v", "/srv/hosts"),)

CASES = {
    "A container whose image is root's is not made where it must not be; the one beside it is.": Case(
        seen(pause(), images=USERS),
        "#1 note container web waits (CreateContainerConfigError); event Failed: "
        f"container web cannot be made: {WORDS}\n"
        "#2 create container log_0: not there yet\n"
        "#3 start container log_0 (after #2): not there yet",
        due=NOW + 10,
        waiting=f"container web: CreateContainerConfigError: {WORDS}",
        spec=NON_ROOT,
    ),
    "That is told once for a while.": Case(
        seen(pause(), member("log"), images=USERS),
        f"nothing to do: container web: CreateContainerConfigError: {WORDS}",
        due=NOW + 10,
        waiting=f"container web: CreateContainerConfigError: {WORDS}",
        spec=NON_ROOT,
        history=told(
            was_started("log"),
            ContainerFailed(NOW - 7, "web", "CreateContainerConfigError", WORDS, untried=True),
        ),
    ),
    "No group of the image's is added: it is not made where an engine would add them.": Case(
        seen(pause(), member("log")),
        "#1 note container web waits (CreateContainerConfigError); event Failed: "
        f"container web cannot be made: {NO_GROUP}",
        due=NOW + 10,
        waiting=f"container web: CreateContainerConfigError: {NO_GROUP}",
        spec=STRICT,
        history=told(was_started("log")),
    ),
    "A name that no image can have holds up its container alone, and no engine is asked.": Case(
        seen(pause(), member("log"), images={NO_NAME: None, **HERE}),
        f"#1 note container web waits (InvalidImageName); event Failed: container web cannot be made: {INVALID}",
        due=NOW + 10,
        waiting=f"container web: InvalidImageName: {INVALID}",
        spec=lambda spec: replace(spec, containers=(Container("web", NO_NAME), spec.containers[1])),
        history=told(was_started("log")),
    ),
    "A pod that a kubelet rejects gets nothing.": Case(
        seen(),
        'nothing to do: SysctlForbidden: forbidden sysctl: "net.core.somaxconn" not allowlisted',
        waiting='SysctlForbidden: forbidden sysctl: "net.core.somaxconn" not allowlisted',
        spec=with_(security_context=PodSecurityContext(sysctls=(("net.core.somaxconn", "1"),))),
    ),
    "Nor one whose runtime the engine has not got.": Case(
        seen(node_runtimes=("crun", "runc")),
        'nothing to do: RuntimeClassNotFound: pod rejected: RuntimeClass "gvisor" not found: '
        "the engine has the runtimes crun, runc",
        waiting='RuntimeClassNotFound: pod rejected: RuntimeClass "gvisor" not found: '
        "the engine has the runtimes crun, runc",
        spec=with_(runtime_class_name="gvisor"),
    ),
    "An engine that does not tell its runtimes is asked.": Case(
        seen(member("web"), member("log"), pause()),
        "nothing to do",
        spec=with_(runtime_class_name="gvisor"),
        history=told(was_started("web"), was_started("log")),
    ),
    "A sandbox on the host's network serves, without an address of its own.": Case(
        seen(on_host(), member("web")),
        "#1 create container log_0: not there yet\n#2 start container log_0 (after #1): not there yet",
        spec=with_(host_network=True),
        history=told(was_started("web")),
    ),
    "The network that its address is of is made again beside it.": Case(
        seen(on_host(), member("web"), member("log"), network=None, taken_subnets=()),
        "#1 create network pypod 10.214.0.0/20: the engine has not got the pod network",
        spec=with_(host_network=True),
        history=told(was_started("web"), was_started("log")),
    ),
    "A hosts file waits for the pod's address.": Case(
        seen(volumes=MESSAGES),
        "#1 create container pause_0: no sandbox\n"
        "#2 attach channel pause_0 (after #1): lease and journal\n"
        "#3 start container pause_0 (after #2): no sandbox",
        waiting="container web: the pod has no address yet; container log: the pod has no address yet",
        spec=ALIASES,
    ),
    "One file is for all that are made together.": Case(
        seen(pause(), volumes=MESSAGES),
        "#1 put _hosts_0 into container pause_0: its hosts file\n"
        "#2 create container web_0 (after #1): not there yet\n"
        "#3 start container web_0 (after #2): not there yet\n"
        "#4 create container log_0 (after #1): not there yet\n"
        "#5 start container log_0 (after #4): not there yet",
        spec=ALIASES,
    ),
    "A container that mounts a hosts file of its own gets none.": Case(
        seen(pause(), volumes=MESSAGES),
        "#1 create container web_0: not there yet\n#2 start container web_0 (after #1): not there yet",
        spec=lambda spec: replace(
            ALIASES(spec), containers=(Container("web", "nginx:1", mounts={"v": "/etc/hosts"}),), volumes=OWN
        ),
    ),
}


@pytest.mark.parametrize("sentence", CASES)
def test_what_is_planned(sentence: str) -> None:
    CASES[sentence].check()
