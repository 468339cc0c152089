"""The contract of what volumes need: what is at a path, parts of volumes, and the pause program's work on files."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable

import pytest

from pypod.engine.api import Engine, PathInfo
from pypod.errors import EngineError, NotFoundError
from pypod.model.wiring.requests import MountRequest
from tests.contract.harness import Contract

Entry = tuple[str, int, int, bytes | None, str]
"""Path, mode, group, content (None: none) and where it leads."""


def packed(entries: Iterable[Entry]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, mode, group, data, link in entries:
            member = tarfile.TarInfo(path)
            member.mode, member.gid, member.size, member.linkname = mode, group, len(data or b""), link
            member.type = tarfile.SYMTYPE if link else tarfile.DIRTYPE if data is None else tarfile.REGTYPE
            tar.addfile(member, io.BytesIO(data or b""))
    return buffer.getvalue()


def listed(engine: Engine, container: str, path: str) -> dict[str, tuple[int, int, str]]:
    """Mode, group and content or end of a link, by path; the directory itself is empty text."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(b"".join(engine.get_archive(container, path)))) as tar:
        for member in tar:
            stream = tar.extractfile(member) if member.isreg() else None
            content = stream.read().decode() if stream else member.linkname
            name = member.name.partition("/")[2].rstrip("/")
            found[name] = (member.mode & 0o7777, member.gid, content)
    return found


class TestPaths:
    def test_what_is_there(self, contract: Contract, engine: Engine) -> None:
        made = contract.run("one")
        entries: list[Entry] = [
            ("d", 0o2750, 5, None, ""),
            ("d/f", 0o4640, 5, b"x", ""),
            ("l", 0o777, 0, None, "d/f"),
        ]
        engine.put_archive(made, "/tmp", [packed(entries)])
        assert engine.stat(made, "/tmp/d") == PathInfo("directory", 0o2750)
        assert engine.stat(made, "/tmp/d/f") == PathInfo("file", 0o4640)
        assert engine.stat(made, "/tmp/l").kind == "link"
        assert engine.stat(made, "/tmp").mode == 0o1777

    def test_also_where_it_never_ran(self, contract: Contract, engine: Engine) -> None:
        assert engine.stat(contract.create("one"), "/etc").kind == "directory"

    def test_what_is_not_there(self, contract: Contract, engine: Engine) -> None:
        made = contract.run("one")
        with pytest.raises(NotFoundError):
            engine.stat(made, "/tmp/nothing")
        with pytest.raises(NotFoundError):
            engine.stat("contract-nobody-has-this", "/tmp")


class TestPartsOfVolumes:
    def test_a_directory_of_a_volume(self, contract: Contract, engine: Engine) -> None:
        """By its path on the engine's host: what every engine can."""
        volume = contract.volume()
        [info] = [each for each in engine.volumes(contract.labels) if each.name == volume]
        holder = contract.run_pause(mounts=(MountRequest(volume, "/v/0"),))
        engine.put_archive(
            holder, "/v/0", [packed([("a", 0o777, 0, None, ""), ("a/f", 0o644, 0, b"in", "")])]
        )
        part = MountRequest(f"{info.mountpoint}/a", "/part", bind=True, read_only=True)
        made = contract.run("one", "cat", "/part/f", mounts=(part,))
        contract.ended(made)
        assert contract.log(made) == b"in"

    def test_one_that_is_missing(self, contract: Contract, engine: Engine) -> None:
        volume = contract.volume()
        [info] = [each for each in engine.volumes(contract.labels) if each.name == volume]
        part = MountRequest(f"{info.mountpoint}/a", "/part", bind=True)
        with pytest.raises(EngineError, match="bind source path does not exist"):
            contract.create("one", mounts=(part,))

    def test_a_volume_in_memory_has_its_group(self, contract: Contract, engine: Engine) -> None:
        volume = contract.volume(memory=True, group=1234)
        made = contract.run_pause(mounts=(MountRequest(volume, "/v/0"),))
        assert listed(engine, made, "/v/0")[""][:2] == (0o2777, 1234)
        plain = contract.volume("plain", memory=True)
        other = contract.run_pause("other", mounts=(MountRequest(plain, "/v/0"),))
        assert listed(engine, other, "/v/0")[""][:2] == (0o777, 0)


