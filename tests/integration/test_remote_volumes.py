"""A volume with credentials that the engine cannot mount: they are in nothing that is said of it."""

from __future__ import annotations

import docker
import pytest

import pypod
from pypod import Container, Pod, PodStartError, Secret, Volume
from pypod.engine.api import Engine
from tests.images import BUSYBOX

KEY = "QVFCeDEyMzQ1Njc4OTA="
NOWHERE = "["
"""No address: the kernel looks for nobody."""


def test_a_password_is_struck_out_where_the_engine_quotes_it(
    namespace: str, engine: Engine, raw: docker.APIClient
) -> None:
    pypod.apply(Secret("ceph", string_data={"key": KEY}, namespace=namespace), engine=engine)
    try:
        container = Container("web", BUSYBOX, command=["sleep", "1000"], mounts={"far": "/far"})
        volume = Volume.ceph_fs("far", [NOWHERE], secret_ref="ceph", user="app")
        pod = Pod("shop", containers=[container], volumes=[volume], namespace=namespace, engine=engine)
        assert KEY not in str(pod.plan())
        with pytest.raises(PodStartError, match=r"its sandbox cannot be made: .*mount") as caught:
            pod.start()
        said = [str(caught.value), repr(caught.value.__cause__), *(each.message for each in pod.events)]
        assert not [each for each in said if KEY in each]
        assert not [each for each in raw.volumes()["Volumes"] or [] if f"{namespace}_shop" in each["Name"]]
    finally:
        pypod.delete_object(Secret, "ceph", namespace, engine=engine)
