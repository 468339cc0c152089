"""Copying from and to a container: tar streams of any size, over connections of their own, a piece at a time."""

from __future__ import annotations

from collections.abc import Generator, Iterable

from pypod.engine.docker_errors import refusal
from pypod.engine.docker_streams import Reply, Wire, deadline_in, read_reply
from pypod.engine.docker_transport import Transport
from pypod.errors import EngineUnavailableError

PATIENCE = 60.0
"""Seconds without a single byte after which a copy is given up. A copy as a whole may take as long as it takes."""

_HEADERS = {"Content-Type": "application/x-tar", "Transfer-Encoding": "chunked"}


def pieces(reply: Reply, verb: str, container: str) -> Generator[bytes, None, None]:
    """An answer's body as it comes. Its end, `close` and the end of the generator's life close the connection."""
    found = _pieces(reply, verb, container)
    next(found)  # a generator that never began would not run its `finally`
    return found


def _pieces(reply: Reply, verb: str, container: str) -> Generator[bytes, None, None]:
    try:
        yield b""
        while data := _receive(reply, verb, container):
            yield data
        if not reply.complete:
            raise EngineUnavailableError(verb, container, "the connection ended in the middle of the archive")
    finally:
        reply.wire.close()


def _receive(reply: Reply, verb: str, container: str) -> bytes:
    try:
        return reply.receive(deadline_in(PATIENCE))
    except TimeoutError as error:
        detail = f"the engine sent nothing for {PATIENCE:g} s"
        raise EngineUnavailableError(verb, container, detail) from error


def upload(
    transport: Transport, wire: Wire, path: str, archive: Iterable[bytes], verb: str, container: str
) -> None:
    """PUT an archive over `wire`, which it closes. What `archive` raises is passed on, and ends the copy."""
    try:
        taken = _sent(wire, transport.head("PUT", path, _HEADERS), verb, container)
        for piece in archive if taken else ():
            if piece and not _sent(wire, b"%x\r\n%b\r\n" % (len(piece), piece), verb, container):
                break
        else:
            _sent(wire, b"0\r\n\r\n", verb, container)
        reply = _answer(wire, verb, container)
        if reply.status != 200:
            raise refusal(verb, container, reply.status, reply.error_message())
    finally:
        wire.close()


def _sent(wire: Wire, data: bytes, verb: str, container: str) -> bool:
    """Whether it was taken. What the engine refuses it does not read to the end: then its answer says why."""
    try:
        wire.send(data, deadline_in(PATIENCE))
    except TimeoutError as error:
        detail = f"the engine took nothing for {PATIENCE:g} s"
        raise EngineUnavailableError(verb, container, detail) from error
    except OSError:
        return False
    return True


def _answer(wire: Wire, verb: str, container: str) -> Reply:
    try:
        return read_reply(wire, deadline_in(PATIENCE))
    except OSError as error:
        raise EngineUnavailableError(verb, container, f"the engine broke off: {error}") from error
