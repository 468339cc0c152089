"""The metadata that every kind of object has, Pods among them (Kubernetes' ObjectMeta): its fields, each declared here once.

A class takes those that it keeps into the metadata of its own attributes, and `SERVERS` for what an API server writes.
"""

from __future__ import annotations

from collections.abc import Mapping

from pypod.model.schema import shapes
from pypod.model.schema.compounds import STRINGS, ListOf, MapOf
from pypod.model.schema.declaring import Meta, k8s, nothing
from pypod.model.schema.kinds import INT64, STRING, Anything, DiscreetString
from pypod.model.schema.levels import Level

PLACE = "metadata"
_SERVERS = "the API server sets it, and overwrites what a manifest says"
_NO_CONTROLLER = "no controller would ever lift them"
_NO_OWNERS = "there are no objects that own others"

NAME = k8s(place=PLACE)
NAMESPACE = k8s(place=PLACE, always=True)
LABELS = k8s(place=PLACE)
ANNOTATIONS = k8s(place=PLACE, kind=MapOf(DiscreetString()))
"""No message shows one of them: kubectl writes a whole manifest into an annotation, also that of a Secret."""
FINALIZERS = k8s(place=PLACE, level=Level.NO_EFFECT, reason=_NO_CONTROLLER)
OWNER_REFERENCES = k8s(place=PLACE, level=Level.NO_EFFECT, reason=_NO_OWNERS, kind=shapes.OWNERS)

SERVERS: Mapping[str, Meta] = {
    "uid": nothing(STRING, Level.NO_EFFECT, _SERVERS, place=PLACE),
    "resourceVersion": nothing(STRING, Level.NO_EFFECT, _SERVERS, place=PLACE),
    "generation": nothing(INT64, Level.NO_EFFECT, _SERVERS, place=PLACE),
    "creationTimestamp": nothing(STRING, Level.NO_EFFECT, _SERVERS, place=PLACE),
    "deletionTimestamp": nothing(STRING, Level.NO_EFFECT, _SERVERS, place=PLACE),
    "deletionGracePeriodSeconds": nothing(INT64, Level.NO_EFFECT, _SERVERS, place=PLACE),
    "selfLink": nothing(STRING, Level.NO_EFFECT, _SERVERS, place=PLACE),
    "managedFields": nothing(ListOf(Anything()), Level.NO_EFFECT, _SERVERS, place=PLACE),
}
"""What an API server writes: a manifest that was read from a cluster has these fields, and they say nothing here."""

OF_OBJECTS: Mapping[str, Meta] = {
    **SERVERS,
    "finalizers": nothing(STRINGS, Level.NO_EFFECT, _NO_CONTROLLER, absent=(), place=PLACE),
    "ownerReferences": nothing(shapes.OWNERS, Level.NO_EFFECT, _NO_OWNERS, absent=(), place=PLACE),
    "generateName": nothing(
        STRING, Level.REFUSED, "others refer to the object by its name: give it one", absent="", place=PLACE
    ),
}
"""What an object other than a Pod keeps nothing of."""
