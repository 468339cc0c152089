"""Copies into and out of a container: docker cp's rules, what is kept, and that nothing leads out of the destination."""

from __future__ import annotations

import io
import os
import re
import socket
import stat
import tarfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from pypod.archives import PIECE, Archive, ArchiveError, pack
from pypod.copying import Copying
from pypod.errors import CopyError, EngineError, EngineUnavailableError
from pypod.model.wiring.requests import ContainerRequest
from pypod.testing import FakeEngine


@pytest.fixture
def engine() -> FakeEngine:
    made = FakeEngine()
    made.add_image("image")
    made.create_container(ContainerRequest("box", "image", {}))
    return made


@pytest.fixture
def copying(engine: FakeEngine) -> Copying:
    return Copying(engine, "box", pod="ns/pod", name="web")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """``file``, ``tree/`` with a file, an empty directory, a link that leads nowhere, and a hard link."""
    (tmp_path / "file").write_text("content")
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "script").write_text("#!/bin/sh")
    (tree / "script").chmod(0o751)
    (tree / "sub").chmod(0o700)
    (tree / "link").symlink_to("/nowhere")
    os.link(tree / "script", tree / "twin")
    os.utime(tree / "script", (1_000_000, 1_000_000))
    return tmp_path


def inside(engine: FakeEngine, path: str) -> dict[str, tarfile.TarInfo]:
    """What the container has there, by name, as the engine itself packs it."""
    data = b"".join(engine.get_archive("box", path))
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {member.name: member for member in tar}


def text_of(engine: FakeEngine, path: str) -> str:
    with tarfile.open(fileobj=io.BytesIO(b"".join(engine.get_archive("box", path)))) as tar:
        file = tar.extractfile(tar.getmembers()[0])
        assert file is not None
        return file.read().decode()


# --- where it goes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("destination", "expected"),
    [("/tmp", "/tmp/file"), ("/tmp/", "/tmp/file"), ("/tmp/new", "/tmp/new"), ("tmp/.", "/tmp/file"), ("/etc/hosts", "/etc/hosts")],
)  # fmt: skip
def test_a_file_goes_in(
    engine: FakeEngine, copying: Copying, here: Path, destination: str, expected: str
) -> None:
    copying.copy_in(str(here / "file"), destination)
    assert text_of(engine, expected) == "content"


@pytest.mark.parametrize(
    ("source", "destination", "expected"),
    [("tree", "/tmp", "/tmp/tree/script"), ("tree", "/tmp/new", "/tmp/new/script"), ("tree/.", "/tmp", "/tmp/script"), ("tree/.", "/tmp/new", "/tmp/new/script"), ("tree/", "/tmp/new/", "/tmp/new/script")],
)  # fmt: skip
def test_a_directory_goes_in(
    engine: FakeEngine, copying: Copying, here: Path, source: str, destination: str, expected: str
) -> None:
    copying.copy_in(f"{here}/{source}", destination)
    assert text_of(engine, expected) == "#!/bin/sh"


@pytest.mark.parametrize(
    ("source", "destination", "expected"),
    [("/etc/passwd", "", "passwd"), ("etc/passwd", "new", "new"), ("/etc", "", "etc/passwd"), ("/etc", "new", "new/passwd"), ("/etc/.", "", "passwd"), ("/etc/.", "new", "new/passwd"), ("/etc/", "new", "new/passwd")],
)  # fmt: skip
def test_files_and_directories_come_out(
    copying: Copying, tmp_path: Path, source: str, destination: str, expected: str
) -> None:
    copying.copy_out(source, str(tmp_path / destination))
    assert (tmp_path / expected).read_text().startswith("root:")


def test_a_link_to_the_destination_is_followed(engine: FakeEngine, copying: Copying, here: Path) -> None:
    (here / "to-tmp").symlink_to("tmp")
    copying.copy_in(str(here / "to-tmp"), "/alias")
    copying.copy_in(str(here / "file"), "/alias")
    assert text_of(engine, "/tmp/file") == "content"
    (here / "target").mkdir()
    (here / "alias").symlink_to("target")
    copying.copy_out("/tmp/file", str(here / "alias"))
    assert (here / "target" / "file").read_text() == "content"


