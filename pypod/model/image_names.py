"""What an engine can read as the name of an image. Kubernetes' API takes any text; what is none of these, a kubelet says."""

from __future__ import annotations

import re

_NAME = re.compile(
    r"(?:(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?/)?"
    r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9+._-]*:[0-9A-Fa-f]{32,})?"
)
"""distribution/reference, regexp.go."""

RULE = "[registry[:port]/]name[:tag][@digest] is expected, the name in lower case and without spaces, as 'docker pull' takes it"
INVALID = "InvalidImageName"


def is_image_name(text: str) -> bool:
    """Whether an image can be called so. An engine is not asked for anything else: its API has names in its paths."""
    return len(text) <= 1024 and _NAME.fullmatch(text) is not None


def refusal(text: str) -> str:
    """Why a container with an image of that name is not made, in a kubelet's words; empty: it is.

    Source: pkg/kubelet/images/image_manager.go, EnsureImageExists.
    """
    if is_image_name(text):
        return ""
    return f'Failed to apply default image tag "{text}": couldn\'t parse image name "{text}": invalid reference format; {RULE}'
