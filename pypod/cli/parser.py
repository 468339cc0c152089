"""What can be written after `pypod`. Names the handlers as text, so that only the one that is needed gets imported."""

from __future__ import annotations

import argparse
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
    parser = argparse.ArgumentParser(prog="pypod", description=DESCRIPTION, epilog=EPILOG)
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
        )
        command.set_defaults(handler=handler)
        return command

    _life(add)
    _look(add)
    _upkeep(add)
    return parser


Adder = Callable[[str, str, str, str], argparse.ArgumentParser]


def _life(add: Adder) -> None:
    up = add(
        "up",
        "life:up",
        "start the pod of a manifest, follow its logs, and remove it at Ctrl-C",
        "pypod up -f pod.yaml     # -d leaves it running and returns",
    )
    _file(up, required=True)
    up.add_argument(
        "-d", "--detach", action="store_true", help="return when it has started; it stays until 'pypod down'"
    )
    up.add_argument(
        "--timeout", type=seconds, default=60.0, metavar="TIME", help="how long starting may take (60s)"
    )
    down = add("down", "life:down", "stop and remove a pod", "pypod down web --grace 5s")
    down.add_argument("pod", nargs="?", default="", metavar="NAME", help="the pod")
    _file(down, required=False)
    _namespace(down)
    down.add_argument(
        "--grace", type=seconds, metavar="TIME", help="between stop signal and kill (as the pod says: 30s)"
    )
    plan = add(
        "plan", "life:plan", "print what 'up' would do now, and touch nothing", "pypod plan -f pod.yaml"
    )
    _file(plan, required=True)


def _look(add: Adder) -> None:
    ps = add("ps", "ps:ps", "list pods", "pypod ps -A -o wide")
    _namespace(ps)
    ps.add_argument("-A", "--all-namespaces", action="store_true", help="of every namespace")
    ps.add_argument("-o", "--output", choices=("wide", "json", "name"), help="another form than the table")
    ps.add_argument("-l", "--selector", default="", metavar="K=V[,K=V]", help="with these labels only")
    logs = add(
        "logs", "look:logs", "print what a pod's containers wrote", "pypod logs web -c nginx -f --tail 10"
    )
    logs.add_argument("pod", metavar="POD")
    _namespace(logs)
    _container(logs, "of this container (else: all, each line with its container)")
    logs.add_argument("-f", "--follow", action="store_true", help="go on as they write")
    logs.add_argument("--tail", type=count, metavar="N", help="the last N lines of each only")
    logs.add_argument("--since", type=seconds, metavar="TIME", help="of the last TIME only: 30s, 5m, 1h")
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
        required=required,
        default="",
        metavar="FILE",
        help="a Kubernetes Pod manifest; - reads stdin",
    )


def _namespace(command: argparse.ArgumentParser) -> None:
    command.add_argument("-n", "--namespace", default="default", help="the pod's namespace (default)")


def _container(command: argparse.ArgumentParser, text: str) -> None:
    command.add_argument("-c", "--container", default="", metavar="CONTAINER", help=text)


def seconds(text: str) -> float:
    """``90``, ``90s``, ``5m``, ``1h``, ``250ms`` as seconds."""
    for unit, factor in (("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("", 1.0)):
        number = text.removesuffix(unit)
        if text.endswith(unit) and number.replace(".", "", 1).isdecimal():
            return float(number) * factor
    raise argparse.ArgumentTypeError(f"{text!r} is no time; 30, 30s, 5m, 1h and 250ms are")


def count(text: str) -> int:
    """A number of lines."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of lines")
    return int(text)
