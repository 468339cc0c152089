"""Pods that all workers of a run share: what a worker and the hub in the controller say to each other, and the worker's side.

A worker asks for a pod on a connection of its own: one line of JSON there, one back, which comes when the pod is up or cannot
be. Nothing is pickled: a pod travels as the JSON that its pause's label has, so that fixtures may close over what they like.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

PATIENCE = 60.0
"""Seconds past the time-out of a pod's start until a worker gives up on an answer: a pod that failed is removed before it comes."""
LONGEST = 64 << 20
"""Bytes of a line: more than any pod has, and an end to what a stranger may send."""


# --- what is said ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Request:
    """What a worker asks for.

    Attributes:
        fixture: which declaration, the same text in every worker: ``tests/conftest.py:12 database``.
        pod: as `pypod.model.document.codec.dump_spec` writes it. Of pods of one fixture all but the name must be equal.
        objects: documents of what is applied before it is started.
        engine: URL of the engine.
        is_default: that is the one which the pypod command takes by itself.
        timeout, grace: seconds for its start, and for its end.
        reuse: as of `pypod.pytest.pod_fixture`.
    """

    fixture: str
    pod: str
    objects: Sequence[Mapping[str, Any]] = ()
    engine: str = ""
    timeout: float = 60.0
    grace: float = 0.0
    reuse: bool | None = None
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class Started:
    """The pod is up.

    Attributes:
        namespace, name, uid: which pod it is.
    """

    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The pod cannot be had.

    Attributes:
        message: why.
        pod: ``namespace/name``.
        reason: Kubernetes' word, where there is one.
        report: what was seen of the pod before it was removed, states, logs, events: titles and texts.
    """

    message: str
    pod: str = ""
    reason: str = ""
    report: Sequence[Sequence[str]] = ()


Answer = Started | Failed


def dump(said: Request | Answer, **more: str) -> bytes:
    """As a line."""
    return json.dumps({**asdict(said), **more}).encode() + b"\n"


def load_answer(line: bytes) -> Answer:
    """What `dump` made of an answer."""
    fields = json.loads(line)
    return Started(**fields) if "uid" in fields else Failed(**fields)


def load_request(line: bytes) -> tuple[Request, str]:
    """What `dump` made of a request, and the token that came with it."""
    fields = json.loads(line)
    token = fields.pop("token")
    return Request(**fields), str(token)


# --- where the hub is ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Door:
    """Where the hub listens.

    Attributes:
        address: ``@NAME``, an abstract Unix socket (Linux: it is no file, so nobody has to remove it), or ``HOST:PORT``.
        token: whoever has it may ask. It is known to this run's processes alone.
    """

    address: str
    token: str = field(repr=False)

    def to_input(self) -> dict[str, str]:
        """For xdist's ``workerinput``."""
        return asdict(self)

    def connect(self) -> socket.socket:
        """A connection to the hub.

        Raises:
            OSError: nobody listens there.
        """
        if self.address.startswith("@"):
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect("\0" + self.address[1:])
            except BaseException:
                connection.close()
                raise
            return connection
        host, _, port = self.address.rpartition(":")
        return socket.create_connection((host, int(port)), timeout=PATIENCE)


def closed(reason: str) -> dict[str, str]:
    """For ``workerinput`` of a worker that can share no pod, and why."""
    return {"refusal": reason}


# --- the worker's side -----------------------------------------------------------------------------------------------


class CannotShareError(Exception):
    """A worker cannot have a shared pod, for a reason that is not the pod's."""


def ask(given: Mapping[str, str] | None, request: Request) -> Answer:
    """Have the controller start a pod, or hear of it where it did so already.

    Args:
        given: what ``workerinput`` says of the hub: `Door.to_input`, or `closed`.
        request: which pod.

    Returns:
        Where it is, or why it cannot be had. Both are the same for every worker that asks.

    Raises:
        CannotShareError: the controller has no hub, or none for this worker, or is gone.
    """
    if given is None:
        raise CannotShareError("the controller of this run does not load the pypod plugin")
    if "refusal" in given:
        raise CannotShareError(given["refusal"])
    door = Door(**given)
    try:
        with door.connect() as connection:
            connection.settimeout(request.timeout + PATIENCE)
            connection.sendall(dump(request, token=door.token))
            with connection.makefile("rb") as answers:
                line = answers.readline(LONGEST)
    except TimeoutError as error:
        seconds = request.timeout + PATIENCE
        raise CannotShareError(f"the controller of this run gave no answer in {seconds:g} s") from error
    except OSError as error:
        raise CannotShareError(f"the controller of this run cannot be reached: {error}") from error
    if not line.endswith(b"\n"):
        raise CannotShareError("the controller of this run is gone")
    return load_answer(line)
