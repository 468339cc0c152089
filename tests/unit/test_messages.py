"""The termination messages of containers: what is read of a file or a log, and how little."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Generator

import pytest

from pypod.engine import messages
from pypod.engine.api import Frame
from pypod.errors import EngineError, NotFoundError
from pypod.model.life.plan import ReadMessage
from pypod.model.wiring.requests import ContainerRequest
from pypod.testing import FakeEngine, Program

PATH = "/v/0/web_0"


class ArchiveEngine(FakeEngine):
    """Gives one archive, in pieces of a size, and notes whether it was read to its end or let go."""

    def __init__(self, archive: bytes, size: int = 10_000) -> None:
        super().__init__()
        self.archive, self.size, self.closed = archive, size, False

    def get_archive(self, container: str, path: str) -> Generator[bytes, None, None]:
        try:
            for start in range(0, len(self.archive), self.size):
                yield self.archive[start : start + self.size]
        finally:
            self.closed = True


def archive_of(data: bytes, kind: bytes = tarfile.REGTYPE) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("web_0")
        info.type, info.size = kind, len(data)
        archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def of_file(engine: FakeEngine, log: str = "") -> str:
    return messages.read_message(engine, ReadMessage("web", 0, "pause", PATH, log, "it exited with code 1"))


@pytest.mark.parametrize("size", [1, 511, 513, 10_000_000])
@pytest.mark.parametrize("length", [0, 1, 4096, 4097, 70_000])
def test_the_last_4096_bytes_of_a_file_however_it_comes(length: int, size: int) -> None:
    data = (b"0123456789" * 7_000)[:length]
    engine = ArchiveEngine(archive_of(data), size)
    assert of_file(engine) == data[-4096:].decode()
    assert engine.closed


def test_what_is_no_text_is_replaced() -> None:
    assert of_file(ArchiveEngine(archive_of(b"a\xffb"))) == "a\N{REPLACEMENT CHARACTER}b"


@pytest.mark.parametrize("kind", [tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.SYMTYPE])
def test_what_is_no_file_has_no_message(kind: bytes) -> None:
    assert of_file(ArchiveEngine(archive_of(b"", kind))) == ""


def test_an_archive_without_anything_has_no_message() -> None:
    assert of_file(ArchiveEngine(bytes(10_240))) == ""


@pytest.mark.parametrize("archive", [b"no archive at all" * 100, archive_of(b"x" * 5000)[:1024]])
def test_an_archive_that_cannot_be_read_is_an_error_of_the_engine(archive: bytes) -> None:
    engine = ArchiveEngine(archive)
    with pytest.raises(EngineError, match=rf"cannot read file of container .*pause:{PATH}"):
        of_file(engine)
    assert engine.closed


def test_a_file_that_is_not_there() -> None:
    engine = FakeEngine()
    engine.add_image("app:1")
    made = engine.create_container(ContainerRequest(name="pause", image="app:1", labels={}))
    with pytest.raises(NotFoundError):
        messages.read_message(engine, ReadMessage("web", 0, made, PATH, "", ""))


def logged(*output: str | bytes | Frame) -> tuple[FakeEngine, str]:
    engine = FakeEngine()
    engine.add_image("app:1")
    engine.program("talks", Program(output=output, runs_for=0, exit_code=1))
    made = engine.create_container(ContainerRequest(name="web", image="app:1", labels={}, command=("talks",)))
    engine.start_container(made)
    return engine, made


def of_log(engine: FakeEngine, container: str) -> str:
    return messages.read_message(engine, ReadMessage("web", 0, "", "", container, ""))


def test_a_log_gives_its_last_80_lines() -> None:
    engine, made = logged(*(f"line {number}" for number in range(100)))
    assert of_log(engine, made).splitlines() == [f"line {number}" for number in range(20, 100)]


def test_a_log_gives_its_last_2048_bytes() -> None:
    engine, made = logged("x" * 3000, "end")
    text = of_log(engine, made)
    assert len(text) == 2048
    assert text.endswith("x\nend\n")


def test_both_streams_of_a_log_count() -> None:
    engine, made = logged("out", Frame(2, b"err\n"))
    assert of_log(engine, made) == "out\nerr\n"


def test_a_log_is_asked_for_only_where_the_file_is_empty() -> None:
    assert of_file(ArchiveEngine(archive_of(b"words")), log="nobody") == "words"
    with pytest.raises(NotFoundError):
        of_file(ArchiveEngine(archive_of(b"")), log="nobody")


def test_empty_files_are_for_anybody() -> None:
    with tarfile.open(fileobj=io.BytesIO(messages.empty_files(("web_0", "log_1")))) as archive:
        found = [(member.name, member.mode, member.size, member.isfile()) for member in archive]
    assert found == [("web_0", 0o666, 0, True), ("log_1", 0o666, 0, True)]
