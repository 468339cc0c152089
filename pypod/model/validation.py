"""Whether a spec can be a pod: every problem at once, under the field's path as Kubernetes spells it.

The rules are Kubernetes' (apimachinery pkg/util/validation, pkg/apis/core/validation), and what an engine would refuse
later. What a Python caller can put anywhere (a number as a name) is a problem here, not a traceback somewhere else.
"""

from __future__ import annotations

from collections.abc import Mapping

from pypod.errors import Problem, SpecError, spec_error
from pypod.model.annotations import NETWORK, PREFIX, RESTART_BACKOFF
from pypod.model.compounds import TEXT_MAP
from pypod.model.document import pod_fields, standings_of
from pypod.model.handlers import GRPCAction, Probe
from pypod.model.levels import NOT_YET, objection, warning
from pypod.model.positions import within
from pypod.model.spec import BackoffProfile, PodSpec, RestartPolicy
from pypod.model.spec_files import without_files
from pypod.model.structs import check_fields, path_of
from pypod.model.validation_check import LARGEST_SIZE, QUALIFIED, QUALIFIED_RULE, Check, check_qualified
from pypod.model.validation_containers import check_containers
from pypod.model.validation_handlers import probes_of
from pypod.model.validation_network import check_network
from pypod.model.validation_security import check_pod_security
from pypod.model.validation_volumes import check_propagation, check_volumes
from pypod.model.wording import show

MOST_ANNOTATIONS = 256 * 1024
"""Bytes, of a pod's annotations (apimachinery pkg/api/validation TotalAnnotationSizeLimitB)."""


def validate(spec: PodSpec) -> None:
    """Refuses a spec that cannot be a pod.

    Raises:
        SpecError: with every problem; of the problems' own class where they all share one (`InvalidNameError`,
            `InvalidPortError`, `PortConflictError`, `UnknownVolumeError`).
    """
    if found := problems(spec):
        raise spec_error(f"pod {_quoted(spec.name)}", found)


def problems(spec: PodSpec) -> list[Problem]:
    """What is wrong with a spec, in its order; not more than anybody reads."""
    check = Check()
    grace = _pod(check, spec)
    volumes = check_volumes(check, spec)
    check_containers(check, spec, volumes, grace)
    if not check.full:
        _types(check, spec)
        _levels(check, spec)
    if not any(problem.message != NOT_YET for problem in check.problems):
        check_propagation(check, spec)
    return check.problems


def warnings(spec: PodSpec) -> list[Problem]:
    """What of a spec has no effect, and why."""
    return [
        Problem(path, said, SpecError)
        for path, level, reason in standings_of(spec)
        if (said := warning(level, reason))
    ]


def _levels(check: Check, spec: PodSpec) -> None:
    """What is not carried out is refused here too: not every spec comes from a document, whose reader refuses it."""
    for path, level, reason in standings_of(spec):
        if said := objection(level, reason):
            check.add(path, said)


def needs_grpc(spec: PodSpec) -> list[str]:
    """The fields of the gRPC probes of a valid spec: for those the extra ``pypod[grpc]`` must be installed."""
    return [
        f"spec.{kind}[{index}].{name}.grpc"
        for kind, containers in (("initContainers", spec.init_containers), ("containers", spec.containers))
        for index, container in enumerate(containers)
        for name, probe in probes_of(container)
        if isinstance(probe, Probe) and isinstance(probe.handler, GRPCAction)
    ]


def _quoted(name: object) -> str:
    return f"'{name[:253]}'" if isinstance(name, str) else repr(name)[:80]


def _pod(check: Check, spec: PodSpec) -> float | None:
    """Checks what the pod has of its own, and answers with its grace period where that is right."""
    check.name("metadata.name", spec.name, subdomain=True)
    check.name("metadata.namespace", spec.namespace)
    _labels(check, "metadata.labels", spec.labels)
    _annotations(check, spec.annotations)
    _labels(check, "spec.nodeSelector", spec.node_selector)
    if spec.network != "":
        check.name(f"metadata.annotations[{NETWORK}]", spec.network)
    backoff = f"metadata.annotations[{RESTART_BACKOFF}]"
    check.is_a(backoff, spec.restart_backoff, BackoffProfile, "a BackoffProfile")
    if spec.hostname != "":
        check.name("spec.hostname", spec.hostname)
    check.is_a("spec.restartPolicy", spec.restart_policy, RestartPolicy, "a RestartPolicy")
    check.is_a("spec.shareProcessNamespace", spec.share_process_namespace, bool, "true or false")
    check_network(check, spec)
    security = path_of("spec", PodSpec, "security_context")
    shared = {"host_network": spec.host_network is True, "host_ipc": spec.host_ipc is True}
    check_pod_security(check, security, spec.security_context, **shared)
    secrets: object = spec.image_pull_secrets
    for index, name in enumerate(secrets if isinstance(secrets, tuple) else ()):
        check.name(f"spec.imagePullSecrets[{index}].name", name, subdomain=True)
    if spec.active_deadline_seconds is not None:
        deadline = "spec.activeDeadlineSeconds"
        check.seconds(deadline, spec.active_deadline_seconds, above_zero=True)
    grace = "spec.terminationGracePeriodSeconds"
    return check.seconds(grace, spec.termination_grace_period_seconds, most=LARGEST_SIZE)


def _labels(check: Check, path: str, labels: object) -> None:
    if not isinstance(labels, Mapping):
        check.add(path, f"a mapping is expected, not {show(labels)}")
        return
    for key, value in labels.items():
        where = f"{path}[{str(key)[:320]}]"
        if (name := check.text(where, key)) is not None:
            check_qualified(check, where, name, "label key")
        text = check.text(where, value)
        if text and (len(text) > 63 or not QUALIFIED.fullmatch(text)):
            rule = f"a label's value may be empty, else it is no more than 63 characters and {QUALIFIED_RULE}"
            check.add(where, f"the value {show(text)} is not valid: {rule}")


def _annotations(check: Check, annotations: object) -> None:
    path = "metadata.annotations"
    if not check.fits(path, TEXT_MAP, annotations):
        return
    assert isinstance(annotations, Mapping)
    for key in annotations:
        where = f"{path}[{key[:320]}]"
        if key.startswith(PREFIX):
            check.add(where, f"is made by pypod itself: annotations {PREFIX}* are its own")
        else:
            check_qualified(check, where, key.lower(), "annotation key")
    size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    if size > MOST_ANNOTATIONS:
        check.add(path, f"may not be more than {MOST_ANNOTATIONS} bytes in all, not {size}")


def _types(check: Check, spec: PodSpec) -> None:
    """What is of another type than its field's, where nothing has been said of it yet: a spec that Python made may hold anything."""
    others = Check()
    for place, path in (("metadata", "metadata"), ("", "spec")):
        check_fields(others, path, without_files(spec), pod_fields(place))
    said = [problem.path for problem in check.problems]
    for problem in others.problems:
        if not any(within(problem.path, path) or within(path, problem.path) for path in said):
            check.add(problem.path, problem.message, problem.error)
