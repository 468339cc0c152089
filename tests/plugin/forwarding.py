"""A port of this machine that leads to a port in another network namespace, as a tunnel to an engine elsewhere does."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator

FORWARD = """\
import contextlib, socket, sys, threading
listener, port = socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2])
def copy(source, target):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
def serve(near):
    with near, socket.create_connection(("127.0.0.1", port)) as far:
        back = threading.Thread(target=copy, args=(far, near), daemon=True)
        back.start()
        copy(near, far)
        back.join()
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""


@contextlib.contextmanager
def forwarded(process: int, port: int) -> Iterator[int]:
    """The port of this machine's loopback that leads there.

    Args:
        process: one that is in the other network namespace.
        port: of that one's loopback.
    """
    # The socket stays in the namespace that it was made in; what is dialled is in the program's own.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = ["nsenter", f"--net=/proc/{process}/ns/net", sys.executable, "-c", FORWARD]
        number = listener.fileno()
        program = subprocess.Popen([*command, str(number), str(port)], pass_fds=[number])
        try:
            yield listener.getsockname()[1]
        finally:
            program.kill()
            program.wait()
