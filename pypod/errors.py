"""Every error that pypod raises.

::

    PypodError
    ├── SpecError                 what was asked for is wrong; the engine was not touched
    │   ├── InvalidNameError
    │   ├── InvalidPortError
    │   ├── PortConflictError
    │   ├── UnknownVolumeError
    │   └── ManifestError         as SpecError, of a manifest: file, line and field path
    ├── EngineError               the engine refused, or failed
    │   ├── EngineUnavailableError    (also ConnectionError) nobody answers
    │   ├── NotFoundError
    │   ├── ConflictError
    │   │   └── SubnetInUseError
    │   └── ImagePullError
    ├── PodError                  one pod is the subject
    │   ├── PodExistsError
    │   ├── PodNotFoundError
    │   ├── PodNotRunningError
    │   ├── PodStartError         a container failed while the pod started
    │   │   ├── ImageError            its image cannot be had
    │   │   └── CommandError          its command cannot be run (exit 126 or 127)
    │   ├── PodTimeoutError       (also TimeoutError) a condition did not come in time
    │   ├── CopyError             a file cannot be copied into, or out of, a container
    │   ├── PortForwardError      a port of this machine cannot lead to one of a pod
    │   ├── ExecError             a command ended with another exit code than 0, and ``check`` was asked for
    │   └── ExecTimeoutError      (also TimeoutError)
    ├── ObjectError               one ConfigMap, Secret or claim is the subject
    │   ├── ObjectNotFoundError
    │   └── ObjectInUseError      a claim that pods have mounted
    ├── PoolError                 a pool is closed, or another process'; or what is given back is not its own
    └── TeardownError             something is still on the engine

`ManifestWarning` is none of them: it is warned of, not raised.

A message starts with "cannot"; it names the pod, the container and, for what a user wrote, the field, the value and
what would be accepted. The class is for code that can act; the text is for the person who reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pypod.model.life.plan import Plan
    from pypod.model.results import ExecResult


class PypodError(Exception):
    """The base of every error that pypod raises on purpose."""


# --- what the user wrote ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a pod's description.

    Attributes:
        path: the field, as Kubernetes spells it: ``spec.containers[0].ports[1].containerPort``.
        message: the value that was rejected and what would be accepted.
        error: the class that is raised when every problem of a description has it.
        line: where a manifest says so, counted from 1; 0 where there is no manifest.
        column: in that line, in characters counted from 1; 0 where it is not known.
    """

    path: str
    message: str
    error: type[SpecError]
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self._where('line ')}{self.path}: {self.message}"

    def of(self, file: str) -> str:
        """The same with the file's name, as compilers have it: ``file:line:column: path: message``."""
        return f"{self._where(f'{file}:')}{self.path}: {self.message}"

    def _where(self, before: str) -> str:
        if not self.line:
            return ""
        return f"{before}{self.line}:{self.column}: " if self.column else f"{before}{self.line}: "


MOST_EXCERPTS = 3
"""Problems whose source line an error shows."""


class SpecError(PypodError, ValueError):
    """A pod's description is wrong. Nothing was created.

    Attributes:
        problems: everything that is wrong, in the order of the description.
    """

    def __init__(
        self, subject: str, problems: Sequence[Problem], excerpt: Callable[[Problem], str] | None = None
    ) -> None:
        """For `excerpt` see `pypod.model.text.documents.Document.excerpt`: a problem's source text, where it may be shown."""
        self.subject = subject
        self.problems = tuple(problems)
        super().__init__(f"cannot accept {self._told(excerpt or (lambda problem: ''))}")

    def _told(self, excerpt: Callable[[Problem], str]) -> str:
        entries = [problem.of(self.subject) for problem in self.problems]
        shown: set[tuple[int, int]] = set()
        for index, problem in enumerate(self.problems[:MOST_EXCERPTS]):
            place = (problem.line, problem.column)
            if place not in shown:
                entries[index] += "".join(f"\n      {line}" for line in excerpt(problem).splitlines())
                shown.add(place)
        if len(entries) > 1:
            return f"{self.subject}: " + "".join(f"\n  - {entry}" for entry in entries)
        has_file = any(problem.line for problem in self.problems)
        return "".join(entries) if has_file else f"{self.subject}: {''.join(entries)}"


class InvalidNameError(SpecError):
    """A name is not what Kubernetes and the engine accept as one."""


class InvalidPortError(SpecError):
    """A port is not between 1 and 65535."""


class PortConflictError(SpecError):
    """Two members declare the same port: a pod has one port space."""


class UnknownVolumeError(SpecError):
    """A container mounts a volume that the pod does not define."""


class ManifestError(SpecError):
    """A manifest cannot be read as a pod, or as an object that pods refer to."""


class ManifestWarning(UserWarning):
    """Something in a manifest is accepted, and has no effect or another one than its author may think."""


def spec_error(
    subject: str, problems: Sequence[Problem], excerpt: Callable[[Problem], str] | None = None
) -> SpecError:
    """The error for these problems: of their own class when they all share one, else a plain `SpecError`."""
    classes = {problem.error for problem in problems}
    return (classes.pop() if len(classes) == 1 else SpecError)(subject, problems, excerpt)


# --- the engine ------------------------------------------------------------------------------------------------------


