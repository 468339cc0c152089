"""What can be written after `pypod`. Names the handlers as text, so that only the one that is needed gets imported."""

from __future__ import annotations

import argparse
import datetime
import re
import time
from collections.abc import Callable
from importlib import metadata

DESCRIPTION = "Kubernetes-style pods on a plain Docker Engine."
EPILOG = "'pypod COMMAND --help' explains a command, with an example. Try 'pypod demo' first."


def split_command(words: list[str]) -> tuple[list[str], list[str]]:
    """What stands before the first ``--``, and the command after it."""
    if "--" not in words:
        return words, []
    at = words.index("--")
    return words[:at], words[at + 1 :]


class _Version(argparse.Action):
    """`--version`, which reads the package's metadata only when asked."""

    def __init__(self, option_strings: list[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="print pypod's version")

    def __call__(self, parser: argparse.ArgumentParser, *_ignored: object) -> None:
        try:
            version = metadata.version("pypod")
        except metadata.PackageNotFoundError:
            version = "(not installed)"
        print(f"pypod {version}")
        parser.exit()


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    # No option is read as another one that begins like it: `--name x` is not `--namespace x`.
    parser = argparse.ArgumentParser(prog="pypod", description=DESCRIPTION, epilog=EPILOG, allow_abbrev=False)
    parser.add_argument("--version", action=_Version)
    parser.add_argument("-H", "--host", default="", metavar="URL", help="the engine, as in DOCKER_HOST")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    def add(name: str, handler: str, text: str, example: str) -> argparse.ArgumentParser:
        command = commands.add_parser(
            name,
            help=text,
            description=text[0].upper() + text[1:] + ".",
            epilog=f"example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.set_defaults(handler=handler)
        return command

    _up(add)
    _life(add)
    _manifests(add)
    _objects(add)
    _look(add)
    _into(add)
    _files_and_tools(add)
    _upkeep(add)
    return parser


Adder = Callable[[str, str, str, str], argparse.ArgumentParser]


def _up(add: Adder) -> None:
    up = add(
        "up",
        "up:up",
        "start the pods of manifests, follow their logs, and remove them at Ctrl-C",
        "pypod up -f pod.yaml     # -d leaves it running and returns",
    )
    _file(up, required=True)
    _pull(up)
    up.add_argument(
        "-d", "--detach", action="store_true", help="return when it has started; it stays until 'pypod down'"
    )
    up.add_argument(
        "--ttl",
        type=seconds,
        metavar="TIME",
        help="with -d: it is removed that long after it has started; given again, after that time from then on",
    )
    up.add_argument(
        "--wait",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="return, or follow, when it has started; with --no-wait at once",
    )
    up.add_argument(
        "--timeout", type=seconds, default=60.0, metavar="TIME", help="how long starting may take (60s)"
    )
    up.add_argument(
        "--trace",
        metavar="FILE",
        help="say what took how long, and write it to FILE for chrome://tracing or ui.perfetto.dev",
    )


def _life(add: Adder) -> None:
    down = add("down", "life:down", "stop and remove a pod", "pypod down web --grace 5s")
    down.add_argument("pod", nargs="?", default="", metavar="NAME", help="the pod")
    _file(down, required=False)
    down.add_argument(
        "--claims", action="store_true", help="with -f: delete the manifests' claims too, and their files"
    )
    _namespace(down)
    down.add_argument(
        "--grace", type=seconds, metavar="TIME", help="between stop signal and kill (as the pod says: 30s)"
    )
    wait = add(
        "wait",
        "life:wait",
        "wait until a pod is where you want it",
        "pypod wait web --for=condition=Ready --timeout=60s",
    )
    wait.add_argument("pod", metavar="POD")
    _namespace(wait)
    wait.add_argument(
        "--for",
        dest="goal",
        required=True,
        metavar="GOAL",
        help="condition=Ready|Started, phase=Running|Succeeded|Failed, or delete",
    )
    wait.add_argument(
        "--timeout", type=seconds, default=30.0, metavar="TIME", help="how long at most (30s, as kubectl)"
    )


def _manifests(add: Adder) -> None:
    validate = add(
        "validate",
        "before:validate",
        "tell all that is wrong with manifests; no engine is asked",
        "pypod validate -f pod.yaml",
    )
    _file(validate, required=True)
    plan = add(
        "plan", "before:plan", "print what 'up' would do now, and touch nothing", "pypod plan -f pod.yaml"
    )
    _file(plan, required=True)
    _pull(plan)
    diff = add(
        "diff",
        "before:diff",
        "print what differs from what the engine has; exit code 1 where something does",
        "pypod diff -f pod.yaml",
    )
    _file(diff, required=True)
    _pull(diff)
    apply = add(
        "apply",
        "up:apply",
        "apply objects and begin pods that stay, waiting for nothing",
        "pypod apply -f settings.yaml",
    )
    _file(apply, required=True)
    _pull(apply)
    apply.add_argument(
        "--timeout", type=seconds, default=60.0, metavar="TIME", help="how long a sandbox may take (60s)"
    )
    export = add("export", "get:export", "print a pod as a manifest", "pypod export web > web.yaml")
    export.add_argument("pod", metavar="POD")
    _namespace(export)
    _output(export, "yaml", "json")


def _objects(add: Adder) -> None:
    get = add(
        "get", "get:get", "list ConfigMaps, Secrets or claims, or print some", "pypod get cm settings -o yaml"
    )
    get.add_argument(
        "kind", metavar="KIND[,KIND]", help="configmap (cm), secret or pvc; or KIND/NAME [KIND/NAME ...]"
    )
    get.add_argument("names", nargs="*", metavar="NAME", help="these only")
    _namespace(get)
    get.add_argument("-A", "--all-namespaces", action="store_true", help="of every namespace")
    get.add_argument("-o", "--output", choices=("yaml", "json", "name"), help="another form than the table")
    delete = add("delete", "get:delete", "delete ConfigMaps, Secrets or claims", "pypod delete secret login")
    delete.add_argument(
        "kind", metavar="KIND[,KIND]", help="configmap (cm), secret or pvc; or KIND/NAME [KIND/NAME ...]"
    )
    delete.add_argument("names", nargs="*", metavar="NAME", help="which")
    _namespace(delete)


def _look(add: Adder) -> None:
    ps = add("ps", "ps:ps", "list pods", "pypod ps -A -o wide")
    _namespace(ps)
    ps.add_argument("-A", "--all-namespaces", action="store_true", help="of every namespace")
    ps.add_argument("-o", "--output", choices=("wide", "json", "name"), help="another form than the table")
    ps.add_argument("-l", "--selector", default="", metavar="K=V[,K=V]", help="with these labels only")
    describe = add("describe", "describe:describe", "tell all about a pod", "pypod describe web")
    describe.add_argument("pod", metavar="POD")
    _namespace(describe)
    trace = add(
        "trace",
        "trace:trace",
        "tell how long the steps of a running pod's start took",
        "pypod trace web -o web.json",
    )
    trace.add_argument("pod", metavar="POD")
    _namespace(trace)
    trace.add_argument(
        "-o",
        "--output",
        default="",
        metavar="FILE",
        help="write it there too, for chrome://tracing or ui.perfetto.dev",
    )
    events = add("events", "events:events", "list what happened to a pod, or to all", "pypod events web -w")
    events.add_argument("pod", nargs="?", default="", metavar="POD", help="of this pod only")
    _namespace(events)
    events.add_argument("-A", "--all-namespaces", action="store_true", help="of every namespace")
    events.add_argument(
        "-w", "--watch", action="store_true", help="go on as things happen, until the pod is gone"
    )


def _into(add: Adder) -> None:
    logs = add(
        "logs", "look:logs", "print what a pod's containers wrote", "pypod logs web -c nginx -f --tail 10"
    )
    logs.add_argument("pod", metavar="POD")
    _namespace(logs)
    _container(logs, "of this container (else: all, each line with its container)")
    logs.add_argument("-f", "--follow", action="store_true", help="go on as they write")
    logs.add_argument(
        "-p", "--previous", action="store_true", help="of the last instance that ended, before a restart"
    )
    logs.add_argument("--tail", type=count, metavar="N", help="the last N lines of each only")
    logs.add_argument(
        "--since", type=moment, metavar="TIME", help="younger lines only: 10s, 5m, 1h, or an RFC 3339 time"
    )
    logs.add_argument("--timestamps", action="store_true", help="put the time before each line")
    run = add(
        "exec",
        "look:execute",
        "run a command in a container, and end with its exit code",
        "pypod exec web -c cache -- redis-cli ping",
    )
    run.usage = "pypod exec [-h] [-n NAMESPACE] [-c CONTAINER] [-i] POD -- COMMAND [ARG ...]"
    run.add_argument("pod", metavar="POD")
    _namespace(run)
    _container(run, "in this container (else: the pod's first)")
    run.add_argument("-i", "--stdin", action="store_true", help="pass standard input on")


def _files_and_tools(add: Adder) -> None:
    ports = add(
        "port-forward",
        "forward:forward",
        "let ports of this machine lead to ports of a pod, until Ctrl-C",
        "pypod port-forward web 8080:80     # or: 80, the same here; :80, a free one; https, by its name",
    )
    ports.add_argument("pod", metavar="POD")
    ports.add_argument("port", metavar="[LOCAL:]PORT", nargs="+", help="here, and in the pod")
    _namespace(ports)
    ports.add_argument(
        "--address",
        default="127.0.0.1",
        metavar="IP",
        help="where to listen (127.0.0.1); 0.0.0.0 lets others in",
    )
    copy = add(
        "cp",
        "copy:copy",
        "copy files and directories into or out of a container",
        "pypod cp web:/etc/nginx ./nginx -c proxy     # or: pypod cp ./site web:/var/www",
    )
    copy.usage = "pypod cp [-h] [-n NAMESPACE] [-c CONTAINER] POD:PATH PATH|-\n       pypod cp [-h] [-n NAMESPACE] [-c CONTAINER] PATH|- POD:PATH"
    copy.add_argument("source", metavar="SOURCE", help="POD:PATH, a path here, or - for a tar stream")
    copy.add_argument("destination", metavar="DESTINATION", help="POD:PATH, a path here, or -")
    _namespace(copy)
    _container(copy, "of this container (else: the pod's first)")
    debug = add(
        "debug",
        "debug:debug",
        "let one more container join a running pod, with tools of your own",
        "pypod debug web --image busybox --target app -- sleep 1d",
    )
    debug.usage = "pypod debug [-h] [-n NAMESPACE] [--name NAME] --image IMAGE [--target CONTAINER] [--env K=V] POD [-- COMMAND ...]"
    debug.add_argument("pod", metavar="POD")
    _namespace(debug)
    debug.add_argument("--image", required=True, help="of what")
    debug.add_argument("--target", metavar="CONTAINER", help="the container whose processes it sees")
    debug.add_argument(
        "-c", "--container", "--name", metavar="NAME", help="its name (made up: debugger-xxxxx)"
    )
    debug.add_argument(
        "--env", action="append", default=[], metavar="K=V", help="an environment variable; may be repeated"
    )


def _upkeep(add: Adder) -> None:
    add("sweep", "upkeep:sweep", "remove what dead owners left on the engine", "pypod sweep")
    add(
        "doctor", "doctor:doctor", "check the engine and what pypod needs of it", "pypod -H ssh://host doctor"
    )
    demo = add("demo", "demo:demo", "prove, live, what pypod says about its pods", "pypod demo --only 3,7")
    demo.add_argument("--only", default="", metavar="N[,N]", help="these claims only")
    demo.add_argument(
        "--image", default="", help="an image with busybox's programs (else: found, pulled or built)"
    )
    demo.add_argument("-v", "--verbose", action="store_true", help="print commands in full")
    add(
        "supervise",
        "upkeep:supervise",
        "look after detached pods and remove what dead owners left, until ended",
        "pypod supervise",
    )


def _file(command: argparse.ArgumentParser, *, required: bool) -> None:
    command.add_argument(
        "-f",
        "--file",
        action="append",
        required=required,
        default=[],
        metavar="FILE",
        help="a manifest, or a directory of them (*.yaml, *.yml, *.json); - reads stdin; may be repeated",
    )
    command.add_argument(
        "--validate",
        choices=("strict", "warn", "ignore"),
        default="strict",
        help="about fields and kinds that Kubernetes does not have, and fields that are there twice (strict)",
    )


def _pull(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--pull",
        choices=("Always", "IfNotPresent", "Never"),
        help="of every container, in place of its imagePullPolicy",
    )


def _output(command: argparse.ArgumentParser, *forms: str) -> None:
    command.add_argument("-o", "--output", choices=forms, default=forms[0], help=f"the form ({forms[0]})")


def _namespace(command: argparse.ArgumentParser) -> None:
    command.add_argument("-n", "--namespace", default="default", help="the pod's namespace (default)")


def _container(command: argparse.ArgumentParser, text: str) -> None:
    command.add_argument("-c", "--container", default="", metavar="CONTAINER", help=text)


_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(text: str) -> float:
    """``90``, ``90s``, ``5m``, ``1h30m``, ``250ms`` as seconds."""
    if text.replace(".", "", 1).isdecimal():
        return float(text)
    if not re.fullmatch(r"(\d+(\.\d+)?(ms|s|m|h|d))+", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is no time; 30, 30s, 5m, 1h30m and 250ms are")
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"([\d.]+)(ms|s|m|h|d)", text))


def moment(text: str) -> float:
    """A time, or so long ago: Unix seconds."""
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is not None and found.tzinfo is not None:
        return found.timestamp()
    try:
        return time.time() - seconds(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time; 30s, 5m, 1h30m and 2026-01-31T12:00:00Z are"
        ) from None


def count(text: str) -> int:
    """A number of lines."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of lines")
    return int(text)
