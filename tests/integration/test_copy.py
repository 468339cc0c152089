"""Copies on a real engine, judged against `docker cp` and by what the container itself says."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pypod import Container, CopyError, Pod, Volume
from tests import images
from tests.integration.conftest import STAY, sh


@pytest.fixture(scope="module")
def pod(module_namespace: str, docker_engine: object) -> Iterator[Pod]:
    """Two members that share a volume on disk and one in memory; the second runs as nobody."""
    mounts = {"disk": "/disk", "memory": "/memory"}
    containers = [
        Container("one", images.TOOLS, command=STAY, mounts=mounts),
        Container("two", images.BUSYBOX, command=STAY, mounts=mounts, user="65534"),
    ]
    with Pod(
        "copies",
        namespace=module_namespace,
        containers=containers,
        volumes=[Volume.empty_dir("disk"), Volume.empty_dir("memory", medium="Memory")],
        termination_grace_period_seconds=0,
    ) as made:
        yield made


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Modes, a link, a broken link, a hard link, an empty directory, a name in UTF-8, a setuid program."""
    root = tmp_path / "tree"
    (root / "empty").mkdir(parents=True)
    (root / "run").write_text("#!/bin/sh\necho ran\n")
    (root / "run").chmod(0o755)
    (root / "secret").write_text("s")
    (root / "secret").chmod(0o600)
    (root / "setuid").write_text("x")
    (root / "setuid").chmod(0o4755)
    (root / "empty").chmod(0o1777)
    (root / "link").symlink_to("run")
    (root / "broken").symlink_to("/no/where")
    os.link(root / "run", root / "twin")
    (root / "größe").write_text("u")
    return root


def listing(path: Path) -> dict[str, tuple[int, str]]:
    """Mode and content, or where a link leads, of everything below."""
    found = {}
    for each in sorted(path.rglob("*")):
        mode = each.lstat().st_mode
        text = os.readlink(each) if each.is_symlink() else each.read_text() if each.is_file() else ""
        found[str(each.relative_to(path))] = (0 if each.is_symlink() else stat.S_IMODE(mode), text)
    return found


def test_a_tree_arrives_as_docker_cp_would_bring_it(pod: Pod, tree: Path) -> None:
    pod.copy_to(tree, "/by-pypod")
    container = pod.status.container("one").container_id
    subprocess.run(["docker", "cp", str(tree), f"{container}:/by-docker"], check=True, capture_output=True)
    look = r"cd /by-{}; find . -mindepth 1 -printf '%p %m %U:%G %y %l\n' | sort; cat run secret"
    assert sh(pod, "one", look.format("pypod")) == sh(pod, "one", look.format("docker"))
    assert sh(pod, "one", "/by-pypod/run") == "ran\n"
    assert sh(pod, "one", "stat -c %i /by-pypod/run /by-pypod/twin | uniq | wc -l").strip() == "1"


def test_a_tree_comes_back_as_it_was_but_for_setuid(pod: Pod, tree: Path, tmp_path: Path) -> None:
    pod.copy_to(tree, "/round")
    pod.copy_from("/round", tmp_path / "back")
    expected = listing(tree)
    expected["setuid"] = (0o755, "x")
    assert listing(tmp_path / "back") == expected
    assert (tmp_path / "back" / "run").stat().st_uid == os.getuid()
    assert (tmp_path / "back" / "run").samefile(tmp_path / "back" / "twin")


def test_a_whole_system_directory_with_its_links_comes_out(pod: Pod, tmp_path: Path) -> None:
    links = int(sh(pod, "one", "find /etc -type l | wc -l"))
    pod.copy_from("/etc", tmp_path)
    assert links > 0
    assert sum(path.is_symlink() for path in (tmp_path / "etc").rglob("*")) == links


@pytest.mark.parametrize("volume", ["/disk", "/memory"])
def test_a_volume_is_what_the_container_sees(pod: Pod, tmp_path: Path, volume: str) -> None:
    (tmp_path / "in").write_text("shared")
    pod.copy_to(tmp_path / "in", volume)
    assert sh(pod, "two", f"cat {volume}/in") == "shared"
    pod.copy_from(f"{volume}/in", tmp_path / "out", "two")
    assert (tmp_path / "out").read_text() == "shared"


def test_links_in_the_container_lead_the_destination_and_nothing_else(pod: Pod, tmp_path: Path) -> None:
    sh(pod, "one", "mkdir -p /links/real; ln -sfn real /links/dir; ln -sfn /links/dir /links/far")
    (tmp_path / "f").write_text("x")
    pod.copy_to(tmp_path / "f", "/links/far")
    assert sh(pod, "one", "cat /links/real/f") == "x"
    sh(pod, "one", f"mkdir -p /trap; ln -sfn {tmp_path} /trap/out")
    pod.copy_from("/trap/.", tmp_path / "got")
    assert os.readlink(tmp_path / "got" / "out") == str(tmp_path)  # a link; nothing was written through it


def test_much_goes_both_ways(pod: Pod, tmp_path: Path) -> None:
    size = 200 * 1024 * 1024
    with (tmp_path / "big").open("wb") as file:
        file.truncate(size)
    pod.copy_to(tmp_path / "big", "/big")
    assert sh(pod, "one", "stat -c %s /big").strip() == str(size)
    pod.copy_from("/big", tmp_path / "back")
    assert (tmp_path / "back").stat().st_size == size


def test_what_is_not_there_says_so(pod: Pod, tmp_path: Path) -> None:
    for name in ("f", "etc"):
        (tmp_path / name).write_text("x")
    with pytest.raises(CopyError, match="there is no '/none' in the container"):
        pod.copy_from("/none", tmp_path)
    with pytest.raises(CopyError, match="there is no directory '/none'; it must exist"):
        pod.copy_to(tmp_path / "f", "/none/x")
    with pytest.raises(CopyError, match=r"there is no '.*nothing'"):
        pod.copy_to(tmp_path / "nothing", "/tmp")
    with pytest.raises(CopyError, match="'/etc' is a directory, the source is a file"):
        pod.copy_to(tmp_path / "etc", "/")
    assert sh(pod, "one", "test -d /etc && echo whole") == "whole\n"
