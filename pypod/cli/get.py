"""`get`, `delete`, `export`: objects, and pods as manifests."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pypod
from pypod import ConfigMap, PersistentVolumeClaim, PypodError, Secret
from pypod.cli import common
from pypod.describing import layout
from pypod.engine.objects import store_of
from pypod.model.manifest import manifest
from pypod.model.spec.objects import Object, ObjectKey, key_of
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
    """Print objects of some kinds: all, or those that are named."""
    kinds, named = _wanted(args.kind, args.names)
    if args.all_namespaces and named:
        raise common.UsageError("get takes either names or -A: a name is one of a namespace")
    engine = common.engine(args)
    namespace = None if args.all_namespaces else args.namespace
    found: list[Object] = [
        pypod.get_object(kind, name, args.namespace, engine=engine) for kind, name in named
    ]
    for kind in () if named else kinds:
        found += pypod.list_objects(namespace, kind, engine=engine)
    if args.output in ("yaml", "json"):
        documents = [manifest.to_document(each) for each in found]
        whole = {"apiVersion": "v1", "kind": "List", "items": documents}
        _print(documents[0] if len(named) == 1 else whole, args.output)
    elif args.output == "name":
        for each in found:
            print(f"{each.kind.lower()}/{each.name}")
    elif found:
        created = store_of(engine).created(namespace)
        print(_tables(found, created, namespaces=args.all_namespaces, several=len(kinds) > 1))
    else:
        where = "" if args.all_namespaces else f" in {args.namespace} namespace"
        common.say(f"No resources found{where}.")
    return 0


def delete(args: argparse.Namespace) -> int:
    """Delete objects by name."""
    _, named = _wanted(args.kind, args.names)
    if not named:
        raise common.UsageError("delete takes a kind and at least one name")
    engine = common.engine(args)
    errors: list[PypodError] = []
    for kind, name in named:
        try:
            pypod.delete_object(kind, name, args.namespace, engine=engine)
        except PypodError as error:  # the others go all the same
            errors.append(error)
        else:
            print(f'{kind.lower()} "{name}" deleted', flush=True)
    common.raise_if_any(errors)
    return 0


def _wanted(first: str, others: Sequence[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """The kinds of ``secret,cm NAME ...`` or ``secret/NAME cm/NAME ...``, as Kubernetes spells them, and what is named of them."""
    if "/" not in first and not any("/" in word for word in others):
        kinds = _kinds(first)
        return kinds, [(kind, name) for kind in kinds for name in others]
    named: list[tuple[str, str]] = []
    for word in (first, *others):
        kind, slash, name = word.partition("/")
        if slash and "," not in kind and name:
            named.append((_kinds(kind)[0], name))
        elif named and not slash:
            named.append((named[-1][0], word))
        else:
            raise common.UsageError(
                f"{word!r} is no KIND/NAME, as what stands beside it is; 'secret/login' is"
            )
    return list(dict.fromkeys(kind for kind, _ in named)), named


def _kinds(text: str) -> list[str]:
    """Of ``secret,cm``, each once."""
    words = text.lower().split(",")
    for word in words:
        if word in _PODS:
            raise common.UsageError(
                "pods are listed by 'pypod ps', written as manifests by 'pypod export', removed by 'pypod down'"
            )
        if word not in WORDS:
            raise common.UsageError(f"{word!r} is no kind of object; configmap (cm), secret and pvc are")
    return list(dict.fromkeys(WORDS[word] for word in words))


def _print(document: Any, form: str) -> None:
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n" if form == "json" else to_yaml(document)
    print(text, end="")


# --- tables, as kubectl has them -------------------------------------------------------------------------------------


def _tables(
    found: Sequence[Object], created: Mapping[ObjectKey, float], *, namespaces: bool, several: bool
) -> str:
    """One of each kind. Where several kinds were asked for, names tell which they are of."""
    now = time.time()
    tables = []
    for kind in dict.fromkeys(each.kind for each in found):
        objects = [each for each in found if each.kind == kind]
        head = ["NAME", *_HEADS[kind], "AGE"]
        rows = [
            [f"{kind.lower()}/{each.name}" if several else each.name, *_cells(each), _age(each, created, now)]
            for each in objects
        ]
        if namespaces:
            head = ["NAMESPACE", *head]
            rows = [[each.namespace, *row] for each, row in zip(objects, rows, strict=True)]
        tables.append(layout.table(head, rows))
    return "\n\n".join(tables)


def _age(found: Object, created: Mapping[ObjectKey, float], now: float) -> str:
    """Changes leave it as it is. Not known of one that came or went between two looks."""
    at = created.get(key_of(found))
    return layout.age(now - at) if at else "<unknown>"


_HEADS = {
    ConfigMap.kind: ["DATA"],
    Secret.kind: ["TYPE", "DATA"],
    PersistentVolumeClaim.kind: ["VOLUME", "CAPACITY", "ACCESS MODES", "STORAGECLASS"],
}


def _cells(found: Object) -> list[str]:
    match found:
        case ConfigMap():
            return [str(len(found.files))]
        case Secret():
            return [found.type, str(len(found.data))]
    modes = ",".join(_SHORT.get(mode, mode) for mode in found.access_modes)
    return [claim_volume(found), layout.size(found.storage), modes, found.storage_class_name or ""]
