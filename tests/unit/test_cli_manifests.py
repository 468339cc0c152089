"""The commands about manifests and objects, through `main`, on the fake engine: what they print, where, and how they end."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

import pypod
from pypod import ConfigMap, Pod, PullPolicy, Secret, background, connecting
from pypod.cli import main
from pypod.engine.objects import ObjectStore
from pypod.model.manifest import manifest
from pypod.testing import FakeEngine
from tests.unit.test_manifest_all import CLAIM, HIDDEN, LOGIN, POD, SETTINGS

OTHER = POD.replace("name: web", "name: other")
ALL = "---\n".join((POD, SETTINGS, LOGIN, CLAIM))


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    made = FakeEngine()
    made.add_image("nginx:1")
    monkeypatch.setattr(pypod, "connect", lambda *_: made)
    monkeypatch.setattr(connecting, "connect", lambda *_: made)
    monkeypatch.setattr(background, "ensure_running", lambda engine: None)
    return made


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("an engine was asked for")

    monkeypatch.setattr(pypod, "connect", refuse)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)
    return Run(capsys, monkeypatch)


class Run:
    """Runs one command; what it printed is compared as it is."""

    def __init__(self, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self._capsys, self._patch = capsys, patch

    def __call__(self, *words: str, stdin: bytes | None = None, **files: str) -> tuple[int, str, str]:
        for name, text in files.items():
            Path(name.replace("_", ".")).write_text(text)
        if stdin is not None:
            self._patch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(stdin)))
        code = main(list(words))
        said = self._capsys.readouterr()
        return code, said.out, said.err


# --- which files -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_engine")
class TestFiles:
    def test_several_each_once_in_their_order(self, run: Run) -> None:
        code, out, err = run(
            "validate", "-f", "b.yaml", "-f", "a.yaml", "-f", "b.yaml", a_yaml=POD, b_yaml=SETTINGS
        )
        assert (code, err) == (0, "")
        assert out == "configmap/settings is valid (b.yaml)\npod/web is valid (a.yaml)\n"

    def test_a_directory_is_all_manifests_in_it_and_none_below(self, run: Run) -> None:
        for name in ("b.json", "a.yml", "c.yaml", "d.txt", "e/f.yaml"):
            path = Path("dir", name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(manifest.to_document(ConfigMap(path.stem))))
        _, out, _ = run("validate", "-f", "dir")
        assert re.findall(r"\((.*)\)", out) == ["dir/a.yml", "dir/b.json", "dir/c.yaml"]

    @pytest.mark.parametrize("text", [ALL.encode(), ALL.encode("utf-16"), b"\xef\xbb\xbf" + ALL.encode()])
    def test_standard_input_is_bytes(self, run: Run, text: bytes) -> None:
        code, out, _ = run("validate", "-f", "-", stdin=text)
        assert (code, out.count("(<stdin>)")) == (0, 4)

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["-f", "none.yaml"], "cannot read 'none.yaml': No such file or directory"),
            (["-f", "."], "cannot read '.': no *.yaml, *.yml or *.json is in it"),
            (["-f", "https://example.com/pod.yaml"], "cannot read 'https://example.com/pod.yaml': No such file or directory; save it first"),
            (["-f", "a\0b"], "cannot read 'a\\x00b': embedded null byte"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_read(self, run: Run, words: list[str], said: str) -> None:
        code, _, err = run("validate", *words)
        assert code == 1
        assert err.replace("\0", "\\x00").startswith(f"pypod: {said}")

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (b"", "pypod: cannot accept <stdin>: document: is empty: a Pod is expected\n"),
            (
                b"a" * 12_000_002,
                "pypod: cannot accept <stdin>:1:1: document: is longer than 12000000 bytes\n",
            ),
            (b"a: \xff", "pypod: cannot accept <stdin>:1:4: document: the byte 0xff is not UTF-8\n"),
        ],
        ids=range(3),
    )
    def test_what_is_no_manifest(self, run: Run, text: bytes, said: str) -> None:
        assert run("validate", "-f", "-", stdin=text) == (1, "", said)

    def test_nothing_but_what_is_passed_over(self, run: Run) -> None:
        code, out, err = run("up", "-f", "-", stdin=b"kind: Namespace\napiVersion: v1\n")
        assert (code, out) == (1, "")
        assert err.splitlines()[1] == "pypod: cannot find anything to do in -: no Pod and no object"

    def test_one_thing_in_two_files(self, run: Run) -> None:
        code, _, err = run("validate", "-f", "a.yaml", "-f", "b.yaml", a_yaml=POD, b_yaml=POD)
        assert (code, err) == (
            1,
            "pypod: cannot accept b.yaml: Pod 'default/web' is described in a.yaml too\n",
        )


# --- validate --------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_engine")
class TestValidate:
    def test_all_problems_of_all_files_are_told(self, run: Run) -> None:
        bad = POD.replace("image:", "imgae:")
        code, out, err = run("validate", "-f", "a.yaml", "-f", "b.yaml", a_yaml=bad, b_yaml=bad)
        assert (code, out) == (1, "")
        assert re.findall(r"[ab]\.yaml:\d+:\d+: \S+: .*", err) == [
            f"{name}.yaml:{rest}"
            for name in "ab"
            for rest in (
                "8:5: spec.containers[0].image: is required",
                "9:5: spec.containers[0].imgae: unknown field, did you mean 'image'?",
            )
        ]

    def test_warnings_are_told_once(self, run: Run) -> None:
        text = POD.replace("spec:", "spec:\n  priority: 5")
        code, out, err = run("validate", "-f", "a.yaml", a_yaml=text)
        assert (code, out) == (0, "pod/web is valid (a.yaml)\n")
        warning = "spec.priority: has no effect on one engine: nobody waits for a place on the engine"
        assert err == f"pypod: warning: a.yaml:6:13: {warning}\n"

    def test_an_image_name_that_no_engine_can_read_is_warned_of(self, run: Run) -> None:
        text = POD.replace("image: nginx:1", "image: '{{ image }}'")
        code, out, err = run("validate", "-f", "a.yaml", a_yaml=text)
        assert (code, out) == (0, "pod/web is valid (a.yaml)\n")  # as under Kubernetes' API
        assert err.startswith(
            "pypod: warning: a.yaml:9:12: spec.containers[0].image: '{{ image }}' is no name"
        )
        assert "InvalidImageName" in err
        assert "[registry[:port]/]name[:tag][@digest] is expected" in err
        assert len(err.splitlines()) == 1

    @pytest.mark.parametrize(("how", "code", "lines"), [("strict", 1, 3), ("warn", 0, 1), ("ignore", 0, 0)])
    def test_how_strict(self, run: Run, how: str, code: int, lines: int) -> None:
        text = POD.replace("spec:", "spec:\n  colour: red")
        found, _, err = run("validate", "-f", "a.yaml", f"--validate={how}", a_yaml=text)
        assert (found, len(err.splitlines())) == (code, lines)
        assert ("a.yaml:6:3: spec.colour: unknown field" in err) is (lines > 0)


# --- plan and diff ---------------------------------------------------------------------------------------------------


def left(engine: FakeEngine) -> tuple[int, int]:
    return len(engine.containers({})), len(engine.volumes({}))


class TestPlan:
    def test_of_one_pod(self, engine: FakeEngine, run: Run) -> None:
        code, out, err = run("plan", "-f", "a.yaml", a_yaml=POD)
        assert (code, err) == (0, "")
        assert out.startswith("#1 load image pypod/pause:")
        assert "create volume pypod_default_web_<uid>__messages" in out
        assert left(engine) == (0, 0)

    def test_of_objects_and_pods(self, engine: FakeEngine, run: Run) -> None:
        pypod.apply(ConfigMap("settings", {"greeting": "old"}), pypod.load(LOGIN)[0], engine=engine)  # type: ignore[arg-type]
        before = left(engine)
        code, out, _ = run("plan", "-f", "a.yaml", a_yaml=ALL)
        assert code == 0
        assert out.splitlines()[:4] == [
            "configmap/settings would be configured",
            "secret/login would be unchanged",
            "persistentvolumeclaim/files would be created",
            "pod/web:",
        ]
        assert left(engine) == before

    def test_a_change_that_is_not_allowed(self, engine: FakeEngine, run: Run) -> None:
        pypod.apply(ConfigMap("settings", {"greeting": "old"}, immutable=True), engine=engine)
        code, _, err = run("plan", "-f", "a.yaml", a_yaml=SETTINGS)
        assert code == 1
        assert "field is immutable" in err

    def test_of_a_pod_that_differs(self, engine: FakeEngine, run: Run) -> None:
        run("up", "-d", "-f", "a.yaml", a_yaml=POD)
        before = left(engine)
        _, out, _ = run("plan", "-f", "a.yaml", a_yaml=POD)
        assert out == "nothing to do\n"
        _, out, _ = run("plan", "-f", "a.yaml", a_yaml=POD.replace("name: c", "name: d"))
        assert out.startswith(
            "it differs from what runs ('pypod diff' shows how): it would be stopped, and started anew\n#1 "
        )
        assert left(engine) == before
        run("down", "web")


class TestDiff:
    def test_nothing_differs(self, engine: FakeEngine, run: Run) -> None:
        run("up", "-d", "-f", "a.yaml", a_yaml=ALL)
        assert run("diff", "-f", "a.yaml") == (0, "", "")
        run("down", "web")

    def test_what_is_not_there_is_all_new(self, engine: FakeEngine, run: Run) -> None:
        code, out, err = run("diff", "-f", "a.yaml", a_yaml=SETTINGS)
        assert (code, err) == (1, "")
        assert out == (
            "--- engine: configmap/settings of default\n+++ a.yaml\n@@ -0,0 +1,7 @@\n+apiVersion: v1\n+kind: ConfigMap\n"
            "+metadata:\n+  name: settings\n+  namespace: default\n+data:\n+  greeting: hello\n"
        )
        assert left(engine) == (0, 0)

    def test_what_differs(self, engine: FakeEngine, run: Run) -> None:
        run("up", "-d", "-f", "a.yaml", a_yaml=ALL)
        before = left(engine)
        changed = ALL.replace("hello", "goodbye").replace("name: c", "name: d")
        code, out, _ = run("diff", "-f", "a.yaml", a_yaml=changed)
        assert code == 1
        assert [line for line in out.splitlines() if re.match(r"[-+]  ", line)] == [
            "-  - name: c",
            "+  - name: d",
            "-  greeting: hello",
            "+  greeting: goodbye",
        ]
        assert left(engine) == before
        run("down", "web")

    def test_nothing_that_a_secret_holds_is_shown(self, engine: FakeEngine, run: Run) -> None:
        text = LOGIN.replace("{name: login}", "{name: login, annotations: {last: old-manifest}}")
        run("apply", "-f", "a.yaml", a_yaml=text.replace("{password: ", "{same: 'yes', gone: x, password: "))
        changed = text.replace("{password: ", "{same: 'yes', new: 'no', password: new-").replace(
            "old-m", "new-m"
        )
        code, out, err = run("diff", "-f", "a.yaml", a_yaml=changed)
        assert code == 1
        for hidden in (HIDDEN, "manifest", "eWVz", "eA==", "bm8=", "new-correct"):
            assert hidden not in out + err
        assert [line for line in out.splitlines() if "***" in line] == [
            "-    last: '*** (before)'",
            "+    last: '*** (after)'",
            "-  gone: '***'",
            "-  password: '*** (before)'",
            "+  new: '***'",
            "+  password: '*** (after)'",
            "   same: '***'",
        ]

    def test_another_order_of_a_users_own_names_is_no_difference(self, engine: FakeEngine, run: Run) -> None:
        run(
            "apply",
            "-f",
            "a.yaml",
            a_yaml=SETTINGS.replace("{greeting: hello}", "{b: '1', greeting: hello, a: '2'}"),
        )
        code, out, _ = run(
            "diff", "-f", "a.yaml", a_yaml=SETTINGS.replace("{greeting", "{a: '2', b: '1', more: x, greeting")
        )
        assert code == 1
        assert [line for line in out.splitlines() if re.match(r"[-+]  ", line)] == ["+  more: x"]

    def test_what_cannot_be_compared_is_more_than_1(self, engine: FakeEngine, run: Run) -> None:
        assert run("diff", "-f", "none.yaml")[0] == 2
        assert run("diff", "-f", "a.yaml", a_yaml="a: [")[0] == 2


# --- up, apply, down -------------------------------------------------------------------------------------------------


class TestUp:
    def test_objects_then_the_pod(self, engine: FakeEngine, run: Run) -> None:
        code, out, err = run("up", "-d", "-f", "a.yaml", a_yaml=ALL)
        assert (code, out) == (0, "web 10.214.0.2\n")
        assert (
            err == "configmap/settings created\nsecret/login created\npersistentvolumeclaim/files created\n"
        )
        code, out, err = run("up", "-d", "-f", "a.yaml")
        assert (code, out) == (0, "web 10.214.0.2\n")
        assert err.replace("unchanged", "created") == (
            "configmap/settings created\nsecret/login created\npersistentvolumeclaim/files created\npod/web created\n"
        )
        assert run("down", "-f", "a.yaml")[:2] == (
            0,
            "web removed\nsecret/login deleted\nconfigmap/settings deleted\n",
        )

    def test_a_pod_that_differs_is_stopped_and_started_anew(self, engine: FakeEngine, run: Run) -> None:
        run("up", "-d", "-f", "a.yaml", a_yaml=POD)
        before = pypod.get("web", engine=engine).uid
        code, out, err = run("up", "-d", "-f", "a.yaml", a_yaml=POD.replace("name: c", "name: d"))
        assert (code, out) == (0, "web 10.214.0.2\n")
        assert "-  - name: c\n+  - name: d\n" in err
        assert err.endswith("pod/web differs: stopping it, to start it anew ...\n")
        pod = pypod.get("web", engine=engine)
        assert pod.uid != before
        assert [each.name for each in pod.spec.containers] == ["d"]
        run("down", "web")

    def test_pull_is_as_if_the_manifest_had_said_so(self, engine: FakeEngine, run: Run) -> None:
        assert "+    imagePullPolicy: Never" in run("diff", "-f", "a.yaml", "--pull=Never", a_yaml=POD)[1]
        assert run("up", "-d", "-f", "a.yaml", "--pull=Never")[0] == 0
        pod = pypod.get("web", engine=engine)
        assert [each.pull_policy for each in pod.spec.all_containers] == [PullPolicy.NEVER]
        assert "pod/web unchanged" in run("up", "-d", "-f", "a.yaml", "--pull=Never")[2]
        assert "pod/web differs" in run("up", "-d", "-f", "a.yaml")[2]
        run("down", "web")

    def test_pull_always_asks_the_registry(self, engine: FakeEngine, run: Run) -> None:
        code, _, err = run("up", "-d", "-f", "a.yaml", "--pull=Always", a_yaml=POD)
        assert code == 1
        assert "ErrImagePull" in err
        assert ("pull_image", "nginx:1") in engine.calls
        engine.add_registry_image("nginx:1")
        assert run("apply", "-f", "a.yaml", "--pull=Always")[0] == 0
        run("down", "web")

    def test_pull_takes_kubernetes_words(self, run: Run) -> None:
        code, _, err = run("up", "-f", "a.yaml", "--pull", "missing", a_yaml=POD)
        assert code == 2
        assert "'Always', 'IfNotPresent', 'Never'" in err

    def test_what_is_wrong_stops_nothing(self, engine: FakeEngine, run: Run) -> None:
        run("up", "-d", "-f", "a.yaml", a_yaml=POD)
        before = pypod.get("web", engine=engine).uid
        assert run("up", "-d", "-f", "a.yaml", a_yaml=POD.replace("name: c", "name: C"))[0] == 1
        assert pypod.get("web", engine=engine).uid == before
        run("down", "web")

    def test_a_pod_of_a_process_that_lives_is_not_touched(self, engine: FakeEngine, run: Run) -> None:
        with Pod.from_manifest(POD, engine=engine) as pod:
            for text in (POD, POD.replace("name: c", "name: d")):
                code, out, err = run("up", "-d", "-f", "a.yaml", a_yaml=text)
                assert (code, out) == (1, "")
                assert "a pod of that name is there, with another spec or another owner" in err
            assert run("plan", "-f", "a.yaml")[1].startswith(
                "refused: a pod of that name is another process' own"
            )
            assert pod.refresh().summary == "Running"

    def test_several_in_the_foreground(self, engine: FakeEngine, run: Run) -> None:
        ends = "    command: [sh, -c, echo hello]\n"
        text = POD.replace("spec:", "spec:\n  restartPolicy: Never") + ends
        both = "---\n".join((text, text.replace("name: web", "name: other"), SETTINGS))
        code, out, err = run("up", "--no-wait", "-f", "a.yaml", a_yaml=both)
        assert code == 0
        assert sorted(line.split()[0] for line in out.splitlines()) == ["other", "other/c", "web", "web/c"]
        assert "other/c | hello" in out
        assert "web/c   | hello" in out
        assert "starting pod default/web (c) ...\nstarting pod default/other (c) ...\n" in err
        assert "following their logs; Ctrl-C removes the pods\n" in err
        assert err.endswith("pod default/web has ended: Succeeded\npod default/other has ended: Succeeded\n")
        assert engine.containers({}) == []
        assert [each.name for each in pypod.list_objects(engine=engine)] == ["settings"]

    def test_on_a_failure_no_pod_is_left(self, engine: FakeEngine, run: Run) -> None:
        bad = OTHER.replace("nginx:1", "gone:1")
        code, _, err = run("up", "-f", "a.yaml", a_yaml="---\n".join((POD, bad, SETTINGS)))
        assert code == 1
        assert "cannot start pod 'default/other': container 'c'" in err
        assert engine.containers({}) == []
        assert [each.name for each in pypod.list_objects(engine=engine)] == ["settings"]

    def test_apply_prints_what_it_did(self, engine: FakeEngine, run: Run) -> None:
        code, out, _ = run("apply", "-f", "a.yaml", a_yaml=ALL)
        assert (code, out.splitlines()) == (
            0,
            [
                "configmap/settings created",
                "secret/login created",
                "persistentvolumeclaim/files created",
                "pod/web created",
            ],
        )
        assert run("apply", "-f", "a.yaml")[1].count("unchanged") == 4
        changed = ALL.replace("name: c", "name: d").replace("hello", "bye")
        assert run("apply", "-f", "a.yaml", a_yaml=changed)[1].splitlines()[::3] == [
            "configmap/settings configured",
            "pod/web replaced",
        ]
        run("down", "web")

    def test_down_goes_on_after_what_is_not_there(self, engine: FakeEngine, run: Run) -> None:
        run("up", "-d", "-f", "a.yaml", a_yaml="---\n".join((ALL, OTHER)))
        run("down", "other")
        code, out, err = run("down", "-f", "a.yaml", "--claims")
        assert code == 1
        assert out.splitlines() == [
            "web removed",
            "persistentvolumeclaim/files deleted",
            "secret/login deleted",
            "configmap/settings deleted",
        ]
        assert err == "pypod: cannot find pod 'default/other' on fake://\n"
        assert left(engine) == (0, 0)


# --- objects and export ----------------------------------------------------------------------------------------------


@pytest.fixture
def stored(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """Objects that were made 90 seconds ago."""
    monkeypatch.setattr("pypod.cli.get.time", SimpleNamespace(time=lambda: engine.clock.now() + 90))
    found = pypod.load("---\n".join((SETTINGS, LOGIN, CLAIM, SETTINGS.replace("settings", "more"), LOGIN.replace("name: login", "name: login, namespace: prod"))))  # fmt: skip
    pypod.apply(*found, engine=engine)  # type: ignore[arg-type]
    return engine


@pytest.mark.usefixtures("stored")
class TestGet:
    @pytest.mark.parametrize("kind", ["cm", "configmap", "configmaps", "ConfigMap"])
    def test_a_table(self, run: Run, kind: str) -> None:
        assert run("get", kind) == (
            0,
            "NAME       DATA   AGE\nmore       1      90s\nsettings   1      90s\n",
            "",
        )

    def test_tables_of_the_others(self, run: Run) -> None:
        assert run("get", "secret", "-A")[1] == (
            "NAMESPACE   NAME    TYPE     DATA   AGE\n"
            "default     login   Opaque   1      90s\n"
            "prod        login   Opaque   1      90s\n"
        )
        assert run("get", "pvc")[1] == (
            "NAME    VOLUME                      CAPACITY   ACCESS MODES   STORAGECLASS   AGE\n"
            "files   pypod.claim_default_files   1Gi        RWO                           90s\n"
        )

    def test_the_age_is_the_objects_and_not_its_last_changes(self, run: Run, stored: FakeEngine) -> None:
        for value in ("2", "3"):
            stored.clock.advance(600)
            pypod.apply(
                ConfigMap("more", {"a": value}), Secret("login", string_data={"a": value}), engine=stored
            )
        assert "more       1      21m" in run("get", "cm")[1]
        assert "login   Opaque   1      21m" in run("get", "secret")[1]
        pypod.delete_object("configmap", "more", engine=stored)
        pypod.apply(ConfigMap("more", {"a": "4"}), engine=stored)
        assert "more       1      90s" in run("get", "cm")[1]

    def test_of_one_that_is_gone_by_then_it_is_not_known(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ObjectStore, "created", lambda *_: {})
        assert run("get", "cm", "more")[1] == "NAME   DATA   AGE\nmore   1      <unknown>\n"

    def test_several_kinds_are_a_table_each_with_the_kind_in_the_names(self, run: Run) -> None:
        assert run("get", "configmaps,secrets")[1] == (
            "NAME                 DATA   AGE\n"
            "configmap/more       1      90s\n"
            "configmap/settings   1      90s\n"
            "\n"
            "NAME           TYPE     DATA   AGE\n"
            "secret/login   Opaque   1      90s\n"
        )
        assert run("get", "cm,pvc,cm", "-o", "name")[1] == (
            "configmap/more\nconfigmap/settings\npersistentvolumeclaim/files\n"
        )

    def test_several_kinds_by_name(self, run: Run) -> None:
        both = "secret/login\nconfigmap/more\n"
        assert run("get", "secret/login", "cm/more", "-o", "name")[1] == both
        assert [each.name for each in pypod.load(run("get", "secret/login", "cm/more", "-o", "yaml")[1])] == [
            "login",
            "more",
        ]
        assert run("get", "secret/login", "cm/more")[1].startswith("NAME           TYPE")
        code, out, err = run("get", "cm,secret", "more")
        assert (code, out) == (1, "")
        assert "cannot find secret 'default/more'" in err.lower()

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("cm,widgets",), "'widgets' is no kind of object"),
            (("cm,",), "'' is no kind of object"),
            (("cm,pods",), "pods are listed by 'pypod ps'"),
            (("cm", "secret/login"), "'cm' is no KIND/NAME"),
            (("cm/",), "'cm/' is no KIND/NAME"),
            (("cm,secret/login",), "'cm,secret/login' is no KIND/NAME"),
        ],
    )
    def test_what_is_no_kind(self, run: Run, words: tuple[str, ...], said: str) -> None:
        code, out, err = run("get", *words)
        assert (code, out) == (2, "")
        assert said in err

    def test_delete_of_several_kinds(self, run: Run) -> None:
        assert run("delete", "cm/more", "secret/login")[1] == (
            'configmap "more" deleted\nsecret "login" deleted\n'
        )

    def test_names(self, run: Run) -> None:
        assert run("get", "cm", "-o", "name")[1] == "configmap/more\nconfigmap/settings\n"
        assert run("get", "cm/more", "settings", "-o", "name")[1] == "configmap/more\nconfigmap/settings\n"

    def test_documents(self, run: Run) -> None:
        (one,) = pypod.load(run("get", "secret", "login", "-o", "yaml")[1])
        assert one == Secret("login", string_data={"password": HIDDEN})
        text = run("get", "cm", "-o", "json")[1]
        assert [each.name for each in pypod.load(text) if isinstance(each, ConfigMap)] == ["more", "settings"]
        assert json.loads(text)["kind"] == "List"

    def test_none(self, run: Run) -> None:
        assert run("get", "cm", "-n", "prod") == (0, "", "No resources found in prod namespace.\n")
        code, out, err = run("get", "cm", "none")
        assert (code, out) == (1, "")
        assert "none" in err

    def test_delete(self, run: Run, stored: FakeEngine) -> None:
        code, out, err = run("delete", "cm", "more", "none", "settings")
        assert (code, out) == (1, 'configmap "more" deleted\nconfigmap "settings" deleted\n')
        assert "none" in err
        assert run("delete", "secret/login", "-n", "prod")[0] == 0
        assert [each.kind for each in pypod.list_objects(engine=stored)] == [
            "PersistentVolumeClaim",
            "Secret",
        ]


def test_export(engine: FakeEngine, run: Run) -> None:
    run("up", "-d", "-f", "a.yaml", a_yaml=ALL)
    code, out, err = run("export", "web")
    assert (code, err) == (0, "")
    assert pypod.load(out) == pypod.load(POD)
    found: Any = json.loads(run("export", "web", "-o", "json")[1])
    assert found == yaml.safe_load(out)
    assert run("diff", "-f", "-", stdin=out.encode()) == (0, "", "")
    assert run("export", "none")[0] == 1
    run("down", "web")
