"""Volumes that the engine's host mounts from elsewhere with what a Secret says: Azure's files and CephFS.

An engine keeps how it mounts a volume, the password too, in the volume's own configuration, as long as the pod is there. Who can read
that can read the Secret as well. Nothing of pypod's shows it.

Sources: pkg/volume/azure_file, pkg/volume/cephfs; fs/smb/client and Documentation/filesystems/ceph.rst of Linux.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pypod.model.rules.files import FilesError
from pypod.model.spec.object_references import Objects, not_found
from pypod.model.spec.objects import Secret
from pypod.model.spec.volume_sources import AzureFileSource, CephFSSource

AZURE_HOST = "file.core.windows.net"
ACCOUNT, ACCOUNT_KEY = "azurestorageaccountname", "azurestorageaccountkey"
ADMIN = "admin"

RemoteSource = AzureFileSource | CephFSSource


@dataclass(frozen=True, slots=True)
class Remote:
    """What an engine's host mounts.

    Attributes:
        type: of the file system, as the kernel calls it.
        device: where it is.
        options: of the mount, but for the secret one.
        password: the option that says it.
        secret: what that one says.
    """

    type: str
    device: str
    options: tuple[str, ...]
    password: str
    secret: str = field(repr=False)


def secret_of(source: RemoteSource) -> str:
    """The name of the Secret with its credentials."""
    return source.secret_name if isinstance(source, AzureFileSource) else source.secret_ref


def remote_of(source: RemoteSource, objects: Objects, group: int | None = None) -> Remote:
    """How a volume is mounted.

    Args:
        source: what it is.
        objects: the Secret among them.
        group: whom its files belong to, where the file system has none of its own; None: root.

    Raises:
        FilesError: the Secret is missing, or has not got what is needed; in a kubelet's words, and without any value.
    """
    name = secret_of(source)
    if why := objects.unreadable.get((Secret.kind, name)):
        raise FilesError(why)
    secret = objects.secret(name)
    if secret is None:
        raise FilesError(not_found(Secret.kind, name))
    if isinstance(source, AzureFileSource):
        return _azure_file(source, secret, group)
    return _ceph_fs(source, secret)


def _azure_file(source: AzureFileSource, secret: Secret, group: int | None) -> Remote:
    account, key = (_option(secret, each) for each in (ACCOUNT, ACCOUNT_KEY))
    if not account or not key:
        where = f"{secret.namespace}/{secret.name}"
        raise FilesError(f"invalid {where}, couldn't extract {ACCOUNT} or {ACCOUNT_KEY}")
    host = f"{account}.{AZURE_HOST}"
    options = [f"addr={host}", f"username={account}", "file_mode=0777", "dir_mode=0777", "vers=3.0"]
    options += [f"gid={group}"] if group is not None else []
    return Remote("cifs", f"//{host}/{source.share_name}", tuple(options), "password", key)


def _ceph_fs(source: CephFSSource, secret: Secret) -> Remote:
    keys = ["key"] if "key" in secret.data else list(secret.data)
    key = _option(secret, keys[0]) if len(keys) == 1 else ""
    if not key:
        where = f"{secret.namespace}/{secret.name}"
        raise FilesError(f"invalid {where}: one value is expected, or one with the key 'key'")
    device = f"{','.join(source.monitors)}:{source.path or '/'}"
    return Remote("ceph", device, (f"name={source.user or ADMIN}",), "secret", key)


def _option(secret: Secret, key: str) -> str:
    """A value, as one of a mount's options; empty: there is none."""
    try:
        value = secret.data.get(key, b"").decode().strip()
    except UnicodeDecodeError:
        value = "\0"
    if any(char in value for char in ",\n\r\0"):
        raise FilesError(
            f"invalid {secret.namespace}/{secret.name}: the value of {key!r} cannot stand in a mount's options"
        )
    return value
