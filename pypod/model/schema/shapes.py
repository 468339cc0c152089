"""Fields of Kubernetes that are checked, kept and written back as they are, since nothing is done with them.

Mostly where a pod is to be placed: one engine has one place.
"""

from __future__ import annotations

from pypod.model.schema.compounds import STRINGS, TEXT_MAP, ListOf, Shape
from pypod.model.schema.kinds import BOOLEAN, INT32, INT64, STRING, QuantityText, Word

SELECTOR = Shape(
    {
        "matchLabels": TEXT_MAP,
        "matchExpressions": ListOf(
            Shape(
                {
                    "key": STRING,
                    "operator": Word("In", "NotIn", "Exists", "DoesNotExist"),
                    "values": STRINGS,
                },
                required=("key", "operator"),
            )
        ),
    }
)

# --- affinity --------------------------------------------------------------------------------------------------------

_NODE_REQUIREMENTS = ListOf(
    Shape(
        {
            "key": STRING,
            "operator": Word("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"),
            "values": STRINGS,
        },
        required=("key", "operator"),
    )
)
_NODE_TERM = Shape({"matchExpressions": _NODE_REQUIREMENTS, "matchFields": _NODE_REQUIREMENTS})
_NODE_AFFINITY = Shape(
    {
        "requiredDuringSchedulingIgnoredDuringExecution": Shape(
            {"nodeSelectorTerms": ListOf(_NODE_TERM)}, required=("nodeSelectorTerms",)
        ),
        "preferredDuringSchedulingIgnoredDuringExecution": ListOf(
            Shape({"weight": INT32, "preference": _NODE_TERM}, required=("weight", "preference"))
        ),
    }
)
_POD_TERM = Shape(
    {
        "labelSelector": SELECTOR,
        "namespaces": STRINGS,
        "namespaceSelector": SELECTOR,
        "topologyKey": STRING,
        "matchLabelKeys": STRINGS,
        "mismatchLabelKeys": STRINGS,
    },
    required=("topologyKey",),
)
_POD_AFFINITY = Shape(
    {
        "requiredDuringSchedulingIgnoredDuringExecution": ListOf(_POD_TERM),
        "preferredDuringSchedulingIgnoredDuringExecution": ListOf(
            Shape({"weight": INT32, "podAffinityTerm": _POD_TERM}, required=("weight", "podAffinityTerm"))
        ),
    }
)
AFFINITY = Shape(
    {"nodeAffinity": _NODE_AFFINITY, "podAffinity": _POD_AFFINITY, "podAntiAffinity": _POD_AFFINITY}
)

# --- other placing ---------------------------------------------------------------------------------------------------

TOLERATIONS = ListOf(
    Shape(
        {
            "key": STRING,
            "operator": Word("", "Exists", "Equal", "Lt", "Gt"),
            "value": STRING,
            "effect": Word("", "NoSchedule", "PreferNoSchedule", "NoExecute"),
            "tolerationSeconds": INT64,
        }
    )
)
SPREAD = ListOf(
    Shape(
        {
            "maxSkew": INT32,
            "topologyKey": STRING,
            "whenUnsatisfiable": Word("DoNotSchedule", "ScheduleAnyway"),
            "labelSelector": SELECTOR,
            "minDomains": INT32,
            "nodeAffinityPolicy": Word("Honor", "Ignore"),
            "nodeTaintsPolicy": Word("Honor", "Ignore"),
            "matchLabelKeys": STRINGS,
        },
        required=("maxSkew", "topologyKey", "whenUnsatisfiable"),
    )
)
READINESS_GATES = ListOf(Shape({"conditionType": STRING}, required=("conditionType",)))
SCHEDULING_GATES = ListOf(Shape({"name": STRING}, required=("name",)))
SCHEDULING_GROUP = Shape({"podGroupName": STRING})
RESOURCE_CLAIMS = ListOf(
    Shape(
        {"name": STRING, "resourceClaimName": STRING, "resourceClaimTemplateName": STRING}, required=("name",)
    )
)
OVERHEAD_AMOUNT = QuantityText()
OWNERS = ListOf(
    Shape(
        {
            "apiVersion": STRING,
            "kind": STRING,
            "name": STRING,
            "uid": STRING,
            "controller": BOOLEAN,
            "blockOwnerDeletion": BOOLEAN,
        },
        required=("apiVersion", "kind", "name", "uid"),
    )
)

# --- containers ------------------------------------------------------------------------------------------------------

RESIZE_POLICY = ListOf(
    Shape(
        {"resourceName": STRING, "restartPolicy": Word("NotRequired", "RestartContainer")},
        required=("resourceName", "restartPolicy"),
    )
)
VOLUME_DEVICES = ListOf(Shape({"name": STRING, "devicePath": STRING}, required=("name", "devicePath")))
CLAIMS = ListOf(Shape({"name": STRING, "request": STRING}, required=("name",)))
