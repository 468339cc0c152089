"""The claims: what each runs on the tour's pods, and which judge decides."""

from __future__ import annotations

import time
from collections.abc import Callable

from pypod import PortConflictError
from pypod.cli import tour_checks as judge
from pypod.cli.tour import MEMORY_LIMIT, PORT, WORKER, Claim, Tour
from pypod.cli.tour_checks import Life
from pypod.model import naming
from pypod.model.spec.pod import Container

CLAIMS: list[Claim] = []
ALL_OF_A = ("a/web", "a/collector", "a/worker")
COMMANDS_OF_A = ("httpd -f -vv", "tail -f", "sleep 3600")


def _claim(
    number: int, title: str, explanation: str, *, alone: bool = False
) -> Callable[..., Callable[[Tour], bool]]:
    def register(check: Callable[[Tour], bool]) -> Callable[[Tour], bool]:
        CLAIMS.append(Claim(number, title, explanation, check, alone))
        return check

    return register


@_claim(1, "born and gone together", "A pod's containers start, are listed and end as one unit.", alone=True)
def one_unit(tour: Tour) -> bool:
    pod = tour.pod("tour-unit", tour.container("one", WORKER), tour.container("two", WORKER))
    tour.ran("with Pod('tour-unit', containers=[one, two]): ...")
    with pod:
        listed = {
            info.name: info.state.value
            for info in tour.engine.containers({})
            if info.labels.get(naming.UID) == pod.uid
        }
    tour.ran("docker ps -a   # inside the block, and unfiltered after it")
    left = [info.name for info in tour.engine.containers({})]
    tour.saw(
        "inside: "
        + ", ".join(f"{name.rpartition('tour-unit_')[2]} {state}" for name, state in listed.items())
    )
    tour.saw(f"after:  {len(set(listed) & set(left))} of these {len(listed)} on the engine")
    return judge.lives_as_one(listed, left, members=2)


@_claim(2, "one IP", "Every member sees the same network interface with the same address.")
def one_ip(tour: Tour) -> bool:
    script = "ip -o -4 addr show eth0; cat /sys/class/net/eth0/address; readlink /proc/self/ns/net"
    views = [tour.sh(member, script).said for member in ALL_OF_A]
    for member, view in zip(ALL_OF_A, views, strict=True):
        tour.saw(f"{member}: {_interface(view)}")
    return judge.same_interface(views, tour.pods["a"].ip)


def _interface(view: str) -> str:
    """What of it fits a line: number, name, address, MAC, network namespace."""
    words = view.replace("\\", " ").split()
    return " ".join((*words[:4], *words[-2:]))


@_claim(3, "localhost", "A server in one member answers another member on 127.0.0.1.")
def localhost(tour: Tour) -> bool:
    answer = tour.sh("a/worker", f"wget -qO- http://127.0.0.1:{PORT}/")
    tour.saw(f"a/web answers a/worker: {answer.said.strip()}")
    return judge.answers(answer.said, "hello from tour-a")


@_claim(
    4, "one port space", "A port can be bound once in a pod; two members that declare it are refused early."
)
def one_port_space(tour: Tour) -> bool:
    second = tour.sh("a/worker", f"timeout 3 httpd -f -p {PORT}")
    tour.saw(f"a/worker: {second.said.strip()} (exit {second.code})")
    tour.ran("Pod('twice', containers=[Container('x', ports=[80]), Container('y', ports=[80])]).start()")
    twice = [Container(name, tour.image, command=["true"], ports=[80]) for name in ("x", "y")]
    before = {info.id for info in tour.engine.containers({})}
    refused = False
    try:
        with tour.pod("twice", *twice):
            tour.saw("the pod started")
    except PortConflictError as error:
        refused = True
        tour.saw(f"PortConflictError: {error}")
    made = {info.id for info in tour.engine.containers({})} - before
    return judge.address_in_use(second.code, second.said) and refused and not made


@_claim(5, "one hostname", "Every member has the pod's hostname.")
def one_hostname(tour: Tour) -> bool:
    names = [tour.sh(member, "hostname").said for member in ALL_OF_A]
    for member, name in zip(ALL_OF_A, names, strict=True):
        tour.saw(f"{member}: {name}")
    return judge.one_hostname(names, "tour-a")