def test_a_link_as_the_source_is_copied_as_a_link_unless_a_slash_follows_it(
    engine: FakeEngine, copying: Copying, here: Path
) -> None:
    (here / "alias").symlink_to("tree")
    copying.copy_in(str(here / "alias"), "/tmp/link")
    assert inside(engine, "/tmp/link")["link"].linkname == "tree"
    copying.copy_in(f"{here / 'alias'}/", "/tmp/real")
    assert inside(engine, "/tmp/real/script")["script"].isreg()
    copying.copy_in(str(here / "tree"), "/tmp/tree")
    (here / "out").mkdir()
    copying.copy_out("/tmp/link", str(here / "out"))
    assert os.readlink(here / "out" / "link") == "tree"
    (here / "real").mkdir()
    copying.copy_out("/tmp/link/", str(here / "real"))
    assert not (here / "real" / "link").is_symlink()
    assert (here / "real" / "link" / "script").read_text() == "#!/bin/sh"


# --- what is kept ----------------------------------------------------------------------------------------------------


def test_modes_links_and_times_are_kept_on_the_way_in(
    engine: FakeEngine, copying: Copying, here: Path
) -> None:
    copying.copy_in(str(here / "tree"), "/tmp/tree")
    found = inside(engine, "/tmp/tree")
    assert found["tree/script"].mode == 0o751
    assert found["tree/script"].mtime == 1_000_000
    assert found["tree/sub"].isdir()
    assert found["tree/sub"].mode == 0o700
    assert found["tree/link"].linkname == "/nowhere"
    assert {(member.uid, member.gid) for member in found.values()} == {(0, 0)}


def test_modes_links_and_times_survive_both_ways(copying: Copying, here: Path) -> None:
    (here / "tree" / "sub" / "deep").write_text("deep")
    (here / "tree" / "sub").chmod(0o500)
    copying.copy_in(str(here / "tree"), "/tmp/tree")
    copying.copy_out("/tmp/tree", str(here / "back"))
    back = here / "back"
    assert sorted(path.name for path in back.iterdir()) == ["link", "script", "sub", "twin"]
    assert stat.S_IMODE((back / "script").stat().st_mode) == 0o751
    assert (back / "script").stat().st_mtime == 1_000_000
    assert stat.S_IMODE((back / "sub").stat().st_mode) == 0o500
    assert (back / "sub" / "deep").read_text() == "deep"
    assert os.readlink(back / "link") == "/nowhere"
    assert (back / "script").stat().st_uid == os.getuid()


def test_hard_links_stay_links(here: Path) -> None:
    with Archive(pack(str(here / "tree"), "tree")) as archive:
        archive.unpack(str(here), "again")
    assert (here / "again" / "twin").samefile(here / "again" / "script")


def test_setuid_is_dropped_where_the_owner_changes(here: Path) -> None:
    (here / "file").chmod(0o6755)
    with Archive(pack(str(here / "file"), "file")) as archive:
        assert archive.root.mode == 0o6755
        archive.unpack(str(here), "out")
    assert stat.S_IMODE((here / "out").stat().st_mode) == 0o755


def test_names_of_any_length_and_bytes_survive(here: Path) -> None:
    long = here / "tree" / ("d" * 200) / ("e" * 200)
    long.mkdir(parents=True)
    odd = os.fsdecode(b"caf\xe9 \n\xff")
    (long / odd).write_text("odd")
    with Archive(pack(str(here / "tree"), "tree")) as archive:
        archive.unpack(str(here), "again")
    assert (here / "again" / ("d" * 200) / ("e" * 200) / odd).read_text() == "odd"


def test_a_pipe_is_copied_and_a_socket_passed_over(here: Path) -> None:
    os.mkfifo(here / "tree" / "pipe", 0o600)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(here / "tree" / "socket"))
        with Archive(pack(str(here / "tree"), "tree")) as archive:
            archive.unpack(str(here), "again")
    assert stat.S_ISFIFO((here / "again" / "pipe").stat().st_mode)
    assert not (here / "again" / "socket").exists()


