"""The ways into a pod: commands, logs, files, ports, and containers that join it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal, overload

from pypod import debugging
from pypod.engine import output
from pypod.forwarding import PortForward
from pypod.handle import Handle
from pypod.inside import Inside
from pypod.model.results import ExecResult
from pypod.model.spec.env import Env
from pypod.model.spec.pod import Container, PullPolicy, VolumeMount


class Access(Handle):
    """All of `pypod.Pod` that goes into a pod."""

    _reach: str
    _door: Inside | None

    def _inside(self) -> Inside:
        if self._door is None:
            self._door = Inside(self._started(), self.refresh, self._reach)
        return self._door

    def exec(
        self,
        command: Sequence[str],
        container: str | None = None,
        *,
        stdin: str | bytes | None = None,
        timeout: float | None = None,
        check: bool = False,
        user: str = "",
        working_dir: str = "",
        env: Mapping[str, str] | None = None,
    ) -> ExecResult:
        """Run a command in a member and wait for its end.

        Args:
            command: a list of words; no shell is put in between.
            container: which; the first where it is None.
            stdin, timeout: what the command reads; seconds.
            check: an exit code that is not 0 is an error.
            user, working_dir, env: as the container has them where not given.

        Returns:
            What it wrote, and its exit code: 137 where the container ended before that was known. (A command that ends its
            own container races with that end: the engine may report it, or forget it together with the container.)

        Raises:
            ExecTimeoutError: it did not end in time. The engine cannot kill it: it may run on until the container ends.
            ExecError: with ``check``: the exit code was not 0.
            PodNotRunningError: the container does not run; with ``check`` also where it ended before the exit code was known.
        """
        if isinstance(command, str):
            raise TypeError(f"cannot run {command!r}: a list of words is expected, as ['sh', '-c', ...]")
        inside = self._inside()
        return inside.run(
            command,
            inside.member(container),
            stdin=stdin.encode() if isinstance(stdin, str) else stdin,
            timeout=timeout,
            check=check,
            user=user,
            working_dir=working_dir,
            env=env,
        )

    @overload
    def logs(
        self,
        container: str | None = None,
        *,
        follow: Literal[False] = False,
        tail: int | None = None,
        since: float | None = None,
        timestamps: bool = False,
        previous: bool = False,
    ) -> str: ...

    @overload
    def logs(
        self,
        container: str | None = None,
        *,
        follow: Literal[True],
        tail: int | None = None,
        since: float | None = None,
        timestamps: bool = False,
        previous: bool = False,
    ) -> Iterator[str]: ...

    def logs(
        self,
        container: str | None = None,
        *,
        follow: bool = False,
        tail: int | None = None,
        since: float | None = None,
        timestamps: bool = False,
        previous: bool = False,
    ) -> str | Iterator[str]:
        """What a member wrote, both of its outputs.

        Args:
            container: which; the first where it is None.
            follow: lines as they come, until this instance of the container ends.
            tail: only that many last lines.
            since: only what is younger, Unix seconds.
            timestamps: each line begins with its time.
            previous: of its last dead instance: the one before a restart.

        Raises:
            PodNotRunningError: the container was never started; with ``previous``: no instance of it has ended.
            PodNotFoundError: the pod has no such container.
        """
        inside = self._inside()
        return inside.logs(
            inside.member(container),
            follow=follow,
            tail=tail,
            since=since,
            timestamps=timestamps,
            previous=previous,
        )

    def log_blocks(
        self,
        container: str | None = None,
        *,
        follow: bool = False,
        tail: int | None = None,
        since: float | None = None,
        timestamps: bool = False,
        previous: bool = False,
    ) -> Iterator[list[str]]:
        """What a member wrote, whole lines as they come, as many at once as there are: for logs that need not fit into memory,
        and for whoever does something for each line that is cheaper for many.

        Args:
            container, follow, tail, since, timestamps, previous: as of `logs`. Without ``follow`` it ends with what is there now.

        Raises:
            PodNotRunningError, PodNotFoundError: as `logs`, at once.
        """
        inside = self._inside()
        stream = inside.log_stream(
            inside.member(container),
            follow=follow,
            tail=tail,
            since=since,
            timestamps=timestamps,
            previous=previous,
        )
        return output.blocks(stream)

    def copy_to(self, source: str | os.PathLike[str], destination: str, container: str | None = None) -> None:
        """Copy a file or directory of this machine into a container, running or not, as ``docker cp`` does.

        Modes and links are kept; everything is root's.

        Args:
            source: here. ``dir/.`` is what is in the directory.
            destination: a path in the container, from its root. Where a directory is, the copy goes into it under the source's
                name; where nothing is, that is the copy's name, and the directory above it must be there. A trailing
                slash means: a directory, which must be there for a file.
            container: which; the first where it is None.

        Raises:
            CopyError: there is no such source, no such place for it, or it cannot be read or written.
            PodNotRunningError: the container was never made.
            PodNotFoundError: the pod has no such container.
        """
        inside = self._inside()
        inside.copying(inside.member(container)).copy_in(os.fspath(source), destination)

    def copy_from(
        self, source: str, destination: str | os.PathLike[str], container: str | None = None
    ) -> None:
        """Copy a file or directory of a container, running or not, to this machine, as ``docker cp`` does.

        Modes and links are kept, but for setuid and setgid; everything is the caller's. Nothing is written outside of the
        destination, whatever links the container made.

        Args:
            source: a path in the container, from its root. ``dir/.`` is what is in the directory.
            destination: here; see `copy_to`.
            container: which; the first where it is None.

        Raises:
            CopyError, PodNotRunningError, PodNotFoundError: as for `copy_to`.
        """
        inside = self._inside()
        inside.copying(inside.member(container)).copy_out(source, os.fspath(destination))

    def debug(
        self,
        image: str,
        command: Sequence[str] = (),
        *,
        name: str | None = None,
        target: str | None = None,
        env: Env | None = None,
        mounts: Mapping[str, str] | Iterable[VolumeMount] = (),
        working_dir: str = "",
        user: str = "",
        image_pull_policy: str | PullPolicy | None = None,
    ) -> str:
        """Let one more container join the running pod: an ephemeral one, to look around with tools that its images have not.

        It shares what members share, is never restarted, counts for neither phase nor readiness, and ends with the pod.

        Args:
            image: of what.
            command: instead of the image's own; without it the standard input stays open, so that a shell stays.
            name: unique in the pod; made up where it is None.
            target: the member whose processes it sees; None: as the pod shares them.
            env, mounts, working_dir, user: as of a `Container`.
            image_pull_policy: as of a `Container`; None: it is pulled where the engine has not got it.

        Returns:
            Its name, which `exec`, `logs` and the copies take as ``container``.

        Raises:
            PodNotRunningError: the pod, or the target, does not run.
            PodNotFoundError: the pod has no such target.
            SpecError: the name is taken, or something else is wrong.
            ImageError: the image cannot be had.
            PodStartError: it cannot be started.
        """
        container = Container(
            name or debugging.made_up_name(),
            image,
            command=command,
            env=env,
            mounts=mounts,
            working_dir=working_dir,
            user=user,
            image_pull_policy=image_pull_policy,
        )
        self.refresh()  # also of a pod of another process: what happened to it
        return debugging.join(self._started(), container, target=target, stdin=not command)

    def address(self, port: int) -> tuple[str, int]:
        """A host and port that this process can dial to reach a port of the pod.

        The pod's own address where it routes from here; else one of this machine's loopback, from which a relay leads
        through the pause.

        Args:
            port: of the pod.

        Raises:
            PodNotRunningError: it has no address now.
        """
        return self._inside().address(port)

    def port_forward(
        self,
        port: int | str,
        local_port: int = 0,
        *,
        address: str = "127.0.0.1",
        on_error: Callable[[str], object] | None = None,
    ) -> PortForward:
        """Listen on a port of this machine, and pass each connection on to a port of the pod, until it is closed.

        It is dialled from inside the pod, on 127.0.0.1, as with kubectl: a server that listens there alone is reached, too. A
        sandbox that is made again is followed. For a port that you dial yourself `address` is enough, and faster.

        Args:
            port: of the pod: a number, or the name of a port of one of its containers.
            local_port: of this machine; 0: a free one.
            address: of this machine, IPv4 or IPv6; ``0.0.0.0`` lets others in.
            on_error: is told, on another thread, why a connection did not get through.

        Returns:
            What says where this machine listens, and ends it; also as a context manager.

        Raises:
            PortForwardError: there is no such port, or the local one is taken.
            PodNotRunningError: the pod has no sandbox now.
        """
        return self._inside().forward(port, local_port, address, on_error)