class EngineError(PypodError):
    """The engine refused a call, or failed in it.

    Attributes:
        verb: what was asked, in words: ``start container``.
        target: of what: a name, an ID or a reference; may be empty.
        detail: the engine's own words.
        status: the HTTP status, 0 where there was none.
    """

    def __init__(self, verb: str, target: str, detail: str, *, status: int = 0) -> None:
        self.verb = verb
        self.target = target
        self.detail = detail
        self.status = status
        subject = f"{verb} '{target}'" if target else verb
        super().__init__(f"cannot {subject}: {detail}")

    def saying(self, detail: str) -> Self:
        """The same error in other words; without its cause, which has those of the engine."""
        return type(self)(self.verb, self.target, detail, status=self.status)


class EngineUnavailableError(EngineError, ConnectionError):
    """No engine answers at the address."""


class NotFoundError(EngineError):
    """The engine has no such container, network, volume or image."""


class ConflictError(EngineError):
    """A name is taken, or the thing is in use or in another state than the call needs."""


class SubnetInUseError(ConflictError):
    """Another network has the subnet, or a part of it."""


class ImagePullError(EngineError):
    """The engine has not got the image, and no registry gave it."""


# --- one pod ---------------------------------------------------------------------------------------------------------


class PodError(PypodError):
    """Something about one pod.

    Attributes:
        pod: ``namespace/name``.
        container: the container's name, empty where no single one is meant.
    """

    def __init__(self, message: str, *, pod: str, container: str = "") -> None:
        self.pod = pod
        self.container = container
        super().__init__(message)


class PodExistsError(PodError):
    """A pod of that name is there already, with another spec or another owner."""


class PodNotFoundError(PodError):
    """There is no such pod on the engine."""


class PodNotRunningError(PodError):
    """The pod, or the container that was asked for, is not running."""


class PodStartError(PodError):
    """A container failed while the pod started. The pod is removed again by then.

    Attributes:
        reason: Kubernetes' word: ``Error``, ``CrashLoopBackOff``, ``RunContainerError`` ...
        exit_code: of the container that failed; None where it never ran.
        log_tail: its last log lines, oldest first.
        plan: what was last done for the pod; None where nothing was.
    """

    def __init__(
        self,
        message: str,
        *,
        pod: str,
        container: str = "",
        reason: str = "",
        exit_code: int | None = None,
        log_tail: Sequence[str] = (),
        plan: Plan | None = None,
    ) -> None:
        self.reason = reason
        self.exit_code = exit_code
        self.log_tail = tuple(log_tail)
        self.plan = plan
        tail = "".join(f"\n  {container}| {line}" for line in self.log_tail)
        super().__init__(
            message + (f"\nits last log lines:{tail}" if tail else ""), pod=pod, container=container
        )


class ImageError(PodStartError):
    """A container's image is not on the engine and cannot be had from a registry."""


class CommandError(PodStartError):
    """A container's command does not exist in its image (127) or cannot be executed (126)."""


class PodTimeoutError(PodError, TimeoutError):
    """A pod did not come to a condition in time."""


class CopyError(PodError):
    """A file or directory cannot be copied into, or out of, a container: source or destination are not as they must be."""


class PortForwardError(PodError):
    """A port of this machine cannot lead to a port of a pod: there is no such port, or nobody can listen here."""


class ExecError(PodError):
    """A command in a container ended with another exit code than 0.

    Attributes:
        result: the exit code and what was written.
    """

    def __init__(self, message: str, *, pod: str, container: str, result: ExecResult) -> None:
        self.result = result
        super().__init__(message, pod=pod, container=container)


class ExecTimeoutError(PodError, TimeoutError):
    """A command in a container did not end in time. It may still be running: an engine cannot kill an exec.

    Attributes:
        stdout, stderr: what it had written until then.
    """

    def __init__(self, message: str, *, pod: str, container: str, stdout: bytes, stderr: bytes) -> None:
        self.stdout = stdout
        self.stderr = stderr
        super().__init__(message, pod=pod, container=container)


class ObjectError(PypodError):
    """Something about one ConfigMap, Secret or PersistentVolumeClaim. No message shows what is in a Secret.

    Attributes:
        kind, namespace, name: which.
    """

    def __init__(self, message: str, *, kind: str, namespace: str, name: str) -> None:
        self.kind = kind
        self.namespace = namespace
        self.name = name
        super().__init__(message)


class ObjectNotFoundError(ObjectError):
    """There is no such object on the engine."""


class ObjectInUseError(ObjectError):
    """A claim that cannot be deleted: its files are mounted.

    Attributes:
        users: ``namespace/name`` of the pods; a container of nobody's pod by its own name.
    """

    def __init__(self, message: str, *, kind: str, namespace: str, name: str, users: Sequence[str]) -> None:
        self.users = tuple(users)
        super().__init__(message, kind=kind, namespace=namespace, name=name)


class PoolError(PypodError):
    """A `pypod.PodPool` cannot be used so: it is closed, or another process'; or what is given back was not taken from it."""


class TeardownError(PypodError):
    """Something that pypod made is still on the engine.

    Attributes:
        leftovers: what and why, a pair each.
    """

    def __init__(self, subject: str, leftovers: Sequence[tuple[str, str]]) -> None:
        self.leftovers = tuple(leftovers)
        rows = "".join(f"\n  - {what}: {why}" for what, why in self.leftovers)
        super().__init__(f"cannot remove all of {subject}: left on the engine:{rows}")
