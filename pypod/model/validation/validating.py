"""Whether a spec can be a pod: every problem at once, under the field's path as Kubernetes spells it.

The rules are Kubernetes' (apimachinery pkg/util/validation, pkg/apis/core/validation), and what an engine would refuse
later. What a Python caller can put anywhere (a number as a name) is a problem here, not a traceback somewhere else.
"""

from __future__ import annotations

from pypod.errors import Problem, SpecError, spec_error
from pypod.model.document.annotations import NETWORK, PREFIX, RESTART_BACKOFF
from pypod.model.document.pods import pod_fields, standings_of
from pypod.model.image_names import INVALID, RULE, is_image_name
from pypod.model.schema.checking import LARGEST_SIZE, Check
from pypod.model.schema.levels import objection, warning
from pypod.model.schema.paths import within
from pypod.model.schema.structs import check_fields, path_of
from pypod.model.spec.files import without_files
from pypod.model.spec.handlers import GRPCAction, Probe
from pypod.model.spec.pod import BackoffProfile, PodSpec, RestartPolicy
from pypod.model.validation.containers import check_containers
from pypod.model.validation.handlers import probes_of
from pypod.model.validation.metadata import check_annotations, check_labels
from pypod.model.validation.network import check_network
from pypod.model.validation.resources import check_pod_resources
from pypod.model.validation.security import check_pod_security
from pypod.model.validation.volumes import check_propagation, check_volumes
from pypod.model.wording import show

_NO_IMAGE = f"{{}} is no name that an image can have, so the container will not be made ({INVALID}): {RULE}"


def validate(spec: PodSpec) -> None:
    """Refuses a spec that cannot be a pod.

    Raises:
        SpecError: with every problem; of the problems' own class where they all share one (`InvalidNameError`,
            `InvalidPortError`, `PortConflictError`, `UnknownVolumeError`).
    """
    if found := problems(spec):
        raise spec_error(f"pod {_quoted(spec.name or spec.generate_name)}", found)


def problems(spec: PodSpec) -> list[Problem]:
    """What is wrong with a spec, in its order; not more than anybody reads."""
    check = Check()
    grace = _pod(check, spec)
    volumes = check_volumes(check, spec)
    check_containers(check, spec, volumes, grace)
    check_pod_resources(check, spec)
    if not check.full:
        _types(check, spec)
        _levels(check, spec)
    if not check.problems:
        check_propagation(check, spec)
    return check.problems


def warnings(spec: PodSpec) -> list[Problem]:
    """What of a spec has no effect, and why; and its `image_doubts`."""
    standing = [
        Problem(path, said, SpecError)
        for path, level, reason in standings_of(spec)
        if (said := warning(level, reason))
    ]
    return standing + image_doubts(spec)


def image_doubts(spec: PodSpec) -> list[Problem]:
    """The images of a valid spec that no engine can have. A cluster takes such a pod, and its kubelet never starts the container."""
    return [
        Problem(
            f"{path_of('spec', PodSpec, kind)}[{index}].image",
            _NO_IMAGE.format(show(container.image)),
            SpecError,
        )
        for kind, containers in (("init_containers", spec.init_containers), ("containers", spec.containers))
        for index, container in enumerate(containers)
        if not is_image_name(container.image)
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
    _names(check, spec)
    check.name("metadata.namespace", spec.namespace)
    check_labels(check, "metadata.labels", spec.labels)
    check_annotations(check, spec.annotations, reserved=PREFIX)
    check_labels(check, "spec.nodeSelector", spec.node_selector)
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


def _names(check: Check, spec: PodSpec) -> None:
    """A name, or what one is made of: that is its beginning, and may end in ``-``."""
    base = spec.generate_name
    if base == "":
        check.name("metadata.name", spec.name, subdomain=True)
        return
    if spec.name != "":
        check.name("metadata.name", spec.name, subdomain=True)
    path = "metadata.generateName"
    text = check.text(path, base)
    if text is None:
        return
    # As there: a dash at the end stands for what follows it (apimachinery pkg/api/validation, maskTrailingDash).
    whole = f"{text[:-1]}a" if text[1:].endswith("-") else text
    trial = Check()
    trial.name(path, whole, subdomain=True)
    for problem in trial.problems:
        check.add(path, problem.message.replace(show(whole), show(text), 1), problem.error)


def _types(check: Check, spec: PodSpec) -> None:
    """What is of another type than its field's, where nothing has been said of it yet: a spec that Python made may hold anything."""
    others = Check()
    for place, path in (("metadata", "metadata"), ("", "spec")):
        check_fields(others, path, without_files(spec), pod_fields(place))
    said = [problem.path for problem in check.problems]
    for problem in others.problems:
        if not any(within(problem.path, path) or within(path, problem.path) for path in said):
            check.add(problem.path, problem.message, problem.error)