def test_much_is_copied_in_little_memory(tmp_path: Path) -> None:
    size = 64 * 1024 * 1024
    with (tmp_path / "big").open("wb") as file:
        file.truncate(size)
    tracemalloc.start()
    try:
        with Archive(pack(str(tmp_path / "big"), "big")) as archive:
            archive.unpack(str(tmp_path), "copy")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (tmp_path / "copy").stat().st_size == size
    assert peak < 16 * PIECE


# --- what is refused ---------------------------------------------------------------------------------------------------

WEB = re.escape("container 'web' of pod 'ns/pod'")


@pytest.mark.parametrize(
    ("source", "destination", "why"),
    [
        ("none", "/tmp", "there is no '.*none'"),
        ("file/", "/tmp", "there is no '.*file/'|is no directory"),
        ("file", "/none/", "there is no directory '/none/'; it must exist"),
        ("file", "/none/new", "there is no directory '/none'; it must exist"),
        ("tree", "/none/new", "there is no directory '/none'; it must exist"),
        ("tree", "/etc/hosts", "'/etc/hosts' is no directory"),
        ("file", "/etc/hosts/", "'/etc/hosts/' is no directory"),
        ("file", "/etc/hosts/new", "there is no directory '/etc/hosts'; it must exist"),
        ("hosts", "/etc", "'/etc/hosts' is a file, the source is a directory"),
        ("bin", "/", "'/bin' is a directory, the source is a file"),
    ],
)
def test_what_cannot_go_in_says_why(
    copying: Copying, here: Path, source: str, destination: str, why: str
) -> None:
    (here / "hosts").mkdir()
    (here / "bin").write_text("x")
    with pytest.raises(CopyError, match=rf"^cannot copy '.*' to '{destination}' of {WEB}: ({why})"):
        copying.copy_in(f"{here}/{source}", destination)


@pytest.mark.parametrize(
    ("source", "destination", "why"),
    [
        ("/none", "", "there is no '/none' in the container"),
        ("/etc/passwd/", "", "is no directory|there is no"),
        ("/etc/passwd", "none/", "there is no directory '.*/none/'; it must exist"),
        ("/etc/passwd", "none/new", "there is no directory '.*/none'; it must exist"),
        ("/etc", "file", "is no directory"),
        ("/etc/hosts", "tree", "'.*/tree/hosts' is a directory, the source is a file"),
    ],
)
def test_what_cannot_come_out_says_why(
    copying: Copying, here: Path, source: str, destination: str, why: str
) -> None:
    (here / "tree" / "hosts").mkdir()
    with pytest.raises(CopyError, match=rf"^cannot copy '{source}' of {WEB} to '.*': .*({why})"):
        copying.copy_out(source, f"{here}/{destination}")


def test_a_container_that_went_is_named(engine: FakeEngine, copying: Copying, here: Path) -> None:
    engine.remove_container("box")
    with pytest.raises(CopyError, match="the container is gone"):
        copying.copy_in(str(here / "file"), "/tmp")
    with pytest.raises(CopyError, match="the container is gone"):
        copying.copy_out("/etc/passwd", str(here))


