"""Objects on the real engine, from several processes: one is killed in the middle of a write, one is interrupted."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import docker
import pytest

import pypod
from pypod import ConfigMap, PersistentVolumeClaim, Secret
from pypod.engine import object_leftovers
from pypod.engine.api import Engine
from pypod.engine.objects import ObjectStore
from pypod.model import naming
from pypod.model.spec.objects import ObjectKey
from tests import images
from tests.integration.conftest import eventually

KILLS = 8

WRITER = """
import itertools, sys
import pypod
from pypod import ConfigMap, Secret
kind, namespace = sys.argv[1:]
for number in itertools.count(1):
    text = f"{number}" * 1000
    if kind == "Secret":
        pypod.apply(Secret("x", string_data={"a": text, "b": text}, namespace=namespace))
    else:
        pypod.apply(ConfigMap("x", {"a": text, "b": text}, namespace=namespace))
    if number == 1:
        print("ready", flush=True)
"""


@contextmanager
def writer(kind: str, namespace: str) -> Iterator[subprocess.Popen[str]]:
    """A process that writes one object again and again."""
    words = [sys.executable, "-c", WRITER, kind, namespace]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def helpers(engine: Engine, pid: int) -> list[str]:
    """Those that a process left."""
    found = engine.containers({naming.ROLE: naming.Role.HELPER.value})
    owners = [(each.name, naming.owner_of(each.labels)) for each in found]
    return [name for name, owner in owners if owner is not None and owner.pid == pid]


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
def test_a_writer_that_is_killed_leaves_a_whole_object(engine: Engine, namespace: str, kind: str) -> None:
    chance = random.Random(11)
    key = ObjectKey(kind, namespace, "x")
    pids = []
    for _ in range(KILLS):
        with writer(kind, namespace) as process:
            time.sleep(chance.uniform(0.05, 0.4))
            process.send_signal(signal.SIGKILL)
            pids.append(process.pid)
        found = ObjectStore(engine).get(key)
        assert isinstance(found, ConfigMap | Secret)
        assert found.data["a"] == found.data["b"]
        assert len(found.data["a"]) >= 1000

    def is_swept() -> bool:
        """What the engine was asked for when the last one was killed may come after a sweep."""
        object_leftovers.sweep(engine)
        left = [name for pid in pids for name in helpers(engine, pid)]
        volumes = engine.volumes({naming.NAMESPACE: namespace})
        return not left and len(volumes) == (2 if kind == "Secret" else 1)

    eventually(is_swept, "nothing of the killed ones is left, and the object is")
    ObjectStore(engine).delete(key)


def test_a_writer_that_is_interrupted_leaves_nothing(engine: Engine, namespace: str) -> None:
    chance = random.Random(12)
    for _ in range(4):
        with writer("Secret", namespace) as process:
            time.sleep(chance.uniform(0.1, 0.4))
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=20)
            assert process.returncode == -signal.SIGINT, errors
        assert helpers(engine, process.pid) == []
    assert len(engine.volumes({naming.NAMESPACE: namespace})) == 2
    pypod.delete_object("secret", "x", namespace, engine=engine)


def test_what_one_process_wrote_another_one_has(engine: Engine, namespace: str) -> None:
    pypod.apply(Secret("db", string_data={"p": "hunter2"}, namespace=namespace), engine=engine)
    program = f"import pypod; print(pypod.get_object('secret', 'db', {namespace!r}).data['p'])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "b'hunter2'\n"
    pypod.delete_object(Secret, "db", namespace, engine=engine)


def test_a_claim_in_use_names_its_user(engine: Engine, raw: docker.APIClient, namespace: str) -> None:
    pypod.apply(PersistentVolumeClaim("data", namespace=namespace), engine=engine)
    volume = naming.claim_name(namespace, "data")
    made = raw.create_container(
        images.BUSYBOX,
        name=f"{namespace}-user",
        host_config=raw.create_host_config(binds=[f"{volume}:/data"]),
    )
    with pytest.raises(pypod.ObjectInUseError, match=f"container {namespace}-user"):
        pypod.delete_object("pvc", "data", namespace, engine=engine)
    raw.remove_container(made["Id"])
    pypod.delete_object("pvc", "data", namespace, engine=engine)