FILES: list[Entry] = [
    ("a", 0o700, 5, None, ""),
    ("a/f", 0o400, 5, b"x", ""),
    ("a/l", 0o777, 5, None, "/etc/passwd"),
    ("s", 0o4755, 5, b"y", ""),
]


class TestPauseProgram:
    """What it does with the files of volumes."""

    def own(self, contract: Contract, what: str, volume: str, *words: str) -> tuple[int | None, bytes]:
        mounts = (MountRequest(volume, "/v/0"),)
        made = contract.run_pause(what, command=("own", *words, "/v/0"), user="0:0", mounts=mounts)
        return contract.ended(made).exit_code, contract.log(made)

    def test_all_that_is_in_a_volume_is_given_to_a_group(self, contract: Contract, engine: Engine) -> None:
        volume = contract.volume()
        holder = contract.run_pause("holder", mounts=(MountRequest(volume, "/v/0"),))
        engine.put_archive(holder, "/v/0", [packed(FILES)])
        assert self.own(contract, "own", volume, "1234") == (0, b"")
        found = listed(engine, holder, "/v/0")
        assert {group for _, group, _ in found.values()} == {1234}
        assert {path: oct(mode) for path, (mode, _, _) in found.items() if path != "a/l"} == {
            "": oct(found[""][0] | 0o2770),
            "a": "0o2770",
            "a/f": "0o660",
            "s": "0o4775",
        }

    def test_only_on_a_mismatch(self, contract: Contract, engine: Engine) -> None:
        volume = contract.volume()
        holder = contract.run_pause("holder", mounts=(MountRequest(volume, "/v/0"),))
        assert self.own(contract, "first", volume, "--on-mismatch", "1234") == (0, b"")
        engine.put_archive(holder, "/v/0", [packed(FILES)])
        assert self.own(contract, "again", volume, "--on-mismatch", "1234") == (0, b"")
        assert listed(engine, holder, "/v/0")["a/f"][:2] == (0o400, 5)
        assert self.own(contract, "other", volume, "--on-mismatch", "4321") == (0, b"")
        assert listed(engine, holder, "/v/0")["a/f"][:2] == (0o660, 4321)

    def test_what_is_missing_is_said(self, contract: Contract) -> None:
        made = contract.run_pause(command=("own", "5", "/nowhere"), user="0:0")
        assert contract.ended(made).exit_code == 1
        assert contract.log(made) == b"cannot look at /nowhere: no such file or directory\n"

    def test_a_version_takes_the_place_of_another(self, contract: Contract, engine: Engine) -> None:
        volume = contract.volume(memory=True)
        mounts = (MountRequest(volume, "/v/0"),)
        holder = contract.run_pause(mounts=mounts, read_only=True, drop_capabilities=True)
        old: list[Entry] = [
            ("..1", 0o755, 7, None, ""),
            ("..1/a", 0o400, 7, b"old", ""),
            ("..1/b", 0o755, 7, None, ""),
            ("..1/b/c", 0o400, 7, b"gone", ""),
            ("..data", 0o777, 0, None, "..1"),
            ("a", 0o777, 0, None, "..data/a"),
            ("b", 0o777, 0, None, "..data/b"),
        ]
        new: list[Entry] = [
            ("..2", 0o755, 7, None, ""),
            ("..2/a", 0o400, 7, b"new", ""),
            ("..2/n", 0o400, 7, b"more", ""),
            ("..data_tmp", 0o777, 0, None, "..2"),
        ]
        engine.put_archive(holder, "/v/0", [packed(old)])
        engine.put_archive(holder, "/v/0", [packed(new)])
        stream = contract.closing(engine.exec(holder, ["/pause", "publish", "/v/0"], user="0:0"))
        said = b""
        while (frame := stream.read(20)) is not None:
            said += frame.data
        contract.until(lambda: stream.exit_code() is not None, "it ends")
        assert (stream.exit_code(), said) == (0, b"")
        found = listed(engine, holder, "/v/0")
        assert {path: content for path, (_, _, content) in found.items()} == {
            "": "",
            "..2": "",
            "..2/a": "new",
            "..2/n": "more",
            "..data": "..2",
            "a": "..data/a",
            "n": "..data/n",
        }