def test_an_unreadable_file_is_what_is_reported(
    copying: Copying, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.readlink

    def refuse(path: str) -> str:
        if str(path).endswith("/link"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "readlink", refuse)
    with pytest.raises(CopyError, match=r"Permission denied: '.*tree/link'"):
        copying.copy_in(str(here / "tree"), "/tmp")


def test_an_engine_that_refuses_or_is_away_is_told_apart(
    engine: FakeEngine, copying: Copying, here: Path
) -> None:
    engine.inject("put_archive", EngineError("copy to container", "box", "marked read-only"))
    with pytest.raises(CopyError, match=r": marked read-only$"):
        copying.copy_in(str(here / "file"), "/tmp")
    engine.inject("get_archive", EngineUnavailableError("copy from container", "box", "nobody"))
    with pytest.raises(EngineUnavailableError):
        copying.copy_out("/etc", str(here / "new"))


def archive_of(*entries: tuple[str, bytes, str]) -> Iterator[bytes]:
    """A stream of these entries: name, type, content or link."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, kind, value in entries:
            info = tarfile.TarInfo(name)
            info.type = kind
            if kind == tarfile.REGTYPE:
                info.size = len(value)
                tar.addfile(info, io.BytesIO(value.encode()))
            else:
                info.linkname = value
                info.mode = 0o755
                tar.addfile(info)
    return iter([buffer.getvalue()])


DIRECTORY, LINK, HARD, FILE = tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.REGTYPE


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ([("d", DIRECTORY, ""), ("d/l", LINK, "{out}"), ("d/l/evil", FILE, "x")], "no directory"),
        ([("d", DIRECTORY, ""), ("d/l", LINK, ".."), ("d/l/evil", FILE, "x")], "no directory"),
        ([("d", DIRECTORY, ""), ("d/l", LINK, "{out}"), ("d/l", DIRECTORY, "")], "cannot overwrite"),
        ([("d", DIRECTORY, ""), ("d/../../evil", FILE, "x")], "leads out of the destination"),
        ([("d", DIRECTORY, ""), ("/evil", FILE, "x")], "is outside of 'd'"),
        ([("d", DIRECTORY, ""), ("d/h", HARD, "../secret")], "leads out of the destination"),
        ([("d", DIRECTORY, ""), ("d/h", HARD, "secret")], "is outside of 'd'"),
        ([("d", DIRECTORY, ""), ("d/l", LINK, "{out}"), ("d/h", HARD, "d/l/secret")], "no directory"),
        ([("d", DIRECTORY, ""), ("d/null", tarfile.CHRTYPE, "")], "is a device"),
        (
            [("d", DIRECTORY, ""), ("d/sub", DIRECTORY, ""), ("d/sub", FILE, "x")],
            "cannot overwrite directory",
        ),
    ],
)
def test_no_archive_writes_outside_of_its_destination(
    tmp_path: Path, entries: list[tuple[str, bytes, str]], why: str
) -> None:
    out, target = tmp_path / "out", tmp_path / "target"
    out.mkdir()
    target.mkdir()
    (out / "secret").write_text("secret")
    filled = [(name, kind, value.format(out=out)) for name, kind, value in entries]
    with Archive(archive_of(*filled)) as archive, pytest.raises(ArchiveError, match=why):
        archive.unpack(str(target), "d")
    assert sorted(path.name for path in out.iterdir()) == ["secret"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "target"]
    assert (out / "secret").stat().st_nlink == 1


def test_a_link_in_the_way_of_a_file_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "f").symlink_to(tmp_path / "victim")
    with Archive(archive_of(("d", DIRECTORY, ""), ("d/f", FILE, "new"))) as archive:
        archive.unpack(str(tmp_path / "target"), "")
    assert (tmp_path / "victim").read_text() == "precious"
    assert (tmp_path / "target" / "f").read_text() == "new"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ([], "no tar stream|is empty"),
        ([b"nonsense" * 100], "no tar stream"),
        ([b"", bytes(1024)], "is empty"),
    ],
)
def test_what_is_no_archive_is_refused(data: list[bytes], why: str) -> None:
    with pytest.raises(ArchiveError, match=why):
        Archive(iter(data))


def test_a_stream_that_breaks_off_is_no_whole_copy(tmp_path: Path) -> None:
    whole = next(archive_of(("f", FILE, "x" * 5000)))
    with (
        Archive(iter([whole[:2000]])) as archive,
        pytest.raises(ArchiveError, match=r"ends within 'f'|is broken"),
    ):
        archive.unpack(str(tmp_path), "f")


def test_a_file_that_shrinks_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(bytes(4 * PIECE))
    pieces = pack(str(path), "log")
    next(pieces)
    path.write_bytes(b"short")
    with pytest.raises(ArchiveError, match="became shorter"):
        list(pieces)


def test_a_stream_is_let_go_however_it_ends(tmp_path: Path) -> None:
    closed: list[bool] = []

    def endless() -> Iterator[bytes]:
        try:
            yield next(archive_of(("f", FILE, "x")))
            yield b"more"
        finally:
            closed.append(True)

    with Archive(endless()) as archive:
        assert archive.root.name == "f"
    assert closed == [True]
