"""Security contexts: what of the pod's and the container's holds, and what the engine is asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pypod.engine.docker_requests import container_config
from pypod.model.rules.confinement import non_root_violation, strict_violation, user
from pypod.model.spec.pod import (
    AppArmorProfile,
    Capabilities,
    Container,
    PodSecurityContext,
    PodSpec,
    ProcMount,
    ProfileType,
    SeccompProfile,
    SecurityContext,
    SELinuxOptions,
    SupplementalGroupsPolicy,
)
from pypod.model.validation.validating import problems
from pypod.model.wiring import requests
from tests.unit.pods import IDENTITY, KEY

PROFILES = {"fine.json": '{"defaultAction": "SCMP_ACT_ALLOW"}'}
LOCALHOST, UNCONFINED, DEFAULT = ProfileType.LOCALHOST, ProfileType.UNCONFINED, ProfileType.RUNTIME_DEFAULT


def made(
    own: SecurityContext | None = None, pod: PodSecurityContext | None = None, **more: Any
) -> dict[str, Any]:
    """The body of a member's create."""
    container = Container("web", "app:1", security_context=own, **more)
    spec = PodSpec("shop", (container,), security_context=pod or PodSecurityContext())
    sandbox = requests.Sandbox("p1", profiles=PROFILES)
    request = requests.member_request(spec, container, IDENTITY, attempt=0, image="sha256:1", sandbox=sandbox)
    config: dict[str, Any] = container_config(request)
    return config


def host_config(own: SecurityContext | None = None, pod: PodSecurityContext | None = None) -> dict[str, Any]:
    """What of it is about what the container may do."""
    about = [
        "CapAdd",
        "CapDrop",
        "GroupAdd",
        "Privileged",
        "SecurityOpt",
        "MaskedPaths",
        "ReadonlyPaths",
        "ReadonlyRootfs",
        "Sysctls",
    ]
    found: dict[str, Any] = made(own, pod)["HostConfig"]
    return {key: value for key, value in found.items() if key in about}


def test_nothing_is_asked_for_where_nothing_is_said() -> None:
    assert host_config() == {}
    assert "User" not in made()
    quiet = SecurityContext(
        privileged=False, allow_privilege_escalation=True, read_only_root_filesystem=False
    )
    assert host_config(quiet) == {}


OWN = [
    (SecurityContext(privileged=True), {"Privileged": True}),
    (SecurityContext(allow_privilege_escalation=False), {"SecurityOpt": ["no-new-privileges"]}),
    (SecurityContext(read_only_root_filesystem=True), {"ReadonlyRootfs": True}),
    (
        SecurityContext(capabilities=Capabilities(add=("NET_ADMIN",), drop=("ALL",))),
        {"CapAdd": ["NET_ADMIN"], "CapDrop": ["ALL"]},
    ),
    (SecurityContext(seccomp_profile=SeccompProfile(DEFAULT)), {}),
    (
        SecurityContext(seccomp_profile=SeccompProfile(UNCONFINED)),
        {"SecurityOpt": ["seccomp=unconfined"]},
    ),
    (
        SecurityContext(seccomp_profile=SeccompProfile(LOCALHOST, "fine.json")),
        {"SecurityOpt": ['seccomp={"defaultAction": "SCMP_ACT_ALLOW"}']},
    ),
    (SecurityContext(app_armor_profile=AppArmorProfile(DEFAULT)), {}),
    (
        SecurityContext(app_armor_profile=AppArmorProfile(UNCONFINED)),
        {"SecurityOpt": ["apparmor=unconfined"]},
    ),
    (
        SecurityContext(app_armor_profile=AppArmorProfile(LOCALHOST, "k8s-deny")),
        {"SecurityOpt": ["apparmor=k8s-deny"]},
    ),
    (
        SecurityContext(se_linux_options=SELinuxOptions(level="s0:c1,c2", type="spc_t")),
        {"SecurityOpt": ["label=type:spc_t", "label=level:s0:c1,c2"]},
    ),
    # Empty lists, not null: null is the engine's own lists.
    (SecurityContext(proc_mount=ProcMount.UNMASKED), {"MaskedPaths": [], "ReadonlyPaths": []}),
    (SecurityContext(proc_mount=ProcMount.DEFAULT), {}),
]


