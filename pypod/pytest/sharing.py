"""Pods that all workers of pytest-xdist share: how the controller starts one, and a worker comes to it.

The controller owns them. A worker asks its hub (`pypod.pytest.hub`) for one, and has a handle that ends nothing. Without
workers such a pod is as any other of its scope.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pypod import connecting, finding
from pypod.engine.api import Engine
from pypod.errors import PodError, PodNotFoundError, PodStartError, PypodError
from pypod.model.document import codec
from pypod.model.manifest import object_documents
from pypod.pod import Pod
from pypod.pytest import wire
from pypod.pytest.uses import Use
from pypod.pytest.wishes import Place, Wish

if TYPE_CHECKING:
    from pypod.pytest.session import Run


class Owner:
    """Starts shared pods, for the hub (`pypod.pytest.hub.Starter`).

    Args:
        run: of the controller, in a namespace of its own.
        session: as long as which they live.
    """

    def __init__(self, run: Run, session: pytest.Session) -> None:
        self._run = run
        self._session = session
        self._served = contextlib.ExitStack()

    def start(self, request: wire.Request) -> wire.Answer:
        use = Use(self._session, frozenset({request.fixture}))
        try:
            pod = self._start(request, use)
        except PypodError as error:
            words = "\n".join([str(error), *getattr(error, "__notes__", ())])
            full_name, reason = getattr(error, "pod", ""), getattr(error, "reason", "")
            return wire.Failed(words, full_name, reason, self._run.failed_starts.told_of(use))
        return wire.Started(pod.namespace, pod.name, pod.uid)

    def _start(self, request: wire.Request, use: Use) -> Pod:
        objects = [object_documents.from_document(each, request.fixture) for each in request.objects]
        source = Pod.from_spec(codec.load_spec(request.pod), objects=objects)
        wish = Wish(source, self._run.root, timeout=request.timeout, grace=request.grace, reuse=request.reuse)
        engine = connecting.connect(request.engine)
        if request.is_default:
            self._run.take_for_default(engine)
        place = Place(engine, self._run.namespace, use)
        return self._served.enter_context(self._run.serve(wish, place))

    def abort(self) -> None:
        self._run.abort()

    def remove(self, failed: Collection[str]) -> dict[str, Any]:
        self._run.mark_failed(failed)
        outcome = self._run.outcome
        try:
            self._served.close()
        except PypodError as error:
            outcome.problems.append(str(error))
        self._run.close()
        return outcome.encode()


class SharedStartError(PodStartError):
    """The controller could not start a shared pod.

    Attributes:
        report: what was seen of it, a title and a text each.
    """

    report: Sequence[tuple[str, str]] = ()


def borrow(
    wish: Wish,
    described: Pod,
    engine: Engine,
    timeout: float,
    hub: Mapping[str, str] | None,
    *,
    is_default: bool = False,
) -> Pod:
    """A handle on the shared pod of a fixture, which the controller starts where it does not run yet.

    Args:
        wish: of the fixture.
        described: its pod, as the suite has it.
        engine: where it is to run.
        is_default: that is the one which the pypod command takes by itself.
        timeout: seconds for its start.
        hub: what the controller told of itself.

    Raises:
        SharedStartError: it cannot be started; the same for every worker.
        PodNotFoundError: somebody removed it.
        PodError: this worker can have no shared pod.
    """
    try:
        request = replace(_request(wish, described, engine, timeout), is_default=is_default)
        answer = wire.ask(hub, request)
    except wire.CannotShareError as error:
        raise PodError(f"cannot share pod '{described.name}': {error}", pod=described.name) from None
    if isinstance(answer, wire.Failed):
        failed = SharedStartError(answer.message, pod=answer.pod or described.name, reason=answer.reason)
        failed.report = [(title, text) for title, text in answer.report]
        raise failed
    pod = finding.get(answer.name, answer.namespace, engine=engine)
    if pod.uid != answer.uid:
        full_name = f"{answer.namespace}/{answer.name}"
        raise PodNotFoundError(f"cannot share pod '{full_name}': somebody removed it", pod=full_name)
    return pod


def _request(wish: Wish, described: Pod, engine: Engine, timeout: float) -> wire.Request:
    spec = replace(described.spec, name=wish.name) if wish.name else described.spec
    return wire.Request(
        wish.declared,
        codec.dump_spec(spec),
        [object_documents.to_document(each) for each in described.objects],
        engine.url,
        timeout,
        wish.grace,
        wish.reuse,
    )
