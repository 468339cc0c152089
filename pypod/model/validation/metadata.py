"""The rules about labels and annotations, which all kinds of objects share (apimachinery pkg/apis/meta/v1/validation)."""

from __future__ import annotations

from collections.abc import Mapping

from pypod.model.schema.checking import QUALIFIED, QUALIFIED_RULE, Check, check_qualified
from pypod.model.schema.compounds import TEXT_MAP
from pypod.model.schema.declaring import KEY
from pypod.model.schema.paths import entry
from pypod.model.spec.object_meta import ANNOTATIONS
from pypod.model.wording import show

MOST_ANNOTATIONS = 256 * 1024
"""Bytes, of all annotations of an object (apimachinery pkg/api/validation TotalAnnotationSizeLimitB)."""


def check_labels(check: Check, path: str, labels: object) -> None:
    """Checks labels, or what is compared with some."""
    if not isinstance(labels, Mapping):
        TEXT_MAP.check(check, path, labels)
        return
    for key, value in labels.items():
        where = entry(path, key)
        if (name := check.text(where, key)) is not None:
            check_qualified(check, where, name, "label key")
        text = check.text(where, value)
        if text and (len(text) > 63 or not QUALIFIED.fullmatch(text)):
            rule = f"a label's value may be empty, else it is no more than 63 characters and {QUALIFIED_RULE}"
            check.add(where, f"the value {show(text)} is not valid: {rule}")


def check_annotations(check: Check, annotations: object, *, reserved: str = "") -> None:
    """Checks annotations. No message shows a value: it may hold the manifest of a Secret.

    Args:
        check: takes the problems.
        annotations: all of them.
        reserved: how those begin that nobody may give; empty: none do.
    """
    path = "metadata.annotations"
    kind = ANNOTATIONS[KEY].kind
    assert kind is not None
    if not check.fits(path, kind, annotations):
        return
    assert isinstance(annotations, Mapping)
    for key in annotations:
        where = entry(path, key)
        if reserved and key.startswith(reserved):
            check.add(where, f"is made by pypod itself: annotations {reserved}* are its own")
        else:
            check_qualified(check, where, key.lower(), "annotation key")
    size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    if size > MOST_ANNOTATIONS:
        check.add(path, f"may not be more than {MOST_ANNOTATIONS} bytes in all, not {size}")
