"""Names and labels: what stands on the engine, and what is read back from it."""

from __future__ import annotations

import pytest

from pypod.model import naming
from pypod.model.naming import Owner, PodKey

KEY = PodKey("default", "shop", "0123456789abcdef")
OWNER = Owner("boot", 4026531836, 17, 12345)


def test_names_carry_the_pod_and_the_attempt() -> None:
    assert naming.pause_name(KEY, 2) == "pypod_default_shop_pause_2"
    assert naming.member_name(KEY, "web", 0) == "pypod_default_shop_01234567_web_0"
    assert naming.volume_name(KEY, "html") == "pypod_default_shop_01234567_html"
    assert KEY.full_name == "default/shop"


def test_deletion_mark_carries_its_deadline() -> None:
    name = naming.deleting_name(KEY, 1, 1700000000.9)
    assert name == "pypod_default_shop_01234567_pause_1_1700000000900.deleting"
    assert naming.deletion_deadline(name) == 1700000000.9
    assert naming.deletion_deadline(naming.pause_name(KEY, 1)) is None
    assert naming.deletion_deadline("somebody_elses.deleting") == 0.0


def test_labels_say_whose_a_container_is() -> None:
    base = naming.pod_labels(KEY, OWNER, leased=True)
    pause = naming.pause_labels(base, 3, "{}", "")
    member = naming.member_labels(base, "web", 4, 3)
    assert naming.key_of(pause) == naming.key_of(member) == KEY
    assert naming.owner_of(member) == OWNER
    assert naming.is_leased(base)
    assert not naming.is_leased(naming.pod_labels(KEY, OWNER, leased=False))
    assert naming.is_pause(pause)
    assert not naming.is_pause(member)
    assert (naming.attempt_of(pause), naming.attempt_of(member)) == (3, 4)
    assert (naming.container_of(member), naming.sandbox_of(member)) == ("web", 3)
    assert not naming.is_ephemeral(member)
    assert pause[naming.SPEC_HASH] == naming.spec_hash("{}")


def test_the_spec_stands_on_the_pause_only() -> None:
    assert naming.SPEC not in naming.member_labels(naming.pod_labels(KEY, OWNER, leased=True), "web", 0, 0)


def test_foreign_labels_name_no_pod() -> None:
    assert naming.key_of({}) is None
    assert naming.key_of({naming.POD: "a", naming.NAMESPACE: "b"}) is None
    assert naming.owner_of({}) is None
    assert naming.attempt_of({naming.ATTEMPT: "x"}) == 0


@pytest.mark.parametrize("text", ["", "a/b", "boot/1/2/x", "boot/1/2/3/4", "boot/1/-2/3"])
def test_owner_that_is_not_ours_is_none(text: str) -> None:
    assert Owner.decode(text) is None


def test_owner_without_boot_id_comes_back() -> None:
    owner = Owner("", 0, 1, 0)
    assert Owner.decode(owner.encode()) == owner


def test_networks_and_dns() -> None:
    assert naming.network_name("") == "pypod"
    assert naming.network_name("ci") == "pypod_ci"
    assert naming.dns_aliases(KEY) == ("shop.default.pod.cluster.local", "shop.default")
    assert naming.dns_search("default") == (
        "default.pod.cluster.local",
        "pod.cluster.local",
        "default.svc.cluster.local",
    )


def test_compact_json_has_one_spelling() -> None:
    assert (
        naming.compact_json({"b": 1, "a": ["é"]})
        == naming.compact_json({"a": ["é"], "b": 1})
        == '{"a":["é"],"b":1}'
    )
