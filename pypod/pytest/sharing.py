"""Pods that all workers of pytest-xdist share: ``shared=True``.

The controller owns them. A worker asks its hub (`pypod.pytest.hub`) for one, and takes a handle that ends nothing. Without
workers such a pod is as any other of its scope.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from pypod.pytest import wire
from pypod.pytest.hub import Hub

if TYPE_CHECKING:
    from pypod.engine.api import Engine
    from pypod.pod import Pod
    from pypod.pytest.session import Run
    from pypod.pytest.wishes import Place, Wish

HUB = pytest.StashKey[Hub]()
OWNER = "shared"
"""Stands for a worker's name in the namespace of shared pods."""


# --- in the controller -----------------------------------------------------------------------------------------------


def tell(node: Any) -> None:
    """Tell a worker, which is about to be started, where it finds the hub; the first one has it opened.

    Args:
        node: xdist's `WorkerController`.
    """
    where = node.gateway.spec
    if not where.popen or where.via:
        node.workerinput[wire.INPUT] = wire.closed(
            f"worker {node.gateway.id} may run on another machine ({where}); pods are shared by workers that pytest starts "
            "beside itself, as with -n"
        )
        return
    config: pytest.Config = node.config
    hub = config.stash.get(HUB, None)
    if hub is None:
        hub = config.stash[HUB] = Hub(lambda: _owner(config))
    node.workerinput[wire.INPUT] = hub.door.to_input()


def _owner(config: pytest.Config) -> Owner:
    from pypod.pytest.current import RUN_ID, SETTINGS  # noqa: PLC0415
    from pypod.pytest.session import Run  # noqa: PLC0415 (imports all of pypod: only suites with shared pods pay for it)

    run = Run(config.stash[SETTINGS], config.stash[RUN_ID], OWNER, root=config.rootpath)
    session = config.pluginmanager.getplugin("session")
    assert isinstance(session, pytest.Session)
    return Owner(run, session)


def refuse(config: pytest.Config) -> None:
    """The run is over, or was interrupted: no shared pod is started any more, and no worker waits for one."""
    hub = config.stash.get(HUB, None)
    if hub is not None:
        hub.refuse()


def close(config: pytest.Config) -> list[str]:
    """Remove the shared pods; what could not be removed, in words."""
    hub = config.stash.get(HUB, None)
    return hub.close() if hub is not None else []


class Owner:
    """Starts shared pods, as part of the controller's run; see `pypod.pytest.hub.Starter`.

    Args:
        run: of the controller, with a namespace of its own.
        session: as long as which they live.
    """

    def __init__(self, run: Run, session: pytest.Session) -> None:
        self._run = run
        self._session = session

    def start(self, request: wire.Request) -> wire.Started:
        from pypod import connecting  # noqa: PLC0415
        from pypod.model.document import codec  # noqa: PLC0415
        from pypod.model.manifest import object_documents  # noqa: PLC0415
        from pypod.pod import Pod  # noqa: PLC0415
        from pypod.pytest.uses import Use
        from pypod.pytest.wishes import Place, Wish

        objects = [object_documents.from_document(each, request.fixture) for each in request.objects]
        source = Pod.from_spec(codec.load_spec(request.pod), objects=objects)
        wish = Wish(source, self._run.root, timeout=request.timeout, grace=request.grace)
        place = Place(connecting.connect(request.engine), self._run.namespace, Use(self._session, frozenset()))
        pod = self._run.start(wish, place)
        return wire.Started(pod.namespace, pod.name, pod.uid)

    def describe(self, error: Exception) -> wire.Failed:
        notes = getattr(error, "__notes__", ())
        return wire.Failed(
            "\n".join([str(error), *notes]),
            pod=getattr(error, "pod", ""),
            reason=getattr(error, "reason", ""),
        )

    def abort(self) -> None:
        self._run.abort()

    def remove(self) -> list[str]:
        return self._run.close()


# --- in a worker -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def borrowed(wish: Wish, described: Pod, engine: Engine, timeout: float, hub: Mapping[str, str] | None) -> Iterator[Pod]:
    """A handle on the shared pod of a fixture, which the controller starts where it does not run yet. It stays at the end.

    Raises:
        PodStartError: it cannot be started; the same for every worker.
        PodError: this worker can have no shared pod.
    """
    from pypod import finding  # noqa: PLC0415
    from pypod.errors import PodError, PodNotFoundError, PodStartError  # noqa: PLC0415

    try:
        answer = wire.ask(hub, request_of(wish, described, engine, timeout))
    except wire.CannotShareError as error:
        raise PodError(f"cannot share pod '{described.name}': {error}", pod=described.name) from None
    if isinstance(answer, wire.Failed):
        raise PodStartError(answer.message, pod=answer.pod or described.name, reason=answer.reason)
    pod = finding.get(answer.name, answer.namespace, engine=engine)
    if pod.uid != answer.uid:
        raise PodNotFoundError(
            f"cannot share pod '{answer.namespace}/{answer.name}': it was removed meanwhile", pod=pod.name
        )
    yield pod


def request_of(wish: Wish, described: Pod, engine: Engine, timeout: float) -> wire.Request:
    """What is asked for a fixture's pod."""
    from pypod.model.document import codec  # noqa: PLC0415
    from pypod.model.manifest import object_documents  # noqa: PLC0415

    spec = replace(described.spec, name=wish.name) if wish.name else described.spec
    return wire.Request(
        str(wish.base)+"db",
        codec.dump_spec(spec),
        [object_documents.to_document(each) for each in described.objects],
        engine.url,
        timeout,
        wish.grace,
    )
