"""`get`, `delete`, `export`: objects, and pods as manifests."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

import pypod
from pypod import ConfigMap, PersistentVolumeClaim, PypodError, Secret
from pypod.cli import common
from pypod.describing import layout
from pypod.model.manifest import manifest
from pypod.model.spec.objects import Object
from pypod.model.text.writer import to_yaml
from pypod.model.wiring.object_records import claim_volume
from pypod.storing import WORDS

_PODS = ("pod", "pods", "po")
_SHORT = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def export(args: argparse.Namespace) -> int:
    """Print a pod as the manifest that makes one like it."""
    pod = pypod.get(args.pod, args.namespace, engine=common.engine(args))
    _print(manifest.to_document(pod.spec), args.output)
    return 0


def get(args: argparse.Namespace) -> int:
    """Print objects of a kind: all, or those that are named."""
    kind, names = _kind_and_names(args.kind, args.names)
    if args.all_namespaces and names:
        raise common.UsageError("get takes either names or -A: a name is one of a namespace")
    engine = common.engine(args)
    if names:
        found = [pypod.get_object(kind, name, args.namespace, engine=engine) for name in names]
    else:
        namespace = None if args.all_namespaces else args.namespace
        found = pypod.list_objects(namespace, kind, engine=engine)
    if args.output in ("yaml", "json"):
        documents = [manifest.to_document(each) for each in found]
        whole = {"apiVersion": "v1", "kind": "List", "items": documents}
        _print(documents[0] if len(names) == 1 else whole, args.output)
    elif args.output == "name":
        for each in found:
            print(f"{each.kind.lower()}/{each.name}")
    elif found:
        print(_table(found, namespaces=args.all_namespaces))
    else:
        where = "" if args.all_namespaces else f" in {args.namespace} namespace"
        common.say(f"No resources found{where}.")
    return 0


def delete(args: argparse.Namespace) -> int:
    """Delete objects by name."""
    kind, names = _kind_and_names(args.kind, args.names)
    if not names:
        raise common.UsageError("delete takes a kind and at least one name")
    engine = common.engine(args)
    errors: list[PypodError] = []
    for name in names:
        try:
            pypod.delete_object(kind, name, args.namespace, engine=engine)
        except PypodError as error:  # the others go all the same
            errors.append(error)
        else:
            print(f'{kind.lower()} "{name}" deleted', flush=True)
    common.raise_if_any(errors)
    return 0


def _kind_and_names(kind: str, names: Sequence[str]) -> tuple[str, list[str]]:
    """Of ``secret NAME ...`` or ``secret/NAME``; the kind as Kubernetes spells it."""
    word, slash, name = kind.partition("/")
    if word.lower() in _PODS:
        raise common.UsageError(
            "pods are listed by 'pypod ps', written as manifests by 'pypod export', removed by 'pypod down'"
        )
    if word.lower() not in WORDS:
        raise common.UsageError(f"{word!r} is no kind of object; configmap (cm), secret and pvc are")
    return WORDS[word.lower()], [name, *names] if slash else list(names)


def _print(document: Any, form: str) -> None:
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n" if form == "json" else to_yaml(document)
    print(text, end="")


# --- tables, as kubectl has them -------------------------------------------------------------------------------------


def _table(found: Sequence[Object], *, namespaces: bool) -> str:
    head, rows = _columns(found)
    if namespaces:
        head = ["NAMESPACE", *head]
        rows = [[each.namespace, *row] for each, row in zip(found, rows, strict=True)]
    return layout.table(head, rows)


def _columns(found: Sequence[Object]) -> tuple[list[str], list[list[str]]]:
    match found[0]:
        case ConfigMap():
            return ["NAME", "DATA"], [
                [each.name, str(len(each.files))] for each in found if isinstance(each, ConfigMap)
            ]
        case Secret():
            secrets = [each for each in found if isinstance(each, Secret)]
            return ["NAME", "TYPE", "DATA"], [[each.name, each.type, str(len(each.data))] for each in secrets]
    claims = [each for each in found if isinstance(each, PersistentVolumeClaim)]
    return ["NAME", "VOLUME", "CAPACITY", "ACCESS MODES", "STORAGECLASS"], [_claim(each) for each in claims]


def _claim(claim: PersistentVolumeClaim) -> list[str]:
    modes = ",".join(_SHORT.get(mode, mode) for mode in claim.access_modes)
    return [
        claim.name,
        claim_volume(claim),
        layout.size(claim.storage),
        modes,
        claim.storage_class_name or "",
    ]
