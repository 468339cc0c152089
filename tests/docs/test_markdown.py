"""The comparison of shown and real output tells a difference, and passes over what differs at each run."""

from __future__ import annotations

import pytest

from tests.docs import markdown


@pytest.mark.parametrize(
    ("shown", "real"),
    [
        ("shop 10.214.0.2", "shop 10.214.15.200"),
        (
            "shop   2/2     Running   0          1s    10.214.0.2",
            "shop   2/2     Running   0          12m   10.214.3.4",
        ),
        ("14 of 14 proved in 8.7 s", "14 of 14 proved in 21.3 s"),
        ("at unix:///var/run/docker.sock, Docker", "at unix:///var/run/docker.sock, Docker"),
        ("a saw [::ffff:10.0.0.1]", "a saw 10.214.0.9"),
        ("==== kept ====", "======= kept ======="),
        ("pypod_pytest-0f3a2b1c-main_lost_0725a867_app_0", "pypod_pytest-990d66d8-main_lost_e21fff67_app_0"),
        ("1 failed in 1.35s", "1 failed in 31.40s"),
        ("3 passed in 0.98s", "3 passed in 12.4s"),
    ],
)
def test_what_differs_at_each_run_is_the_same_shape(shown: str, real: str) -> None:
    assert markdown.missing([shown], f"something else\n{real}\nand more") == []


@pytest.mark.parametrize(
    ("shown", "real"),
    [
        ("shop   2/2     Running   0   1s", "shop   1/2     Running   0   1s"),
        ("hello", "hello, world"),
        ("14 of 14 proved in 8.7 s", "13 of 14 proved in 8.7 s"),
        ("PONG", ""),
        ("3 passed in 0.98s", "2 passed in 0.98s"),
    ],
)
def test_what_is_another_result_is_told(shown: str, real: str) -> None:
    assert markdown.missing([shown], real) == [shown]


def test_lines_in_another_order_are_told() -> None:
    assert markdown.missing(["a", "b"], "b\na") == ["b"]


def test_the_pages_have_blocks_of_every_kind() -> None:
    found = {(block.language, *block.words[:1]) for page in markdown.PAGES for block in markdown.blocks(page)}
    wanted = {
        ("python", "runnable"),
        ("text", "output"),
        ("console", "runnable"),
        ("console", "tour"),
        ("bash",),
    }
    assert wanted <= found
    assert len(markdown.PAGES) >= 8
