"""Plain values as YAML text, which Kubernetes' loader and `pypod.model.text.documents` read alike."""

from __future__ import annotations

import re
from typing import Any

import yaml

from pypod.model.text.scalars import STANDARD, resolve


def to_yaml(value: object) -> str:
    """One document: block style, in the order of its mappings."""
    text: str = yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, default_flow_style=False, allow_unicode=True, width=110
    )
    return text


class _Dumper(yaml.SafeDumper):
    """Quotes every string that Kubernetes' loader would take for something else."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_OTHER_BREAKS = re.compile("[\r\x85\u2028\u2029\ufeff]")
"""PyYAML takes them for ends of lines, or drops them, unless they are escaped in double quotes."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    if not isinstance(resolve(text), str):
        style = "'"
    if _OTHER_BREAKS.search(text):
        style = '"'
    return dumper.represent_scalar(f"{STANDARD}str", text, style)


_Dumper.add_representer(str, _represent_text)
