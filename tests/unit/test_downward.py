"""What a pod is told of itself and of Services: `fieldRef`, `resourceFieldRef`, service links."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pypod.model.rules import downward
from pypod.model.rules.downward import (
    PodFacts,
    field_problem,
    field_value,
    format_map,
    resource_problem,
    resource_value,
)
from pypod.model.rules.service_links import ServiceAddress, ServicePort, service_variables
from pypod.model.schema.quantity import parse_milli, parse_quantity

VECTORS = Path(__file__).parents[1] / "vectors"
RESOURCES = json.loads((VECTORS / "resource_field_ref.json").read_text())["cases"]
SERVICES = json.loads((VECTORS / "service_env.json").read_text())
POD = PodFacts(
    "web",
    "shop",
    "uid-1",
    {"app": "web", "a.b/c": "d"},
    {"Note": 'two\nlines "quoted"', "z": "ä"},
    "node",
    "robot",
    ("10.0.0.2", "fd00::2"),
    ("192.168.0.1",),
)
NODE = {"cpu": 4000, "memory": 8 * 2**30, "ephemeral-storage": 10 * 2**30}


def test_the_vectors_are_all_here() -> None:
    assert (len(RESOURCES), len(SERVICES["services"]), len(SERVICES["expected"])) == (6, 7, 52)


class TestFields:
    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("metadata.name", "web"),
            ("metadata.namespace", "shop"),
            ("metadata.uid", "uid-1"),
            ("metadata.labels['a.b/c']", "d"),
            ("metadata.labels['none']", ""),
            ("metadata.annotations['Note']", 'two\nlines "quoted"'),
            ("spec.nodeName", "node"),
            ("spec.serviceAccountName", "robot"),
            ("status.podIP", "10.0.0.2"),
            ("status.podIPs", "10.0.0.2,fd00::2"),
            ("status.hostIP", "192.168.0.1"),
            ("status.hostIPs", "192.168.0.1"),
        ],
    )
    def test_in_variables(self, path: str, value: str) -> None:
        assert field_problem(path) == ""
        assert field_value(path, POD) == value

    def test_in_files(self) -> None:
        assert field_problem("metadata.labels", volume=True) == ""
        assert field_value("metadata.labels", POD) == 'a.b/c="d"\napp="web"'
        assert field_value("metadata.annotations", POD) == 'Note="two\\nlines \\"quoted\\""\nz="ä"'

    def test_one_without_an_address_has_none(self) -> None:
        assert [field_value(path, PodFacts()) for path in downward.NEEDS_ADDRESS] == [""] * 4

    @pytest.mark.parametrize(
        "path",
        ["", "metadata", "metadata.labels", "metadata.annotations", "status.phase", "metadata.labels['']",
         "metadata.labels['a b']", "metadata.labels['a'", "spec.restartPolicy", "metadata.labels['A/B/C']"],
    )  # fmt: skip
    def test_what_no_variable_has(self, path: str) -> None:
        assert field_problem(path)

    @pytest.mark.parametrize(
        "path", ["status.podIP", "spec.nodeName", "status.hostIP", "spec.serviceAccountName"]
    )
    def test_what_no_file_has(self, path: str) -> None:
        assert field_problem(path) == ""
        assert field_problem(path, volume=True)

    def test_a_near_one_is_named(self) -> None:
        assert "did you mean 'status.podIP'?" in field_problem("status.podip")

    def test_an_annotation_may_be_in_capitals(self) -> None:
        assert field_problem("metadata.annotations['EXAMPLE.com/Key']") == ""
        assert field_problem("metadata.labels['EXAMPLE.com/Key']")

    @pytest.mark.parametrize(
        ("text", "quoted"),
        [
            ("plain", '"plain"'),
            ("a\tb\\", '"a\\tb\\\\"'),
            ("\x00\x1b\x7f", '"\\x00\\x1b\\x7f"'),
            ("\u00a0\u200b\u2028", '"\\u00a0\\u200b\\u2028"'),
            ("\U000e0001", '"\\U000e0001"'),
            ("日本 é", '"日本 é"'),
            ("\a\b\f\v\r", '"\\a\\b\\f\\v\\r"'),
        ],
    )
    def test_quoting_is_gos(self, text: str, quoted: str) -> None:
        assert downward.quote(text) == quoted

    def test_no_labels_are_an_empty_file(self) -> None:
        assert format_map({}) == ""


class TestResources:
    @pytest.mark.parametrize("case", RESOURCES, ids=lambda case: f"{case['resource']}-{case['divisor']}")
    def test_vectors(self, case: dict[str, Any]) -> None:
        amounts: dict[str, dict[str, int]] = {"limits": {}, "requests": {}}
        for name, quantity in case["container"].items():
            side, _, resource = name.partition(".")
            parse = parse_milli if resource == "cpu" else parse_quantity
            amounts[side][resource] = parse(quantity)
        found = resource_value(case["resource"], **amounts, allocatable=NODE, divisor=case["divisor"])
        assert found == case["expected"]

    @pytest.mark.parametrize(
        ("resource", "divisor", "value"),
        [
            ("limits.cpu", "0", "4"),
            ("limits.cpu", "1m", "4000"),
            ("limits.memory", "1Gi", "8"),
            ("limits.memory", "1G", "9"),
            ("limits.ephemeral-storage", "", str(10 * 2**30)),
            ("requests.cpu", "1m", "0"),
            ("requests.memory", "0", "0"),
            ("limits.hugepages-2Mi", "0", "0"),
        ],
    )
    def test_what_is_not_set(self, resource: str, divisor: str, value: str) -> None:
        assert resource_value(resource, limits={}, requests={}, allocatable=NODE, divisor=divisor) == value

    @pytest.mark.parametrize(
        ("resource", "divisor"),
        [
            ("limits.gpu", "0"),
            ("cpu", "0"),
            ("limits.cpu", "1Mi"),
            ("limits.cpu", "2"),
            ("limits.memory", "1m"),
            ("limits.memory", "10"),
            ("limits.memory", "1024"),
            ("limits.memory", "1e3"),
            ("limits.memory", "one"),
            ("limits.hugepages-", "0"),
        ],
    )
    def test_what_cannot_be(self, resource: str, divisor: str) -> None:
        assert resource_problem(resource, divisor)
        with pytest.raises(ValueError, match=r"."):
            resource_value(resource, limits={}, requests={}, allocatable={}, divisor=divisor)

    @pytest.mark.parametrize("divisor", ["", "0", "1", "1k", "1000", "1Ki", "1Ei"])
    def test_divisors(self, divisor: str) -> None:
        assert resource_problem("requests.memory", divisor) == ""

    def test_a_divisor_in_other_words_is_the_same(self) -> None:
        found = {
            resource_value("limits.cpu", limits={"cpu": 1500}, requests={}, allocatable=NODE, divisor=each)
            for each in ("", "0", "1", "1000m")
        }
        assert found == {"2"}


class TestServiceLinks:
    def test_vectors(self) -> None:
        services = [
            ServiceAddress(
                each["name"],
                each["clusterIP"],
                tuple(ServicePort(p["port"], p["protocol"], p.get("name", "")) for p in each["ports"]),
            )
            for each in SERVICES["services"]
        ]
        found = [{"name": name, "value": value} for name, value in service_variables(services).items()]
        assert found == SERVICES["expected"]

    def test_no_services(self) -> None:
        assert service_variables([]) == {}
        assert service_variables([ServiceAddress("a", "1.2.3.4", ())]) == {}
