"""The rows of the table: what is measured. Each function makes its rows, with their figures."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.bench import Bench
from benchmarks.contestants import Contestant
from benchmarks.measure import Results
from benchmarks.rows import calls, fleet, growth, life, many, one_pod, pool, startup, streams, suite

Measure = Callable[[Bench, list[Contestant], Results], None]

ROWS: dict[str, Measure] = {
    "cold": one_pod.cold_and_teardown,
    "teardown": one_pod.cold_and_teardown,
    "probe": one_pod.readiness,
    "graceful": one_pod.graceful,
    "calls": calls.engine_calls,
    "timeline": calls.timelines,
    "import": startup.imports,
    "pool": pool.next_from_pool,
    "life": life.life,
    "workers": many.workers,
    "many": many.fifty_pods,
    "ps": fleet.fleet,
    "supervise": fleet.fleet,
    "logs": streams.logs,
    "copies": streams.copies,
    "growth": growth.growth,
    "suite": suite.suite,
}
"""By the word on the command line; two words may be one measurement."""

CHEAP = ("cold", "graceful", "calls", "timeline", "import", "workers")
"""What ``--quick`` runs where no row is named."""
WITH_PEERS = {"suite", "cold", "teardown", "probe", "graceful", "calls"}
