"""What the references in a container's words and variables stand for, when it is made.

Source: pkg/kubelet/kubelet_pods.go makeEnvironmentVariables, pkg/kubelet/container/helpers.go ExpandContainerCommandAndArgs and
ExpandContainerCommandOnlyStatic.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from pypod.model.containers import Container
from pypod.model.handlers import ExecAction, Probe
from pypod.model.references import Template, expand, written


def environment(container: Container) -> dict[str, str]:
    """The variables that a container gets, in their order.

    A value refers to those before it. Of two with the same name the last one holds.

    Raises:
        ValueError: a value becomes too long.
    """
    found: dict[str, str] = {}
    for variable in container.env:
        if variable.value_from is None:
            found[variable.name] = _resolved(variable.value, found)
    return found


def words(given: Iterable[str], variables: Mapping[str, str]) -> tuple[str, ...]:
    """A command or its arguments, with its references resolved. Raises as `environment`."""
    return tuple(_resolved(word, variables) for word in given)


def probe(container: Container, given: Probe) -> Probe:
    """A container's probe as it is made. In its command a reference is to the text of a value, as it is written down."""
    if not isinstance(given.handler, ExecAction):
        return given
    if not any(isinstance(word, Template) for word in given.handler.command):
        return given
    texts = {
        variable.name: written(variable.value) for variable in container.env if variable.value_from is None
    }
    return replace(given, handler=ExecAction(words(given.handler.command, texts)))


def _resolved(text: str, variables: Mapping[str, str]) -> str:
    return expand(text, variables) if isinstance(text, Template) else text
