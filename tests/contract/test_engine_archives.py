"""The contract of copying files from and to containers."""

from __future__ import annotations

import io
import itertools
import os
import tarfile
import threading
from collections.abc import Iterable, Iterator

import pytest

from pypod.engine.api import Engine
from pypod.errors import EngineError, NotFoundError
from pypod.model.wiring.requests import MountRequest
from tests.contract.harness import Contract

MISSING = "contract-nobody-has-this"


def packed(**files: bytes) -> bytes:
    """A tar archive of files of mode 0640."""
    members = []
    for name, content in files.items():
        member = tarfile.TarInfo(name.replace("__", "/"))
        member.size, member.mode, member.mtime = len(content), 0o640, 1_600_000_000
        members.append((member, content))
    return archive(members)


def archive(members: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for member, content in members:
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def unpacked(pieces: Iterable[bytes]) -> dict[str, tuple[str, int, bytes]]:
    """Of each entry its kind (``f``, ``d``, ``l``), its mode, and its content or where it leads."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as tar:
        for member in tar:
            stream = tar.extractfile(member) if member.isreg() else None
            content = stream.read() if stream else member.linkname.encode()
            kind = "f" if member.isreg() else "d" if member.isdir() else "l"
            found[member.name] = (kind, member.mode & 0o7777, content)
    return found


class TestWays:
    """There and back, in every state of a container."""

    def test_a_running_one(self, contract: Contract, engine: Engine) -> None:
        made = contract.run("one")
        engine.put_archive(made, "/tmp", [packed(a=b"text\n")])
        assert unpacked(engine.get_archive(made, "/tmp/a")) == {"a": ("f", 0o640, b"text\n")}
        stream = contract.closing(engine.exec(made, ["cat", "/tmp/a"]))
        frame = stream.read(20)
        assert frame is not None
        assert frame.data == b"text\n"

    def test_what_a_program_wrote(self, contract: Contract, engine: Engine) -> None:
        made = contract.run(
            "one", "sh", "-c", "echo one >/tmp/x; echo two >>/tmp/x; echo no >/tmp/y; echo 2 >/tmp/y"
        )
        contract.ended(made)
        assert unpacked(engine.get_archive(made, "/tmp/x")) == {"x": ("f", 0o644, b"one\ntwo\n")}
        assert unpacked(engine.get_archive(made, "/tmp/y")) == {"y": ("f", 0o644, b"2\n")}

    def test_a_created_one(self, contract: Contract, engine: Engine) -> None:
        made = contract.create("one", "cat", "/tmp/a")
        engine.put_archive(made, "/tmp", [packed(a=b"text\n")])
        assert unpacked(engine.get_archive(made, "/tmp/a")) == {"a": ("f", 0o640, b"text\n")}
        engine.start_container(made)
        contract.ended(made)
        assert contract.log(made) == b"text\n"

    def test_an_ended_one_keeps_its_own(self, contract: Contract, engine: Engine) -> None:
        made = contract.run("one", "sh", "-c", "cat /tmp/b; echo x >/tmp/a")
        contract.ended(made)
        engine.put_archive(made, "/tmp", [packed(b=b"late\n")])
        assert unpacked(engine.get_archive(made, "/tmp/a")) == {"a": ("f", 0o644, b"x\n")}
        engine.start_container(made)
        contract.ended(made)
        assert contract.log(made).endswith(b"late\n")

    def test_by_name(self, contract: Contract, engine: Engine) -> None:
        contract.create("one")
        engine.put_archive(contract.name("one"), "/tmp/", [packed(a=b"")])
        assert unpacked(engine.get_archive(contract.name("one"), "/tmp/a")) == {"a": ("f", 0o640, b"")}


class TestTrees:
    def test_modes_and_links_are_kept(self, contract: Contract, engine: Engine) -> None:
        made = contract.create("one")
        folder, link = tarfile.TarInfo("d"), tarfile.TarInfo("d/link")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o1770
        link.type, link.linkname = tarfile.SYMTYPE, "../elsewhere"
        file = tarfile.TarInfo("d/deep/file")
        file.mode, file.size = 0o4755, 3
        engine.put_archive(made, "/tmp", [archive([(folder, b""), (link, b""), (file, b"abc")])])
        found = unpacked(engine.get_archive(made, "/tmp/d"))
        assert found["d"] == ("d", 0o1770, b"")
        assert found["d/link"][::2] == ("l", b"../elsewhere")
        assert found["d/deep"][0] == "d"
        assert found["d/deep/file"] == ("f", 0o4755, b"abc")
        assert unpacked(engine.get_archive(made, "/tmp/d/link")).keys() == {"link"}
        assert unpacked(engine.get_archive(made, "/tmp/d/.")).keys() >= {".", "./deep/file"}

    def test_a_link_on_the_way_is_followed(self, contract: Contract, engine: Engine) -> None:
        made = contract.create("one")
        link = tarfile.TarInfo("to")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc"
        engine.put_archive(made, "/tmp", [archive([(link, b"")])])
        assert unpacked(engine.get_archive(made, "/tmp/to/passwd")).keys() == {"passwd"}
        engine.put_archive(made, "/tmp/to", [packed(new=b"1")])
        assert unpacked(engine.get_archive(made, "/etc/new"))["new"][2] == b"1"

    def test_files_are_replaced(self, contract: Contract, engine: Engine) -> None:
        made = contract.create("one")
        engine.put_archive(made, "/tmp", [packed(d__a=b"1", d__b=b"2")])
        engine.put_archive(made, "/tmp", [packed(d__a=b"3")])
        found = unpacked(engine.get_archive(made, "/tmp/d"))
        assert (found["d/a"][2], found["d/b"][2]) == (b"3", b"2")

    def test_an_owner_is_kept(self, contract: Contract, engine: Engine) -> None:
        made = contract.create("one")
        member = tarfile.TarInfo("a")
        member.uid, member.gid = 1234, 4321
        engine.put_archive(made, "/tmp", [archive([(member, b"")])])
        with tarfile.open(fileobj=io.BytesIO(b"".join(engine.get_archive(made, "/tmp/a")))) as tar:
            (found,) = tar
        assert (found.uid, found.gid) == (1234, 4321)

    def test_nothing_at_all(self, contract: Contract, engine: Engine) -> None:
        made = contract.create("one")
        engine.put_archive(made, "/tmp", [])
        assert unpacked(engine.get_archive(made, "/tmp")).keys() == {"tmp"}


class TestSize:
    def test_pieces_of_any_size(self, contract: Contract, engine: Engine) -> None:
        made = contract.create("one")
        content = os.urandom(300_000)
        whole = packed(a=content)
        cuts = [0, 1, 1, 512, 70_000, 299_999, len(whole)]
        engine.put_archive(made, "/tmp", (whole[a:b] for a, b in itertools.pairwise(cuts)))
        pieces = list(engine.get_archive(made, "/tmp/a"))
        assert max(map(len, pieces)) <= 1 << 17
        assert unpacked(pieces)["a"][2] == content

    def test_it_can_be_given_up(self, contract: Contract, engine: Engine) -> None:
        made = contract.create("one")
        engine.put_archive(made, "/tmp", [packed(a=bytes(8 << 20))])
        for taken in range(3):
            stream = engine.get_archive(made, "/tmp/a")
            assert all(next(stream) for _ in range(taken))
            stream.close()
            assert list(stream) == []
        assert sum(map(len, engine.get_archive(made, "/tmp/a"))) > 8 << 20

    def test_many_at_once(self, contract: Contract, engine: Engine) -> None:
        made = contract.create("one")
        wrong: list[int] = []

        def go(number: int) -> None:
            content = bytes([number]) * 200_000
            engine.put_archive(made, "/tmp", [packed(**{f"f{number}": content})])
            if unpacked(engine.get_archive(made, f"/tmp/f{number}"))[f"f{number}"][2] != content:
                wrong.append(number)

        threads = [threading.Thread(target=go, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert not any(thread.is_alive() for thread in threads)
        assert wrong == []
        assert len(unpacked(engine.get_archive(made, "/tmp"))) == 7

    def test_a_source_that_fails_ends_the_copy(self, contract: Contract, engine: Engine) -> None:
        made = contract.create("one")

        def source() -> Iterator[bytes]:
            yield packed(a=b"1")[:600]
            raise OSError(5, "the disk is broken")

        with pytest.raises(OSError, match="the disk is broken") as caught:
            engine.put_archive(made, "/tmp", source())
        assert not isinstance(caught.value, EngineError)

    def test_from_one_to_another(self, contract: Contract, engine: Engine) -> None:
        one, two = contract.create("one"), contract.create("two")
        engine.put_archive(one, "/tmp", [packed(a=b"1" * 200_000)])
        engine.put_archive(two, "/tmp", engine.get_archive(one, "/tmp/a"))
        assert unpacked(engine.get_archive(two, "/tmp/a"))["a"][2] == b"1" * 200_000


class TestRefusals:
    def test_no_such_container(self, engine: Engine) -> None:
        with pytest.raises(NotFoundError, match=MISSING):
            engine.get_archive(MISSING, "/tmp")
        with pytest.raises(NotFoundError, match=MISSING):
            engine.put_archive(MISSING, "/tmp", [packed(a=b"")])

    def test_no_such_path(self, contract: Contract, engine: Engine) -> None:
        made = contract.create("one")
        for path in ("/no/such", "/tmp/no"):
            with pytest.raises(NotFoundError, match=path):
                engine.get_archive(made, path)
            with pytest.raises(NotFoundError, match=path):
                engine.put_archive(made, path, [packed(a=b"")])

    def test_a_refusal_comes_though_much_is_sent(self, contract: Contract, engine: Engine) -> None:
        made = contract.create("one")
        with pytest.raises(NotFoundError, match="/no/such"):
            engine.put_archive(made, "/no/such", itertools.repeat(bytes(65536), 500))

    def test_a_file_is_no_directory(self, contract: Contract, engine: Engine) -> None:
        made = contract.create("one")
        with pytest.raises(EngineError, match="not a directory"):
            engine.put_archive(made, "/etc/passwd", [packed(a=b"")])

    def test_what_is_no_archive(self, contract: Contract, engine: Engine) -> None:
        made = contract.create("one")
        with pytest.raises(EngineError) as caught:
            engine.put_archive(made, "/tmp", [b"no archive" * 1000])
        assert not isinstance(caught.value, NotFoundError)

    def test_a_way_out_of_the_directory(self, contract: Contract, engine: Engine) -> None:
        made = contract.create("one")
        with pytest.raises(EngineError):
            engine.put_archive(made, "/tmp", [packed(**{"..__etc__a": b""})])
        with pytest.raises(NotFoundError):
            engine.get_archive(made, "/etc/a")

    def test_a_root_that_is_read_only(self, contract: Contract, engine: Engine) -> None:
        volume = contract.volume()
        mounts = (MountRequest(volume, "/data"), MountRequest(volume, "/look", read_only=True))
        made = contract.run("one", read_only=True, mounts=mounts)
        for path in ("/tmp", "/look"):
            with pytest.raises(EngineError, match="read-only"):
                engine.put_archive(made, path, [packed(a=b"")])
        engine.put_archive(made, "/data", [packed(a=b"1")])
        assert unpacked(engine.get_archive(made, "/look/a"))["a"][2] == b"1"


class TestVolumes:
    def test_they_outlive_containers(self, contract: Contract, engine: Engine) -> None:
        mounts = (MountRequest(contract.volume(), "/data"),)
        one = contract.create("one", mounts=mounts)
        engine.put_archive(one, "/data", [packed(a=b"1")])
        engine.remove_container(one)
        two = contract.create("two", mounts=mounts)
        assert unpacked(engine.get_archive(two, "/data/a"))["a"][2] == b"1"

    def test_a_containers_own_files_do_not(self, contract: Contract, engine: Engine) -> None:
        one = contract.create("one")
        engine.put_archive(one, "/tmp", [packed(a=b"1")])
        engine.remove_container(one)
        with pytest.raises(NotFoundError):
            engine.get_archive(contract.create("one"), "/tmp/a")

    def test_one_in_memory_is_empty_when_its_last_user_ends(self, contract: Contract, engine: Engine) -> None:
        mounts = (MountRequest(contract.volume(memory=True), "/data"),)
        one, two = contract.run("one", mounts=mounts), contract.run("two", mounts=mounts)
        engine.put_archive(one, "/data", [packed(a=b"1")])
        engine.kill_container(one)
        contract.ended(one)
        assert unpacked(engine.get_archive(two, "/data/a"))["a"][2] == b"1"
        engine.kill_container(two)
        contract.ended(two)
        engine.start_container(two)
        with pytest.raises(NotFoundError):
            engine.get_archive(two, "/data/a")

    def test_a_fresh_one_takes_the_mode_of_the_images_directory(
        self, contract: Contract, engine: Engine
    ) -> None:
        volume, other = contract.volume(), contract.volume("other")
        mounts = (MountRequest(volume, "/v/0", copy_image=True), MountRequest(other, "/v/1"))
        made = contract.run_pause(mounts=mounts)
        assert unpacked(engine.get_archive(made, "/v/0")) == {"0": ("d", 0o777, b"")}
        assert unpacked(engine.get_archive(made, "/v/1")) == {"1": ("d", 0o755, b"")}

    def test_only_who_may_can_write(self, contract: Contract, engine: Engine) -> None:
        made = contract.run("one", "sh", "-c", "echo x >/etc/x; echo y >/tmp/y; cat /tmp/y", user="1234:1234")
        contract.ended(made)
        # In either order: the engine reads the two streams apart (28.5 told the later one first).
        lines = contract.log(made).splitlines()
        assert len(lines) == 2
        assert b"y" in lines
        assert any(b"ermission denied" in line for line in lines)
        with pytest.raises(NotFoundError):
            engine.get_archive(made, "/etc/x")

    def test_a_bind_of_a_file_that_is_not_there_is_refused(self, contract: Contract, engine: Engine) -> None:
        contract.volume()
        (info,) = engine.volumes(contract.labels)
        with pytest.raises(EngineError, match="bind source path does not exist"):
            contract.create("one", mounts=(MountRequest(f"{info.mountpoint}/none", "/tmp/log", bind=True),))


class TestTerminationMessages:
    """The whole way of a message: an empty file in a volume of the pause, bound into a member, read when that has ended."""

    def test_the_way_of_a_message(self, contract: Contract, engine: Engine) -> None:
        volume = contract.volume()
        (info,) = engine.volumes(contract.labels)
        pause = contract.create_pause(
            read_only=True,
            drop_capabilities=True,
            no_new_privileges=True,
            mounts=(MountRequest(volume, "/v/0", copy_image=True),),
        )
        engine.start_container(pause)
        empty = tarfile.TarInfo("app_0")
        empty.mode = 0o666
        engine.put_archive(pause, "/v/0", [archive([(empty, b"")])])
        assert unpacked(engine.get_archive(pause, "/v/0/app_0")) == {"app_0": ("f", 0o666, b"")}
        bind = MountRequest(f"{info.mountpoint}/app_0", "/dev/termination-log", bind=True)
        member = contract.member(
            "app",
            pause,
            "sh",
            "-c",
            "echo it went wrong >/dev/termination-log; echo twice >>/dev/termination-log; exit 3",
            user="1234:1234",
            read_only=True,
            drop_capabilities=True,
            mounts=(bind,),
        )
        engine.start_container(member)
        ended = contract.ended(member)
        assert (ended.exit_code, contract.log(member)) == (3, b"")
        wanted = ("f", 0o666, b"it went wrong\ntwice\n")
        assert unpacked(engine.get_archive(pause, "/v/0/app_0")) == {"app_0": wanted}
        assert unpacked(engine.get_archive(member, "/dev/termination-log"))["termination-log"] == wanted
        engine.remove_container(member)
        assert unpacked(engine.get_archive(pause, "/v/0")).keys() == {"0", "0/app_0"}
        engine.kill_container(pause)
        contract.ended(pause)
        assert unpacked(engine.get_archive(pause, "/v/0/app_0")) == {"app_0": wanted}
