"""The embedded pause image: its binaries, and the archive that is made of them. Needs no engine."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pathlib
import re
import runpy
import struct
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from typing import Any

import pytest

from pypod.engine import pause

BUILD_SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "build-pause"
PAUSE_FOLDER = pathlib.Path(pause.__file__).parent
MOST_BYTES = 32 * 1024

ELF_MACHINES = {"386": 3, "amd64": 62, "arm/v7": 40, "arm64": 183, "ppc64le": 21, "riscv64": 243, "s390x": 22}
PT_DYNAMIC, PT_INTERP, PT_GNU_STACK = 2, 3, 0x6474E551
EXECUTABLE = 1


@pytest.fixture
def uncached() -> Iterator[None]:
    """The module with nothing remembered, so that a changed constant has its effect; and clean after."""
    forget()
    yield
    forget()


def forget() -> None:
    for function in (pause.binary, pause.reference, pause.archive, pause._layer):
        function.cache_clear()


def elf_machine(data: bytes) -> int:
    """The machine number of an ELF file, in the file's own byte order."""
    order = "<" if data[5] == 1 else ">"
    (machine,) = struct.unpack_from(order + "H", data, 18)
    return int(machine)


def program_headers(data: bytes) -> dict[int, int]:
    """The program headers of an ELF file: type -> flags."""
    order, wide = ("<" if data[5] == 1 else ">"), data[4] == 2
    offset = struct.unpack_from(order + ("Q" if wide else "I"), data, 32 if wide else 28)[0]
    size, count = struct.unpack_from(order + "HH", data, 54 if wide else 42)
    flags_at = 4 if wide else 24
    starts = [offset + index * size for index in range(count)]
    word = order + "I"
    return {
        struct.unpack_from(word, data, at)[0]: struct.unpack_from(word, data, at + flags_at)[0]
        for at in starts
    }


