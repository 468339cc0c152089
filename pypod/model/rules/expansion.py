"""What the references in a container's words and variables stand for, when it is made.

Source: pkg/kubelet/kubelet_pods.go makeEnvironmentVariables, pkg/kubelet/container/helpers.go ExpandContainerCommandAndArgs and
ExpandContainerCommandOnlyStatic.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from pypod.model.hidden import Hidden
from pypod.model.schema.references import Template, expand, names_in, written
from pypod.model.spec.containers import Container
from pypod.model.spec.handlers import ExecAction, Probe


def environment(container: Container) -> dict[str, str]:
    """The variables of a container whose values stand in its spec, in their order: `pypod.model.wiring.environment` has them all.

    A value refers to those before it. Of two with the same name the last one holds.

    Raises:
        ValueError: a value becomes too long.
    """
    found: dict[str, str] = {}
    for variable in container.env:
        if variable.value_from is None:
            found[variable.name] = resolved(variable.value, found)
    return found


def words(given: Iterable[str], variables: Mapping[str, str]) -> tuple[str, ...]:
    """A command or its arguments, with its references resolved. Raises as `environment`."""
    return tuple(resolved(word, variables) for word in given)


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


def resolved(text: str, variables: Mapping[str, str]) -> str:
    """Text with its references resolved; hidden where what it refers to is. Raises as `environment`."""
    if not isinstance(text, Template):
        return text
    found = expand(text, variables)
    is_hidden = any(isinstance(variables.get(name), Hidden) for name in names_in(text))
    return Hidden(found) if is_hidden else found
