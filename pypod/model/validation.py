"""Whether a spec can be a pod: every problem at once, under the field's path as Kubernetes spells it.

The rules are Kubernetes' (apimachinery pkg/util/validation, pkg/apis/core/validation), and what an engine would refuse
later. What a Python caller can put anywhere (a number as a name) is a problem here, not a traceback somewhere else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pypod.errors import Problem, SpecError, spec_error
from pypod.model.annotations import NETWORK, RESTART_BACKOFF
from pypod.model.document import standings_of
from pypod.model.handlers import GRPCAction, Probe
from pypod.model.levels import objection, warning
from pypod.model.spec import BackoffProfile, PodSpec, RestartPolicy
from pypod.model.validation_check import LARGEST_SIZE, SUBDOMAIN, SUBDOMAIN_RULE, Check
from pypod.model.validation_containers import check_containers
from pypod.model.validation_handlers import probes_of
from pypod.model.validation_volumes import check_volumes
from pypod.model.wording import show

_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
QUALIFIED_RULE = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
    " (e.g. 'MyName', or 'my.name')"
)


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
    _levels(check, spec)
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
    _labels(check, spec.labels)
    if spec.network != "":
        check.name(f"metadata.annotations[{NETWORK}]", spec.network)
    backoff = f"metadata.annotations[{RESTART_BACKOFF}]"
    check.is_a(backoff, spec.restart_backoff, BackoffProfile, "a BackoffProfile")
    if spec.hostname != "":
        check.name("spec.hostname", spec.hostname)
    check.is_a("spec.restartPolicy", spec.restart_policy, RestartPolicy, "a RestartPolicy")
    check.is_a("spec.shareProcessNamespace", spec.share_process_namespace, bool, "true or false")
    if spec.active_deadline_seconds is not None:
        deadline = "spec.activeDeadlineSeconds"
        check.seconds(deadline, spec.active_deadline_seconds, above_zero=True)
    grace = "spec.terminationGracePeriodSeconds"
    return check.seconds(grace, spec.termination_grace_period_seconds, most=LARGEST_SIZE)


def _labels(check: Check, labels: object) -> None:
    if not isinstance(labels, Mapping):
        check.add("metadata.labels", f"a mapping is expected, not {show(labels)}")
        return
    for key, value in labels.items():
        path = f"metadata.labels[{str(key)[:320]}]"
        if (name := check.text(path, key)) is not None:
            _label_key(check, path, name)
        text = check.text(path, value)
        if text and (len(text) > 63 or not _QUALIFIED.fullmatch(text)):
            rule = f"a label's value may be empty, else it is no more than 63 characters and {QUALIFIED_RULE}"
            check.add(path, f"the value {show(text)} is not valid: {rule}")


def _label_key(check: Check, path: str, key: str) -> None:
    prefix, slash, name = key.rpartition("/")
    if slash and (len(prefix) > 253 or not SUBDOMAIN.fullmatch(prefix)):
        rule = f"before '/' no more than 253 characters; {SUBDOMAIN_RULE}"
        check.add(path, f"the label key {show(key)} is not valid: {rule}")
    elif len(name) > 63 or not _QUALIFIED.fullmatch(name):
        rule = f"its name is no more than 63 characters and {QUALIFIED_RULE}"
        check.add(path, f"the label key {show(key)} is not valid: {rule}")
