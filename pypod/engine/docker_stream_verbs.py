"""The verbs of `pypod.engine.api.Engine` that open a stream: what is asked for, and what the answer is read as."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Mapping, Sequence
from urllib.parse import urlencode

from pypod.engine import docker_requests as wire_json
from pypod.engine.api import EventStream, ExecStream, FrameStream, PathInfo, StdinChannel
from pypod.engine.docker_archives import pieces, upload
from pypod.engine.docker_asking import Asking, quoted
from pypod.engine.docker_errors import refusal
from pypod.engine.docker_streams import Events, Exec, Frames, Reply, Stdin
from pypod.errors import ConflictError, EngineError, NotFoundError

_UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}
_JSON = {"Content-Type": "application/json"}
_COPY_FROM, _COPY_TO = "copy from container", "copy to container"
_LOGS = "read logs of container"
_EVENTS = ("create", "start", "die", "oom", "destroy", "rename", "kill", "pause", "unpause")


class StreamVerbs(Asking):
    """A part of `DockerEngine`."""

    def attach_stdin(self, container: str) -> StdinChannel:
        reply = self._open("attach to container", container, "POST", _stdin_path(container), headers=_UPGRADE)
        return Stdin(reply, container)

    def logs(
        self,
        container: str,
        *,
        follow: bool = False,
        tail: int | None = None,
        since: float | None = None,
        timestamps: bool = False,
    ) -> FrameStream:
        path = _logs_path(container, follow=follow, tail=tail, since=since, timestamps=timestamps)
        try:
            reply = self._open(_LOGS, container, "GET", path)
        except ConflictError as error:  # 409 on 20.10: "container which is dead or marked for removal"
            raise NotFoundError(_LOGS, container, error.detail, status=error.status) from error
        return Frames(reply, multiplexed=self._is_multiplexed(reply, container))

    def stat(self, container: str, path: str) -> PathInfo:
        where = f"/containers/{quoted(container)}/archive"
        answer = self._answer(_COPY_FROM, container, where, {"path": path}, method="HEAD")
        if answer.status != 200:  # without a body, so without words
            words = f"Could not find the file {path} in container {container}"
            if answer.status != 404:
                words = f"the engine cannot look at {path} in it: HTTP {answer.status}"
            raise refusal(_COPY_FROM, container, answer.status, words)
        return wire_json.path_info(answer.headers.get("x-docker-container-path-stat", ""), container, path)

    def get_archive(self, container: str, path: str) -> Generator[bytes, None, None]:
        reply = self._open(_COPY_FROM, container, "GET", _archive_path(container, path))
        return pieces(reply, _COPY_FROM, container)

    def put_archive(self, container: str, path: str, archive: Iterable[bytes]) -> None:
        transport, wire = self._dial(_COPY_TO, container)
        upload(transport, wire, _archive_path(container, path), archive, _COPY_TO, container)

    def exec(
        self,
        container: str,
        command: Sequence[str],
        *,
        stdin: bool = False,
        user: str = "",
        working_dir: str = "",
        env: Mapping[str, str] | None = None,
    ) -> ExecStream:
        asked = wire_json.exec_config(command, stdin=stdin, user=user, working_dir=working_dir, env=env or {})
        path = f"/containers/{quoted(container)}/exec"
        made = self._make("execute in container", container, path, asked)
        name = str(made["Id"])
        body = json.dumps({"Detach": False, "Tty": False}).encode()
        reply = self._open(
            "execute in container",
            container,
            "POST",
            f"/exec/{name}/start",
            headers=_UPGRADE | _JSON,
            body=body,
        )

        def exit_code() -> int | None:
            state = self._read("inspect exec in container", container, f"/exec/{name}/json")
            code = state.get("ExitCode")
            return None if state.get("Running") or code is None else int(code)

        return Exec(reply, exit_code)

    def events(self, labels: Mapping[str, str], since: float | None = None) -> EventStream:
        return Events(self._open("read events", "", "GET", _events_path(labels, since)))

    def _is_multiplexed(self, reply: Reply, container: str) -> bool:
        kind = reply.headers.get("content-type", "")
        if kind.startswith("application/vnd.docker."):
            return "multiplexed" in kind
        try:  # before API 1.42 the answer does not tell
            return not self._inspect(container)["Config"].get("Tty")
        except EngineError:
            reply.wire.close()
            raise


def _stdin_path(container: str) -> str:
    return f"/containers/{quoted(container)}/attach?stdin=1&stream=1"


def _archive_path(container: str, path: str) -> str:
    return f"/containers/{quoted(container)}/archive?{urlencode({'path': path})}"


def _logs_path(
    container: str, *, follow: bool, tail: int | None, since: float | None, timestamps: bool
) -> str:
    query = {
        "stdout": "1",
        "stderr": "1",
        "follow": "1" if follow else "0",
        "tail": "all" if tail is None else str(tail),
        "timestamps": "1" if timestamps else "0",
    }
    return f"/containers/{quoted(container)}/logs?{urlencode(query | _since(since))}"


def _events_path(labels: Mapping[str, str], since: float | None) -> str:
    filters = {"type": ["container"], "event": [*_EVENTS, "remove"], "label": wire_json.label_filters(labels)}
    return f"/events?{urlencode({'filters': json.dumps(filters)} | _since(since))}"


def _since(since: float | None) -> dict[str, str]:
    return {} if since is None else {"since": f"{since:.9f}"}