@pytest.mark.parametrize(("own", "asked"), OWN, ids=range(len(OWN)))
def test_a_containers_context(own: SecurityContext, asked: dict[str, Any]) -> None:
    assert host_config(own) == asked


def test_a_pods_context_holds_where_the_container_says_nothing() -> None:
    pod = PodSecurityContext(
        run_as_user=1000,
        run_as_group=2000,
        supplemental_groups=(4000, 5000, 4000),
        fs_group=5000,
        seccomp_profile=SeccompProfile(UNCONFINED),
        app_armor_profile=AppArmorProfile(UNCONFINED),
        se_linux_options=SELinuxOptions(user="u", role="r"),
    )
    assert host_config(None, pod) == {
        "GroupAdd": ["4000", "5000"],
        "SecurityOpt": ["seccomp=unconfined", "apparmor=unconfined", "label=user:u", "label=role:r"],
    }
    own = SecurityContext(
        run_as_user=7,
        seccomp_profile=SeccompProfile(DEFAULT),
        app_armor_profile=AppArmorProfile(DEFAULT),
        se_linux_options=SELinuxOptions(level="s1"),
    )
    assert host_config(own, pod) == {"GroupAdd": ["4000", "5000"], "SecurityOpt": ["label=level:s1"]}
    assert made(own, pod)["User"] == "7:2000"


def test_terminal_and_input() -> None:
    body = made(None, None, tty=True, stdin=True, stdin_once=True)
    assert (body["Tty"], body["OpenStdin"], body["StdinOnce"]) == (True, True, True)
    assert (made()["Tty"], made()["OpenStdin"], made()["StdinOnce"]) == (False, False, False)


USERS = [
    # pod's user and group, own user and group, Container.user, image's user, what is asked for
    ((None, None), (None, None), "", "app", ""),
    ((1000, None), (None, None), "", "app", "1000"),
    ((1000, 2000), (None, None), "", "app", "1000:2000"),
    ((1000, 2000), (7, None), "", "app", "7:2000"),
    ((1000, 2000), (None, 8), "", "app", "1000:8"),
    ((1000, 2000), (0, 0), "", "app", "0:0"),
    ((None, 2000), (None, None), "", "", "0:2000"),
    ((None, 2000), (None, None), "", "app:app", "app:2000"),
    ((None, None), (None, 8), "", "33", "33:8"),
    ((1000, None), (None, None), "postgres", "app", "postgres"),
    ((1000, 2000), (None, None), "postgres", "app", "postgres:2000"),
    ((1000, 2000), (None, None), "5:6", "app", "5:6"),
    ((None, None), (None, 9), "5", "app", "5:9"),
]


def pod_of(pod: tuple[int | None, int | None], own: tuple[int | None, int | None], who: str) -> PodSpec:
    container = Container("web", "app:1", user=who, security_context=SecurityContext(*own))
    return PodSpec("shop", (container,), security_context=PodSecurityContext(*pod))


@pytest.mark.parametrize(("pod", "own", "given", "image", "asked"), USERS, ids=range(len(USERS)))
def test_user_and_group(
    pod: tuple[int | None, int | None], own: tuple[int | None, int | None], given: str, image: str, asked: str
) -> None:
    spec = pod_of(pod, own, given)
    assert user(spec, spec.containers[0], image) == asked


WHERE = '(pod: "shop_default(0123456789abcdef)", container: web)'
UNCLEAR = "cannot verify user is non-root"
NON_ROOT = [
    # pod's user, own user, Container.user, image's user, why not
    (None, None, "", "", "container has runAsNonRoot and image will run as root"),
    (None, None, "", "0:5", "container has runAsNonRoot and image will run as root"),
    (None, None, "", "00", "container has runAsNonRoot and image will run as root"),
    (None, None, "", "33:0", ""),
    (None, None, "", "app:5", f"container has runAsNonRoot and image has non-numeric user (app), {UNCLEAR}"),
    (0, None, "", "33", "container's runAsUser breaks non-root policy"),
    (5, 0, "", "33", "container's runAsUser breaks non-root policy"),
    (0, 5, "", "", ""),
    (0, None, "5:0", "", ""),
    (5, None, "0", "33", "container's runAsUser breaks non-root policy"),
    (5, None, "app", "33", f"container has runAsNonRoot and a non-numeric user (app), {UNCLEAR}"),
]