@_claim(6, "one IPC space", "System V and POSIX shared memory reach every member, and no other pod.")
def one_ipc_space(tour: Tour) -> bool:
    word = tour.namespace
    maker = tour.sh(
        "a/web",
        "syslogd -C16 -O /dev/null </dev/null >/dev/null 2>&1; "
        f"i=0; until logread | grep -q {word} || [ $i -ge 50 ]; do logger {word}; i=$((i+1)); sleep 0.1; done; "
        f"echo {word} > /dev/shm/tour; cat /proc/sysvipc/sem",
    )
    look = f"cat /proc/sysvipc/sem /dev/shm/tour; logread | grep -m1 {word}"
    other, stranger = tour.sh("a/worker", look), tour.sh("b/worker", look)
    for member, view in (("a/web", maker), ("a/worker", other), ("b/worker", stranger)):
        keys = sorted(f"key {key} id {ident}" for key, ident in judge.semaphores(view.said))
        found = f"'{word}' found {view.said.count(word)} times" if view is not maker else "wrote it"
        tour.saw(f"{member}: semaphores: {', '.join(keys) or 'none'}; {found}")
    return judge.ipc_shared(maker.said, other.said, stranger.said, word)


@_claim(7, "processes shared", "Members see each other's processes; PID 1 is the pause, which reaps orphans.")
def processes_shared(tour: Tour) -> bool:
    listed = tour.sh("a/worker", "ps -o pid,args")
    first = tour.sh("a/worker", "cat /proc/1/comm")
    orphan = tour.sh(
        "a/worker",
        'p=$(sh -c "sleep 60 >/dev/null & echo \\$!"); grep PPid /proc/$p/status; kill $p; '
        "i=0; while [ -e /proc/$p ] && [ $i -lt 50 ]; do i=$((i+1)); sleep 0.1; done; "
        "grep State /proc/$p/status 2>/dev/null || echo gone",
    )
    rows = [" ".join(row.split()) for row in listed.said.splitlines()]
    found = [next((row for row in rows if command in row), f"no '{command}'") for command in COMMANDS_OF_A]
    tour.saw(f"a/worker sees: {'; '.join(found)}")
    tour.saw(f"PID 1: {first.said.strip()}; an orphan: {', then '.join(orphan.said.splitlines())}")
    shared = judge.sees_processes(listed.said, COMMANDS_OF_A)
    return shared and judge.pause_is_first(first.said) and judge.orphan_reaped(orphan.said)


@_claim(8, "processes apart", "Where PIDs are not shared, ps in a member lists that member's processes only.")
def processes_apart(tour: Tour) -> bool:
    worker = tour.sh("b/worker", "ps -o pid,args").said
    web = tour.sh("b/web", "ps -o pid,args").said
    for member, listed in (("b/worker", worker), ("b/web", web)):
        tour.saw(
            f"{member} sees: " + "; ".join(" ".join(row.split())[:45] for row in listed.splitlines()[1:])
        )
    return judge.sees_only_own(worker, "sleep 3600", ["httpd -f"]) and judge.sees_only_own(
        web, "httpd -f", ["sleep 3600"]
    )


@_claim(9, "file systems apart", "A file written in one member exists there, and not in the others.")
def files_apart(tour: Tour) -> bool:
    writer = tour.sh("a/web", "echo mine > /tour-file; cat /tour-file")
    other = tour.sh("a/worker", "cat /tour-file")
    tour.saw(f"a/web: {writer.said.strip()}")
    tour.saw(f"a/worker: {other.said.strip()} (exit {other.code})")
    return judge.separate_files(writer.said, other.code, other.said, "mine")


@_claim(
    10,
    "volumes shared",
    "Members share a directory, on disk and in memory; memory has a limit, and outlives a restart.",
)
def volumes_shared(tour: Tour) -> bool:
    tour.sh("a/web", "echo on-disk > /logs/note; echo in-memory > /cache/note")
    disk = tour.sh("a/collector", "cat /logs/note").said
    memory = tour.sh("a/worker", "cat /cache/note; grep ' /cache ' /proc/mounts").said
    full = tour.sh(
        "a/web",
        f"dd if=/dev/zero of=/cache/big bs=1024 count={2 * MEMORY_LIMIT // 1024}; c=$?; rm /cache/big; exit $c",
    )
    tour.saw(f"a/collector: {disk.strip()}; a/worker: {' '.join(memory.split()[:4])}")
    tour.saw(
        "2 MiB into 1 MiB: " + next((line for line in full.said.splitlines() if "space" in line), full.said)
    )
    before, after = _kill_worker(tour)
    kept = tour.sh("a/worker", "cat /cache/note").said
    tour.saw(f"a/worker after its restart (number {_restarts(after)}): {kept.strip()}")
    shared = judge.answers(disk, "on-disk") and memory.startswith("in-memory") and " tmpfs " in memory
    return (
        shared
        and judge.size_enforced(full.code, full.said)
        and judge.restarted_alone(before, after, "worker")
        and judge.answers(kept, "in-memory")
    )


