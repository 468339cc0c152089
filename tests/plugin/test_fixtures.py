"""Fixtures, declarations and the marker, in suites that pytest runs on the real engine."""

from __future__ import annotations

from tests.plugin.conftest import Suite


def test_pods_come_by_fixture_factory_and_marker(suite: Suite) -> None:
    suite.manifest("web")
    suite.file(
        "test_it.py",
        """
        import pypod.pytest
        import pytest
        from pypod import Container, Pod

        web = pypod.pytest.pod_fixture("web.yaml", scope="module")

        @pypod.pytest.pod_fixture(scope="module")
        def other(tmp_path_factory) -> Pod:
            return Pod("other", containers=[Container("app", IMAGE, command=["sleep", "1000"])])

        def test_two_pods_see_each_other(web, other, pypod_namespace):
            assert web.namespace == other.namespace == pypod_namespace
            assert web.exec(["ping", "-c", "1", "-W", "5", "other"]).exit_code == 0

        class TestClass:
            inner = pypod.pytest.pod_fixture("web.yaml", scope="class")

            def test_a_class_has_its_own(self, inner, web):
                assert (web.name, inner.name) == ("web", "web-2")

        @pytest.mark.pod("web.yaml", name="marked")
        def test_marker_and_factory(pod, pod_factory, web):
            assert pod.name == "marked"
            assert pod_factory("web.yaml").name == "web-2"
        """,
    )
    result = suite.run()
    result.assert_outcomes(passed=3)
    assert suite.left() == []
