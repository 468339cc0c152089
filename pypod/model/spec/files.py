"""Files that stand in a spec (`Volume.files`), as a document has them: each is an annotation, and the volume is a ``downwardAPI`` one
that refers to it. So the document means the same in a cluster.

What is not text has no place in an annotation: it is base64 there, and another annotation says of which ones that holds. A cluster
knows nothing of that one.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from pypod.model.spec.env import FieldRef
from pypod.model.spec.pod import DownwardAPIFile, DownwardAPISource, FilesSource, NamedFile, PodSpec, Volume

FILE = "io.pypod/file-"
"""And the numbers of volume and file: ``io.pypod/file-0-2``."""
BINARY = "io.pypod/binary-files"
"""The numbers of the files that are base64, comma between them: ``0-2``."""
_REFERENCE = re.compile(r"metadata\.annotations\['io\.pypod/file-(\d{1,4}-\d{1,4})'\]")


def is_file(annotation: str) -> bool:
    """Whether it is one of those that are made here."""
    return annotation == BINARY or annotation.startswith(FILE)


def plain(spec: PodSpec) -> PodSpec:
    """The spec with nothing in it that Kubernetes does not know."""
    return _with(spec, _plain)


def without_files(spec: PodSpec) -> PodSpec:
    """The same for checks of what Kubernetes knows. The files themselves are checked elsewhere
    (`pypod.model.validation.sources`), and may be anything here."""
    return _with(spec, lambda index, source: DownwardAPISource())


def _with(spec: PodSpec, change: Callable[[int, FilesSource], DownwardAPISource]) -> PodSpec:
    if not any(isinstance(volume.source, FilesSource) for volume in _volumes(spec)):
        return spec
    return replace(
        spec,
        volumes=tuple(
            Volume(volume.name, change(index, volume.source))
            if isinstance(volume.source, FilesSource)
            else volume
            for index, volume in enumerate(_volumes(spec))
        ),
    )


def _volumes(spec: PodSpec) -> tuple[Volume, ...]:
    """Those that are some: a spec from Python may hold anything."""
    given: object = spec.volumes
    return given if isinstance(given, tuple) and all(isinstance(each, Volume) for each in given) else ()


def _plain(index: int, source: FilesSource) -> DownwardAPISource:
    items = [
        DownwardAPIFile(file.path, FieldRef(f"metadata.annotations['{FILE}{index}-{number}']"), file.mode)
        for number, file in enumerate(source.files)
    ]
    return DownwardAPISource(tuple(items), source.default_mode)


def annotations_of(spec: PodSpec) -> dict[str, str]:
    """What the volumes of the plain spec refer to."""
    found: dict[str, str] = {}
    binary = []
    for index, volume in enumerate(spec.volumes):
        named = volume.source.files if isinstance(volume.source, FilesSource) else ()
        for number, file in enumerate(named):
            text = _text(file.data)
            if text is None:
                binary.append(f"{index}-{number}")
                text = base64.b64encode(file.data).decode()
            found[f"{FILE}{index}-{number}"] = text
    if binary:
        found[BINARY] = ",".join(binary)
    return found


def _text(data: bytes) -> str | None:
    """None: it is none that a document could hold."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    # Line ends other than these, and control characters, do not come back from YAML as they were.
    is_clean = all(char in "\t\n" or char.isprintable() for char in text)
    return text if is_clean else None


class SpecFiles:
    """The files of a document's annotations.

    Args:
        values: the annotations.

    Attributes:
        unused: those that no volume refers to.
        problems: by annotation.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._texts = {
            name.removeprefix(FILE): text for name, text in values.items() if name.startswith(FILE)
        }
        names = values.get(BINARY, "").split(",") if BINARY in values else []
        self._binary = {name.strip() for name in names}
        self.unused = dict.fromkeys(self._texts)
        self.problems: dict[str, str] = {}

    def restored(self, volumes: Iterable[Volume]) -> tuple[Volume, ...]:
        """The volumes as `Volume.files` made them."""
        if not self._texts:
            return tuple(volumes)
        return tuple(self._restored(volume) for volume in volumes)

    def _restored(self, volume: Volume) -> Volume:
        source = volume.source
        if not isinstance(source, DownwardAPISource) or not source.items:
            return volume
        numbers = [_number(item) for item in source.items]
        if not all(number in self._texts for number in numbers):
            return volume
        files = []
        for number, item in zip(numbers, source.items, strict=True):
            self.unused.pop(number, None)
            files.append(NamedFile(item.path, self._data(number), item.mode))
        return Volume(volume.name, FilesSource(tuple(files), source.default_mode))

    def _data(self, number: str) -> bytes:
        text = self._texts[number]
        if number not in self._binary:
            return text.encode()
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            self.problems[f"{FILE}{number}"] = f"is not base64, as '{BINARY}' says"
            return b""


def _number(item: DownwardAPIFile) -> str:
    match = _REFERENCE.fullmatch(item.source.field_path) if isinstance(item.source, FieldRef) else None
    return match[1] if match else ""
