"""Into a running pod: commands and logs of its members, and its ports."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence

from pypod import forwarding, starting
from pypod.copying import Copying
from pypod.engine import dial, execute, observe, output
from pypod.engine.api import FrameStream
from pypod.engine.sync import PodSync
from pypod.errors import (
    ConflictError,
    ExecError,
    ExecTimeoutError,
    NotFoundError,
    PodNotFoundError,
    PodNotRunningError,
)
from pypod.forwarding import PortForward
from pypod.model.life.status import ContainerStatus, Waiting
from pypod.model.results import ExecResult
from pypod.model.wiring.state import ContainerInfo, PodObservation


class Inside:
    """What can be done in a started pod.

    Args:
        sync: the pod.
        refresh: looks at it; `sync.refresh`, or what also reads the journal.
        reach: ``auto``, ``direct`` or ``relay``.
    """

    def __init__(self, sync: PodSync, refresh: Callable[[], object], reach: str) -> None:
        self._sync = sync
        self._refresh = refresh
        self._reach = reach
        self._relays: dict[tuple[str, int], dial.Relay] = {}
        self._forwards: weakref.WeakSet[PortForward] = weakref.WeakSet()
        self._full_name = sync.desired.identity.key.full_name

    def member(self, container: str | None) -> str:
        """The name of a container of the pod, of whatever kind; of the first regular one for None. Raises `PodNotFoundError` for
        one that the pod has not."""
        spec = self._sync.desired.spec
        if container is None:
            return spec.containers[0].name
        names = [member.name for member in spec.all_containers]
        if container not in names:
            names += self._ephemeral(container)
        if container not in names:
            raise PodNotFoundError(
                f"cannot find container {container!r} in pod '{self._full_name}': it has {', '.join(names)}",
                pod=self._full_name,
                container=container,
            )
        return container

    def _ephemeral(self, wanted: str) -> list[str]:
        """The names of those that joined; looked for again where the one that is wanted was not seen."""
        for look in (False, True):
            if look or self._sync.observed is None:
                self._refresh()
            seen = self._sync.observed
            names = [info.container for info in seen.ephemeral] if seen is not None else []
            if wanted in names:
                break
        return names

    def run(
        self,
        command: Sequence[str],
        name: str,
        *,
        stdin: bytes | None,
        timeout: float | None,
        check: bool,
        user: str,
        working_dir: str,
        env: Mapping[str, str] | None,
    ) -> ExecResult:
        """See `pypod.Pod.exec`."""
        info = self._running(name)
        where = f"{list(command)} in container '{name}' of pod '{self._full_name}'"
        try:
            result = execute.run(
                self._sync.engine,
                info.id,
                command,
                stdin=stdin,
                timeout=timeout,
                user=user,
                working_dir=working_dir,
                env=env,
            )
        except execute.ContainerEndedError as error:
            if not check:
                return ExecResult(execute.KILLED, error.stdout, error.stderr)
            raise PodNotRunningError(
                f"cannot tell how {where} ended: the container did", pod=self._full_name, container=name
            ) from error
        except execute.OutputTimeoutError as error:
            raise ExecTimeoutError(
                f"cannot finish {where} in {timeout or 0:g} s",
                pod=self._full_name,
                container=name,
                stdout=error.stdout,
                stderr=error.stderr,
            ) from None
        except (NotFoundError, ConflictError) as error:
            raise self._not_running(name) from error
        if check:
            self._check(result, where, name)
        return result

    def _check(self, result: ExecResult, where: str, name: str) -> None:
        if result.exit_code != 0:
            words = (result.stderr or result.stdout).strip()[-2000:]
            raise ExecError(
                f"cannot accept exit code {result.exit_code} of {where}: {words}",
                pod=self._full_name,
                container=name,
                result=result,
            )

    def _newest(self, container: str, *, look: bool) -> ContainerInfo | None:
        if look or self._sync.observed is None:
            self._refresh()
        return self._sync.observed.newest(container) if self._sync.observed is not None else None

    def _running(self, container: str) -> ContainerInfo:
        info = self._newest(container, look=False)
        if info is not None and info.is_live and self._still_runs(info):
            return info
        info = self._newest(container, look=True)
        if info is None or not info.is_live:
            raise self._not_running(container)
        return info

    def _still_runs(self, info: ContainerInfo) -> bool:
        """Of the instance that was last seen: one call, instead of a look at the whole pod."""
        return execute.is_live(self._sync.engine, info.id)

    def _not_running(self, container: str) -> PodNotRunningError:
        self._refresh()
        tail = "".join(
            f"\n  {container}| {line}" for line in starting.container_log_tail(self._sync, container)
        )
        shown = f"\nits last log lines:{tail}" if tail else ""
        return PodNotRunningError(
            f"cannot run a command in container '{container}' of pod '{self._full_name}': "
            f"{starting.describe_unready(self._sync.status)}{shown}",
            pod=self._full_name,
            container=container,
        )

    def logs(
        self,
        name: str,
        *,
        follow: bool,
        tail: int | None,
        since: float | None,
        timestamps: bool,
        previous: bool,
    ) -> str | Iterator[str]:
        """See `pypod.Pod.logs`."""
        stream = self.log_stream(
            name, follow=follow, tail=tail, since=since, timestamps=timestamps, previous=previous
        )
        return output.lines(stream) if follow else output.text(stream)

    def log_stream(
        self,
        name: str,
        *,
        follow: bool,
        tail: int | None,
        since: float | None,
        timestamps: bool,
        previous: bool,
    ) -> FrameStream:
        """What a container wrote, as the engine sends it."""
        info = self._previous(name) if previous else self._written(name)
        return self._sync.engine.logs(info.id, follow=follow, tail=tail, since=since, timestamps=timestamps)

    def _written(self, name: str) -> ContainerInfo:
        """The newest instance that ran: while its next one is waited for, a container's log is that of its last."""
        self._refresh()
        info = next((each for each in self._instances(name) if each.started_at is not None), None)
        if info is None:
            raise self._no_logs("logs", name, _why_waiting(self._status(name)))
        return info

    def _previous(self, name: str) -> ContainerInfo:
        """The last dead instance: what Kubernetes calls the last state. While a restart is waited for, that is the newest; else
        the one before it."""
        self._refresh()
        status, instances = self._status(name), self._instances(name)
        waits = status is not None and isinstance(status.state, Waiting)
        ended = [
            info for info in instances[0 if waits else 1 :] if info.has_ended and info.started_at is not None
        ]
        if not ended:
            raise self._no_logs("previous logs", name, "not found", what="previous terminated container")
        return ended[0]

    def _instances(self, name: str) -> tuple[ContainerInfo, ...]:
        seen = self._sync.observed
        return seen.members.get(name, ()) if seen is not None else ()

    def _status(self, name: str) -> ContainerStatus | None:
        try:
            return self._sync.status.container(name)
        except KeyError:
            return None

    def _no_logs(self, of: str, name: str, why: str, what: str = "container") -> PodNotRunningError:
        """In a kubelet's words (pkg/kubelet/kubelet_pods.go, validateContainerLogStatus)."""
        return PodNotRunningError(
            f"cannot read the {of} of container '{name}' of pod '{self._full_name}': "
            f'{what} "{name}" in pod "{self._sync.desired.spec.name}" {why}',
            pod=self._full_name,
            container=name,
        )

    def copying(self, name: str) -> Copying:
        """What copies files into and out of a container, running or not. Raises `PodNotRunningError`: it was never made."""
        info = self._newest(name, look=True)
        if info is None:
            raise PodNotRunningError(
                f"cannot copy files of container '{name}' of pod '{self._full_name}': it is not there: "
                f"{starting.describe_unready(self._sync.status)}",
                pod=self._full_name,
                container=name,
            )
        return Copying(self._sync.engine, info.id, pod=self._full_name, name=name)

    def address(self, port: int) -> tuple[str, int]:
        """See `pypod.Pod.address`."""
        seen = self._as_it_stands()
        if seen is None or seen.pause is None or not seen.ip:
            raise PodNotRunningError(
                f"cannot reach pod '{self._full_name}': it has no address now", pod=self._full_name
            )
        network = next((key for key, ip in seen.pause.addresses.items() if ip == seen.ip), "")
        if seen.pause.host_network and seen.network is not None:
            network = seen.network.id
        if self._reach == "direct":
            return seen.ip, port
        if self._reach == "auto" and dial.routes_directly(self._sync.engine, network):
            return seen.ip, port
        key = (seen.pause.id, port)  # a new sandbox needs a new relay
        if key not in self._relays:
            self._relays[key] = dial.Relay(self._sync.engine, seen.pause.id, seen.ip, port)
        return self._relays[key].address

    def _as_it_stands(self) -> PodObservation | None:
        """What was last seen of the pod, where its sandbox still stands so: one call, instead of a look at the whole pod. An address
        is the sandbox's own, whoever looks after the pod; one that was made again has another ID."""
        seen = self._sync.observed
        known = seen.sandbox if seen is not None else None
        if known is not None:
            found = observe.inspect(self._sync.engine, known)
            if found is not None and found.is_live and found.addresses == known.addresses:
                return seen
        self._refresh()
        return self._sync.observed

    def forward(
        self, port: int | str, local_port: int, address: str, on_error: Callable[[str], object] | None
    ) -> PortForward:
        """See `pypod.Pod.port_forward`."""
        made = forwarding.forward(self._sync, self._sandbox, port, local_port, address, on_error)
        self._forwards.add(made)
        return made

    def _sandbox(self) -> str:
        """The ID of the pause, which may have been made again since it was last seen."""
        seen = self._as_it_stands()
        if seen is not None and seen.pause is not None and seen.pause.is_live:
            return seen.pause.id
        raise PodNotRunningError(
            f"cannot reach pod '{self._full_name}': it has no sandbox now", pod=self._full_name
        )

    def close(self) -> None:
        """End the relays and forwards."""
        for relay in self._relays.values():
            relay.close()
        for forward in list(self._forwards):
            forward.close()
        self._relays.clear()


def _why_waiting(status: ContainerStatus | None) -> str:
    reason = status.state.reason if status is not None and isinstance(status.state, Waiting) else ""
    known = {
        "ErrImagePull": "image can't be pulled",
        "ImagePullBackOff": "trying and failing to pull image",
    }
    return f"is waiting to start: {known.get(reason, reason) or 'it was never started'}"
