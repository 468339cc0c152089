"""Whether and when a container that has ended is started again: pure functions of policy, end and history.

The rules are a kubelet's (pkg/kubelet/container/helpers.go ShouldContainerBeRestarted; client-go flowcontrol.Backoff), the
figures those of its feature ReduceDefaultCrashLoopBackOffDecay: 1 s doubling to 60 s; Kubernetes' long-standing ones are
`CLASSIC`.
"""

from __future__ import annotations

from collections.abc import Sequence

from pypod.model.records import record
from pypod.model.spec import restart_rules
from pypod.model.spec.pod import BackoffProfile, RestartPolicy
from pypod.model.spec.restart_rules import RestartRule


@record(frozen=True, slots=True)
class Backoff:
    """Seconds. The first restart is at once; the next waits `initial`, each one after twice as long, `cap` at most.

    Attributes:
        reset: after the container has run that long, its next restart is a first one again.
    """

    initial: float = 1.0
    cap: float = 60.0
    reset: float = 600.0

    def delay(self, step: int) -> float:
        """Before the restart number ``step`` (from 0) since the last reset."""
        if step <= 0:
            return 0.0
        # 2**step overflows a float at 1024; the cap is reached long before.
        return min(self.cap, self.initial * 2.0 ** min(step - 1, 64))


DEFAULT = Backoff()
CLASSIC = Backoff(initial=10.0, cap=300.0)
IMAGE_PULL = Backoff(initial=10.0, cap=300.0)
"""Before an image is asked for again: ``delay`` of the number of failures in a row (pkg/kubelet/images/image_manager.go)."""
PROFILES = {BackoffProfile.FAST: DEFAULT, BackoffProfile.CLASSIC: CLASSIC}


@record(frozen=True, slots=True)
class Restart:
    """Start it again, not before `due` (Unix seconds); the back-off is then at `step`."""

    due: float
    step: int
    delay: float


def should_restart(policy: RestartPolicy, exit_code: int, rules: Sequence[RestartRule] = ()) -> bool:
    """Whether what ended with this code is started again; a rule that fits comes before the policy."""
    if policy is RestartPolicy.ALWAYS or restart_rules.fits(rules, exit_code):
        return True
    return policy is RestartPolicy.ON_FAILURE and exit_code != 0


def decide(
    policy: RestartPolicy,
    *,
    exit_code: int,
    started_at: float | None,
    finished_at: float,
    step: int,
    backoff: Backoff = DEFAULT,
    rules: Sequence[RestartRule] = (),
) -> Restart | None:
    """The restart of an instance that has ended; None: it has ended for good.

    Args:
        policy: that holds for the container.
        exit_code: of the instance; not 0 also where it could not be started.
        started_at, finished_at: of the instance, Unix seconds.
        step: how many restarts led to this instance since the last reset.
        backoff: the figures.
        rules: of the container, where they apply to this end.
    """
    if not should_restart(policy, exit_code, rules):
        return None
    # Of a container that ends at once the engine may note an end before the start (10 ms seen on 20.10).
    ran_for = max(0.0, finished_at - started_at) if started_at is not None else 0.0
    settled = ran_for > backoff.reset
    delay = backoff.delay(0 if settled else step)
    return Restart(due=finished_at + delay, step=1 if settled else step + 1, delay=delay)
