"""What the volumes of a spec are made of, beside empty directories and host paths.

Source: pkg/apis/core/validation/validation.go, validateVolumeSource and those after it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pypod.model.rules.files import check_mode
from pypod.model.schema.checking import Check
from pypod.model.spec.env import FieldRef
from pypod.model.spec.volume_sources import (
    PROJECTIONS,
    AzureFileSource,
    CephFSSource,
    ClaimSource,
    ConfigMapProjection,
    ConfigMapSource,
    DownwardAPIFile,
    DownwardAPIProjection,
    DownwardAPISource,
    FilesSource,
    ImageSource,
    KeyToPath,
    NamedFile,
    NFSSource,
    ProjectedSource,
    SecretProjection,
    SecretSource,
)
from pypod.model.validation.env import FILE_FIELDS, check_field_ref, check_resource_ref
from pypod.model.wording import show


def check_source(check: Check, path: str, source: object, names: Collection[str]) -> None:
    """Checks the source of a volume, whose parts are of the right types.

    Args:
        check: takes the problems.
        path: of the source.
        source: it.
        names: of the pod's containers.
    """
    match source:
        case ConfigMapSource():
            check.name(f"{path}.name", source.name, subdomain=True)
            _items(check, path, source.items, {})
        case SecretSource():
            check.name(f"{path}.secretName", source.secret_name, subdomain=True)
            _items(check, path, source.items, {})
        case DownwardAPISource():
            _files(check, path, source.items, names, {})
        case ProjectedSource():
            _projected(check, path, source, names)
        case ClaimSource():
            check.name(f"{path}.claimName", source.claim_name, subdomain=True)
        case ImageSource():
            if not source.reference:
                check.add(f"{path}.reference", "is required: an image reference, as 'docker pull' takes it")
        case AzureFileSource() | CephFSSource():
            _remote(check, path, source)
        case NFSSource():
            if not source.server:
                check.add(f"{path}.server", "is required: the name or address of an NFS server")
            if not source.path.startswith("/"):
                check.add(f"{path}.path", f"{show(source.path)} must be an absolute path of the NFS server")


def _remote(check: Check, path: str, source: AzureFileSource | CephFSSource) -> None:
    """What goes into a mount's options and the name of its device must be one word of these."""
    if isinstance(source, AzureFileSource):
        check.name(f"{path}.secretName", source.secret_name, subdomain=True)
        _mount_word(check, f"{path}.shareName", source.share_name)
        return
    if not source.monitors:
        check.add(f"{path}.monitors", "is required: the addresses of Ceph's monitors")
    for index, monitor in enumerate(source.monitors):
        _mount_word(check, f"{path}.monitors[{index}]", monitor)
    if source.path and not source.path.startswith("/"):
        check.add(f"{path}.path", f"{show(source.path)} must be an absolute path of the CephFS")
    if source.user:
        _mount_word(check, f"{path}.user", source.user)
    if not source.secret_ref:
        check.add(f"{path}.secretRef", "is required: the name of a Secret with the user's key")
    else:
        check.name(f"{path}.secretRef.name", source.secret_ref, subdomain=True)


def _mount_word(check: Check, path: str, text: str) -> None:
    if not text:
        check.add(path, "is required")
    elif any(char in text for char in ",\0\n") or text != text.strip():
        check.add(
            path, f"{show(text)} cannot stand in a mount's options: it may have no comma and no line break"
        )


def check_files(check: Check, path: str, source: FilesSource) -> None:
    """Checks the files that stand in the spec themselves."""
    taken: dict[str, str] = {}
    given: object = source.files
    if not isinstance(given, tuple):
        check.add(path, f"a tuple of NamedFile is expected, not {show(given)}")
        return
    if not given:
        check.add(path, "one file at least is expected")
    check_mode(check, f"{path}.defaultMode", source.default_mode)
    for index, file in enumerate(given):
        where = f"{path}[{index}]"
        if not check.is_a(where, file, NamedFile, "a NamedFile"):
            continue
        if (text := check.text(f"{where}.path", file.path)) is not None:
            _file(check, f"{where}.path", text, taken)
        check.is_a(f"{where}.data", file.data, bytes, "text or bytes")
        if file.mode is not None:
            check_mode(check, f"{where}.mode", file.mode)


def _projected(check: Check, path: str, source: ProjectedSource, names: Collection[str]) -> None:
    taken: dict[str, str] = {}
    for index, each in enumerate(source.sources):
        where = f"{path}.sources[{index}].{PROJECTIONS.name_of(each)}"
        match each:
            case ConfigMapProjection() | SecretProjection():
                check.name(f"{where}.name", each.name, subdomain=True)
                _items(check, where, each.items, taken)
            case DownwardAPIProjection():
                _files(check, where, each.items, names, taken)


def _items(check: Check, path: str, items: Sequence[KeyToPath], taken: dict[str, str]) -> None:
    """Checks which keys are which files; ``taken``: the files of the volume so far."""
    for index, item in enumerate(items):
        where = f"{path}.items[{index}]"
        check.key(f"{where}.key", item.key)
        _file(check, f"{where}.path", item.path, taken)


def _files(
    check: Check, path: str, items: Sequence[DownwardAPIFile], names: Collection[str], taken: dict[str, str]
) -> None:
    for index, item in enumerate(items):
        where = f"{path}.items[{index}]"
        _file(check, f"{where}.path", item.path, taken)
        if isinstance(item.source, FieldRef):
            check_field_ref(check, f"{where}.fieldRef", item.source, FILE_FIELDS)
        else:
            check_resource_ref(check, f"{where}.resourceFieldRef", item.source, names, of_volume=True)


def _file(check: Check, path: str, value: str, taken: dict[str, str]) -> None:
    if not check.relative(path, value):
        return
    if value.startswith(".."):
        check.add(path, f"{show(value)} must not start with '..'")
    elif value in taken:
        check.add(path, f"conflicting duplicate paths: {show(value)} is the path at {taken[value]} already")
    taken.setdefault(value, path)