def members(data: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {entry.name: entry for entry in tar.getmembers()}


def content(data: bytes, name: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        stream = tar.extractfile(name)
        assert stream is not None
        return stream.read()


def manifest(arch: str) -> dict[str, Any]:
    (entry,) = json.loads(content(pause.archive(arch), "manifest.json"))
    assert isinstance(entry, dict)
    return entry


def config(arch: str) -> dict[str, Any]:
    parsed = json.loads(content(pause.archive(arch), manifest(arch)["Config"]))
    assert isinstance(parsed, dict)
    return parsed


def in_another_process(program: str) -> str:
    """What a fresh interpreter that finds the same packages prints."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    return run.stdout


every_architecture = pytest.mark.parametrize("arch", pause.architectures())


class TestBinaries:
    def test_amd64_and_arm64_are_there(self) -> None:
        assert {"amd64", "arm64"} <= set(pause.architectures())

    def test_each_binary_in_the_folder_belongs_to_an_architecture(self) -> None:
        expected = {f"pause-{arch.replace('/', '-')}" for arch in pause.architectures()}

        assert expected == {path.name for path in (PAUSE_FOLDER / "bin").iterdir()}

    @every_architecture
    def test_is_small(self, arch: str) -> None:
        assert 1024 < len(pause.binary(arch)) <= MOST_BYTES

    @every_architecture
    def test_is_an_executable_for_its_architecture(self, arch: str) -> None:
        data = pause.binary(arch)

        assert data[:4] == b"\x7fELF"
        assert elf_machine(data) == ELF_MACHINES[arch]

    @every_architecture
    def test_is_static_and_has_no_executable_stack(self, arch: str) -> None:
        headers = program_headers(pause.binary(arch))

        assert PT_INTERP not in headers
        assert PT_DYNAMIC not in headers
        assert not headers[PT_GNU_STACK] & EXECUTABLE

    @every_architecture
    def test_is_stripped_and_names_no_source(self, arch: str) -> None:
        data = pause.binary(arch)

        assert b".symtab" not in data
        assert b".debug" not in data
        assert b"pause.c" not in data

    def test_the_script_builds_exactly_these_architectures(self) -> None:
        assert set(runpy.run_path(str(BUILD_SCRIPT))["TARGETS"]) == set(pause.architectures())

    def test_the_program_and_the_module_agree_on_the_exit_code(self) -> None:
        source = (PAUSE_FOLDER / "pause.c").read_text(encoding="utf-8")

        assert re.findall(r"EXIT_LEASE_LOST = (\d+)", source) == [str(pause.LEASE_LOST_EXIT_CODE)]


class TestArchitectures:
    @pytest.mark.parametrize(
        ("word", "expected"),
        [
            ("x86_64", "amd64"),
            ("aarch64", "arm64"),
            ("armv7l", "arm/v7"),
            ("i686", "386"),
            ("ppc64le", "ppc64le"),
            ("s390x", "s390x"),
            ("riscv64", "riscv64"),
            ("arm", "arm/v7"),
            ("arm64/v8", "arm64"),
            ("linux/arm/v7", "arm/v7"),
            ("AMD64", "amd64"),
        ],
    )
    def test_an_engines_words_are_understood(self, word: str, expected: str) -> None:
        assert pause.normalise_architecture(word) == expected

    @every_architecture
    def test_the_names_themselves_are_understood(self, arch: str) -> None:
        assert pause.normalise_architecture(arch) == arch

    def test_no_word_belongs_to_two_architectures(self) -> None:
        words = [word for name, platform in pause._PLATFORMS.items() for word in {name, *platform.aliases}]

        assert len(words) == len(set(words))

    @pytest.mark.parametrize(
        "call", [pause.normalise_architecture, pause.binary, pause.archive, pause.reference]
    )
    def test_an_unknown_one_is_answered_with_what_there_is(self, call: Any) -> None:
        with pytest.raises(LookupError, match=r"architecture 'mips64'.* amd64, .*s390x"):
            call("mips64")


class TestSlots:
    def test_a_slot_has_a_path(self) -> None:
        assert pause.slot_path(0) == "/v/0"
        assert pause.slot_path(63) == "/v/63"

    @pytest.mark.parametrize("index", [-1, 64])
    def test_there_is_no_slot_outside_the_image(self, index: int) -> None:
        with pytest.raises(ValueError, match="slots for volumes 0 to 63"):
            pause.slot_path(index)


@every_architecture
class TestArchive:
    def test_is_named_by_its_reference(self, arch: str) -> None:
        assert manifest(arch)["RepoTags"] == [pause.reference(arch)]

    def test_the_tag_is_the_start_of_the_configurations_digest(self, arch: str) -> None:
        digest = hashlib.sha256(content(pause.archive(arch), manifest(arch)["Config"])).hexdigest()

        assert pause.reference(arch) == f"pypod/pause:{digest[:12]}"
        assert manifest(arch)["Config"] == f"{digest}.json"

    def test_the_configuration_is_of_this_layer(self, arch: str) -> None:
        (layer_name,) = manifest(arch)["Layers"]
        digest = hashlib.sha256(content(pause.archive(arch), layer_name)).hexdigest()

        assert config(arch)["rootfs"] == {"type": "layers", "diff_ids": [f"sha256:{digest}"]}

    def test_the_configuration_says_how_to_run_it(self, arch: str) -> None:
        assert config(arch)["config"] == {
            "Entrypoint": ["/pause"],
            "User": "65535:65535",
            "WorkingDir": "/",
            "Labels": {"io.pypod.role": "pause-image"},
        }

    def test_the_platform_is_the_architectures(self, arch: str) -> None:
        found = config(arch)
        variants = {"arm/v7": "v7", "arm64": "v8"}

        assert (found["os"], found["architecture"]) == ("linux", arch.split("/", maxsplit=1)[0])
        assert found.get("variant") == variants.get(arch)

    def test_the_layer_is_the_program_and_the_slots(self, arch: str) -> None:
        layer = content(pause.archive(arch), "layer.tar")
        entries = members(layer)

        assert set(entries) == {"pause", "v", *(f"v/{index}" for index in range(pause.VOLUME_SLOTS))}
        assert content(layer, "pause") == pause.binary(arch)
        assert entries["pause"].mode == 0o755
        assert entries["v"].mode == 0o755
        assert {entries[f"v/{index}"].mode for index in range(pause.VOLUME_SLOTS)} == {0o777}
        assert all(entries[f"v/{index}"].isdir() for index in range(pause.VOLUME_SLOTS))

    def test_nothing_of_this_machine_is_in_it(self, arch: str) -> None:
        archive = pause.archive(arch)

        for entry in [*members(archive).values(), *members(content(archive, "layer.tar")).values()]:
            assert (entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname) == (0, 0, 0, "", "")


class TestDeterminism:
    def test_another_process_makes_the_same_bytes(self) -> None:
        program = (
            "import hashlib; from pypod.engine import pause; "
            "print(*(hashlib.sha256(pause.archive(arch)).hexdigest() for arch in pause.architectures()))"
        )

        assert in_another_process(program).split() == [
            hashlib.sha256(pause.archive(arch)).hexdigest() for arch in pause.architectures()
        ]

    def test_every_architecture_has_a_reference_of_its_own(self) -> None:
        assert len({pause.reference(arch) for arch in pause.architectures()}) == len(pause.architectures())

    @pytest.mark.usefixtures("uncached")
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("binary", lambda _arch: b"another program"),
            ("USER", "1:1"),
            ("VOLUME_SLOTS", 63),
            ("IMAGE_LABELS", {}),
            ("_MODE_PROGRAM", 0o700),
            ("_MODE_SLOT", 0o755),
            ("ENTRYPOINT", "/other"),
        ],
    )
    def test_whatever_changes_in_the_image_changes_the_tag(
        self, monkeypatch: pytest.MonkeyPatch, name: str, value: object
    ) -> None:
        before = pause.reference("amd64")
        forget()

        with monkeypatch.context() as patch:
            patch.setattr(pause, name, value)
            changed = pause.reference("amd64")
        forget()

        assert changed != before
        assert pause.reference("amd64") == before

    def test_importing_reads_no_binary(self) -> None:
        program = (
            "import sys; opened = []; "
            "sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == 'open' else None); "
            "import pypod.engine.pause; "
            "print([path for path in opened if '/bin/pause-' in path])"
        )

        assert in_another_process(program).strip() == "[]"
