"""Pods in pytest. The plugin is found by pytest itself once pypod is installed; this is what suites import of it.

import pypod.pytest

web = pypod.pytest.pod_fixture("web.yaml", scope="module")


def test_index(web):
    host, port = web.address(80)
"""

from __future__ import annotations

from pypod.pytest.declaring import pod_fixture
from pypod.pytest.factory import PodFactory

__all__ = ["PodFactory", "pod_fixture"]