@_claim(11, "ports of their own", "Two pods bind the same port at the same time.")
def same_port(tour: Tour) -> bool:
    said = {pod: tour.sh(f"{pod}/worker", f"wget -qO- http://127.0.0.1:{PORT}/").said for pod in ("a", "b")}
    for pod, text in said.items():
        tour.saw(f"{tour.pods[pod].ip}:{PORT}: {text}")
    return all(judge.answers(text, f"hello from tour-{pod}") for pod, text in said.items())


@_claim(
    12,
    "a flat network",
    "Pods reach each other by IP, and each sees the other's own IP as the source: no NAT.",
)
def flat_network(tour: Tour) -> bool:
    proved = []
    for client, server in (("a", "b"), ("b", "a")):
        source, target = tour.pods[client].ip, tour.pods[server].ip
        answer = tour.sh(f"{client}/worker", f"wget -qO- http://{target}:{PORT}/greet").said
        log = tour.sh(f"{server}/web", "grep greet /logs/access.log").said
        tour.saw(
            f"{client} ({source}) asks {server} ({target}): {answer.strip()}; {server} logs: {log.strip()}"
        )
        proved.append(
            judge.answers(answer, f"hello from tour-{server}") and judge.source_is(log, "greet", source)
        )
    return all(proved)


@_claim(
    13,
    "containers of their own",
    "Each has its own log; one that is killed restarts alone, the others run on.",
)
def restarts_alone(tour: Tour) -> bool:
    words = {"web": "web of tour-a starts", "collector": "collector starts", "worker": "worker starts"}
    for name in words:
        tour.ran(f"pypod logs tour-a -c {name} -n {tour.namespace}")
    texts = {name: tour.pods["a"].logs(name) for name in words}
    for name, text in texts.items():
        tour.saw(f"{name} | {text.strip().partition(chr(10))[0]}")
    before, after = _kill_worker(tour)
    kept = [name for name in ("web", "collector") if name in before and after.get(name) == before[name]]
    tour.saw(
        f"a/worker restarts: {_restarts(after)}, before: {_restarts(before)}; same start time: {', '.join(kept)}"
    )
    return judge.own_streams(texts, words) and judge.restarted_alone(before, after, "worker")


def _restarts(lives: dict[str, Life]) -> int | str:
    return lives["worker"].restarts if "worker" in lives else "not running"


def _kill_worker(tour: Tour) -> tuple[dict[str, Life], dict[str, Life]]:
    """Kill the worker's process from another member; every container's life before, and once it is back."""
    tour.await_begun("a/worker", "pidof sleep")
    before = tour.lives("a")
    tour.sh("a/web", "kill -9 $(pidof sleep)")
    return before, tour.wait_restart("a", "worker", before["worker"])


@_claim(14, "a sidecar", "A collector reads, from a shared volume, what the web server writes.")
def sidecar(tour: Tour) -> bool:
    tour.sh("a/worker", f"wget -qO- http://127.0.0.1:{PORT}/order")
    written = tour.sh("a/web", "grep order /logs/access.log").said
    tour.ran(f"pypod logs tour-a -c collector -n {tour.namespace}")
    end = time.monotonic() + 30
    while True:  # tail looks once a second
        log = tour.pods["a"].logs("collector")
        if judge.collected(log, written, "order") or time.monotonic() > end:
            break
        time.sleep(0.1)
    lines = [line for line in log.splitlines() if "order" in line]
    tour.saw(f"web wrote: {written.strip()}")
    tour.saw(f"collector | {lines[0] if lines else '(nothing of it)'}")
    return judge.collected(log, written, "order")