@pytest.mark.parametrize(("pod", "own", "given", "image", "why"), NON_ROOT, ids=range(len(NON_ROOT)))
def test_root_is_refused_where_it_must_not_be(
    pod: int | None, own: int | None, given: str, image: str, why: str
) -> None:
    """In a kubelet's words; the container's word counts before the pod's."""
    spec = pod_of((pod, None), (own, None), given)
    for pod_says, own_says, asks in ((True, None, True), (None, True, True), (True, False, False)):
        context = replace(spec.security_context, run_as_non_root=pod_says)
        container = replace_context(spec.containers[0], run_as_non_root=own_says)
        found = non_root_violation(replace(spec, security_context=context), container, KEY, image)
        assert found == (f"{why} {WHERE}" if why and asks else "")
    assert not non_root_violation(spec, spec.containers[0], KEY, image)


def replace_context(container: Container, **changes: Any) -> Container:
    return Container(
        container.name,
        container.image,
        user=container.user,
        security_context=replace(container.security_context, **changes),
    )


def said(**more: Any) -> list[tuple[str, str]]:
    """What is wrong with a container like this, by its own paths."""
    container = Container("web", "app:1", **more)
    found = problems(PodSpec("shop", (container,)))
    return [(each.path.removeprefix("spec.containers[0]."), each.message) for each in found]


def test_a_user_is_said_once() -> None:
    twice = "may not be given beside securityContext.runAsUser, which says the same"
    assert said(user="app", security_context=SecurityContext(run_as_user=5)) == [("user", twice)]
    group = "may not have a group beside securityContext.runAsGroup, which says the same"
    assert said(user="5:6", security_context=SecurityContext(run_as_group=7)) == [("user", group)]
    assert said(user="5", security_context=SecurityContext(run_as_group=7)) == []
    pods = PodSecurityContext(run_as_user=1, run_as_group=2)
    assert not problems(PodSpec("shop", (Container("web", "app:1", user="5:6"),), security_context=pods))


def test_a_runtime_class_has_a_name() -> None:
    (problem,) = problems(PodSpec("shop", (Container("web", "app:1"),), runtime_class_name="Run C"))
    assert problem.path == "spec.runtimeClassName"


def test_the_hosts_processes_are_not_shared_beside() -> None:
    spec = PodSpec("shop", (Container("web", "app:1"),), host_pid=True)
    (problem,) = problems(spec)
    assert problem.path == "spec.shareProcessNamespace"
    assert problem.message.startswith("ShareProcessNamespace and HostPID cannot both be enabled")
    assert "share_process_namespace=False" in problem.message
    assert not problems(replace(spec, share_process_namespace=False))


STRICT = PodSecurityContext(supplemental_groups_policy=SupplementalGroupsPolicy.STRICT)


@pytest.mark.parametrize(
    ("context", "given", "image_user", "holds"),
    [
        (replace(STRICT, run_as_user=1000, run_as_group=3000), "", "", True),
        (replace(STRICT, run_as_group=3000), "", "app", True),
        (STRICT, "1000:1000", "", True),
        (STRICT, "", "1000:1000", True),
        (STRICT, "", "app:staff", True),
        (replace(STRICT, run_as_user=1000), "", "1000:1000", False),
        (STRICT, "app", "1000:1000", False),
        (STRICT, "", "app", False),
        (STRICT, "", "", False),
        (PodSecurityContext(run_as_user=1000), "", "", True),
    ],
)
def test_no_group_of_the_image_is_added_where_one_is_given(
    context: PodSecurityContext, given: str, image_user: str, *, holds: bool
) -> None:
    container = Container("web", "app:1", user=given)
    spec = PodSpec("shop", (container,), security_context=context)
    words = strict_violation(spec, container, image_user)
    assert (words == "") is holds
    assert holds or ("runAsGroup is needed (container: web" in words)
