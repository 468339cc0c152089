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


def test_declarations_are_overridden_parametrized_and_made_of_fixtures(suite: Suite) -> None:
    """As any fixture: in a conftest, a module, a class; with --import-mode=importlib, and paths relative to who declares."""
    suite.manifest("web", file="sub/pods/web.yaml")
    suite.manifest("own", file="sub/own.yaml")
    suite.file(
        "sub/conftest.py",
        """
        import pypod.pytest
        import pytest

        web = pypod.pytest.pod_fixture("pods/web.yaml", scope="session")
        outer = pypod.pytest.pod_fixture("pods/web.yaml", name="outer", scope="session")

        @pytest.fixture(scope="session")
        def pypod_namespace(pypod_namespace):
            return f"{pypod_namespace}-mine"
        """,
    )
    suite.file(
        "sub/test_it.py",
        """
        import pypod.pytest
        import pytest
        from pypod import Container, Pod, PodSpec

        def make(request, tmp_path_factory) -> Pod:
            env = {"DIR": str(tmp_path_factory.getbasetemp())}
            sleep = Container("app", IMAGE, command=["sleep", "1000"], env=env)
            return Pod(f"made-{request.param}", containers=[sleep])

        spec = PodSpec("spec", (Container("app", IMAGE, command=["sleep", "1000"]),))
        made = pypod.pytest.pod_fixture(make, scope="module", params=["a", pytest.param("b", id="bee")])
        either = pypod.pytest.pod_fixture(scope="module", params=["own.yaml", spec], ids=["file", "spec"])

        @pytest.fixture(scope="module")
        def outer(outer):
            return f"{outer.namespace}/{outer.name}"

        def test_maker(made, request, tmp_path_factory):
            assert request.node.name == {"made-a": "test_maker[a]", "made-b": "test_maker[bee]"}[made.name]
            assert made.exec(["sh", "-c", "echo $DIR"]).stdout.strip() == str(tmp_path_factory.getbasetemp())

        def test_params(either, request):
            assert request.node.name == {"own": "test_params[file]", "spec": "test_params[spec]"}[either.name]

        def test_overridden_by_a_module(outer, pypod_namespace):
            assert outer == f"{pypod_namespace}/outer"
            assert pypod_namespace.endswith("-main-mine")

        class TestClass:
            prefix = "of-"
            web = pypod.pytest.pod_fixture("own.yaml", name="classy", scope="class")

            @pypod.pytest.pod_fixture
            def method(self, web):
                sleep = Container("app", IMAGE, command=["sleep", "1000"])
                return Pod(self.prefix + web.name, containers=[sleep])

            def test_overridden_by_a_class(self, web, method):
                assert (web.name, method.name) == ("classy", "of-classy")

        def test_a_document(pod_factory):
            spec = {"containers": [{"name": "app", "image": IMAGE, "command": ["sleep", "1000"]}]}
            document = {"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "doc-"}, "spec": spec}
            assert pod_factory(document).name == "doc"
        """,
    )
    result = suite.run("--import-mode=importlib")
    result.assert_outcomes(passed=7)
    assert suite.left() == []


def test_what_came_with_a_manifest_goes_with_its_last_pod(suite: Suite) -> None:
    suite.file(
        "web.yaml",
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings}
        data: {color: blue}
        ---
        apiVersion: v1
        kind: PersistentVolumeClaim
        metadata: {name: files}
        spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: web}
        spec:
          containers:
          - name: app
            image: IMAGE
            command: [sleep, "1000"]
            envFrom: [{configMapRef: {name: settings}}]
            volumeMounts: [{name: files, mountPath: /files}]
          volumes: [{name: files, persistentVolumeClaim: {claimName: files}}]
        """,
    )
    suite.file(
        "test_it.py",
        """
        import pypod
        import pypod.pytest
        import pytest

        web = pypod.pytest.pod_fixture("web.yaml")

        @pytest.mark.parametrize("time", [1, 2])
        def test_files_are_new_each_time(web, time, pypod_namespace):
            assert web.exec(["sh", "-c", "echo $color"]).stdout == "blue\\n"
            assert web.exec(["ls", "/files"]).stdout == ""
            web.exec(["touch", "/files/mine"], check=True)
            assert len(pypod.list_objects(pypod_namespace)) == 2

        def test_and_nothing_stays(pypod_namespace):
            assert pypod.list_objects(pypod_namespace) == []
        """,
    )
    result = suite.run("--pypod-leaks=fail", "--pypod-pull=Never")
    result.assert_outcomes(passed=3)


def test_pods_of_a_pool_are_there_before_the_test(suite: Suite) -> None:
    suite.manifest("web")
    suite.file(
        "test_it.py",
        """
        import pypod.pytest
        import pytest

        web = pypod.pytest.pod_fixture("web.yaml", pool=2)
        ids = set()

        @pytest.mark.parametrize("number", range(3))
        def test_each_has_its_own(web, number, pypod_namespace):
            assert web.namespace == pypod_namespace
            assert web.name.startswith("web-")
            assert web.spec.network == pypod_namespace.removesuffix("-main")
            ids.add(web.uid)
            assert len(ids) == number + 1

        @pytest.mark.xfail(raises=ZeroDivisionError, strict=True)
        def test_fails(web):
            1 / 0

        def test_the_pool_is_gone_when_nobody_takes_from_it(pypod_engine, pypod_namespace):
            assert [each.name for each in pypod_engine.containers({}) if pypod_namespace in each.name] == []
        """,
    )
    result = suite.run("--pypod-leaks=fail")
    result.assert_outcomes(passed=4, xfailed=1)
