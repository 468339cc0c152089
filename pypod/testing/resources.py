"""A fake engine's images, networks and volumes."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import ipaddress
import json
import posixpath
import tarfile
from dataclasses import dataclass, field

from pypod.engine.pause import ENTRYPOINT, REPOSITORY
from pypod.errors import ConflictError, EngineError, ImagePullError, NotFoundError, SubnetInUseError
from pypod.model.wiring.credentials import Login
from pypod.model.wiring.requests import NetworkRequest, VolumeRequest
from pypod.model.wiring.state import ImageInfo, NetworkInfo, VolumeInfo
from pypod.testing.fake_container import FakeContainer, FakeImage
from pypod.testing.files import ANYBODY_MODE, DIRECTORY_MODE, VOLUMES, Files, Tree, mountpoint

_NAME_MAX = 255
"""A volume is a directory of that name."""
PREDEFINED = ("bridge", "host", "none")
Subnet = ipaddress.IPv4Network | ipaddress.IPv6Network


def digest(*words: object) -> str:
    """An ID, as long as the engine's."""
    return hashlib.sha256("\0".join(str(word) for word in words).encode()).hexdigest()


def full_reference(reference: str) -> str:
    """With its tag, without what Docker leaves out: ``docker.io/library/redis`` is ``redis:latest``."""
    plain = reference.removeprefix("docker.io/").removeprefix("library/")
    return plain if "@" in plain or ":" in plain.rpartition("/")[2] else f"{plain}:latest"


class Images:
    """By reference; and what a registry would give."""

    def __init__(self) -> None:
        self._here: dict[str, FakeImage] = {}
        self.registry: dict[str, tuple[FakeImage, float, tuple[str, str] | None]] = {}

    def add(self, reference: str, image: FakeImage) -> bool:
        """Have it from now on; another one of that reference loses it. Whether that is news."""
        before = self._here.get(full_reference(reference))
        self._here[full_reference(reference)] = image
        return before != image

    def remove(self, reference: str) -> None:
        """Have it no more."""
        if self._here.pop(full_reference(reference), None) is None:
            raise NotFoundError("remove image", reference, f"No such image: {reference}", status=404)

    def get(self, reference: str, verb: str = "inspect image") -> FakeImage:
        """By reference or ID."""
        for name, image in self._here.items():
            if name == full_reference(reference) or reference in (image.id, image.id.removeprefix("sha256:")):
                return image
        raise NotFoundError(verb, reference, f"No such image: {reference}", status=404)

    def info(self, image: FakeImage) -> ImageInfo:
        """As the engine tells it."""
        references = tuple(name for name, other in self._here.items() if other == image)
        return ImageInfo(image.id, references, dict(image.labels), image.architecture, image.size, image.user)

    def every(self) -> list[ImageInfo]:
        """Each once."""
        return [self.info(image) for image in {image.id: image for image in self._here.values()}.values()]

    def load(self, archive: bytes) -> None:
        """What ``docker save`` wrote: every tag of every image in it."""
        try:
            with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
                for entry in json.loads(_member(tar, "manifest.json")):
                    image = _saved_image(_member(tar, entry["Config"]), len(archive), entry["RepoTags"] or ())
                    for reference in entry["RepoTags"] or ():
                        self.add(reference, image)
        except (tarfile.TarError, KeyError, ValueError) as error:
            raise EngineError("load image", "", f"invalid archive: {error}", status=500) from error

    def pullable(self, reference: str, login: Login | None) -> tuple[FakeImage, float]:
        """The image, and how long the registry takes. Raises `ImagePullError`."""
        if (found := self.registry.get(full_reference(reference))) is None:
            detail = f"pull access denied for {reference}, repository does not exist"
            raise ImagePullError("pull image", reference, detail, status=404)
        image, takes, wanted = found
        if wanted is not None and (login is None or (login.username, login.password) != wanted):
            detail = f"Head {reference}: no basic auth credentials"
            raise ImagePullError("pull image", reference, detail, status=500)
        return image, takes


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    stream = tar.extractfile(name)
    if stream is None:
        raise KeyError(name)
    return stream.read()


def _saved_image(config: bytes, size: int, references: tuple[str, ...]) -> FakeImage:
    content = json.loads(config)
    says = content.get("config") or {}
    is_pause = any(reference.startswith(f"{REPOSITORY}:") for reference in references)
    return FakeImage(
        id=f"sha256:{hashlib.sha256(config).hexdigest()}",
        entrypoint=tuple(says.get("Entrypoint") or ((ENTRYPOINT,) if is_pause else ())),
        command=tuple(says.get("Cmd") or ()),
        labels=dict(says.get("Labels") or {}),
        architecture=str(content.get("architecture", "")),
        stop_signal=str(says.get("StopSignal") or "SIGTERM"),
        user=str(says.get("User") or ""),
        size=size,
        is_pause=is_pause,
    )


@dataclass(slots=True, eq=False)
class FakeNetwork:
    """A network and who has which of its addresses."""

    info: NetworkInfo
    subnet: Subnet | None
    taken: dict[str, str] = field(default_factory=dict)
    """Container IDs by address."""

    def connect(self, container: str, wanted: str = "") -> str:
        """The address that is wanted, or the lowest one that is free, from .2 on; .1 is the network's own."""
        if self.subnet is None:
            return ""
        if wanted:
            return self._take(container, ipaddress.ip_address(wanted), self.subnet)
        for offset in range(2, self.subnet.num_addresses - 1):
            address = str(self.subnet[offset])
            if address not in self.taken:
                self.taken[address] = container
                return address
        detail = f"no available IPv4 addresses on this network's address pools: {self.info.name}"
        raise EngineError("start container", container, detail, status=500)

    def _take(
        self, container: str, wanted: ipaddress.IPv4Address | ipaddress.IPv6Address, subnet: Subnet
    ) -> str:
        if self.info.name in PREDEFINED:
            detail = "user specified IP address is supported on user defined networks only"
            raise EngineError("start container", container, detail, status=400)
        if wanted not in subnet:
            detail = f"Invalid address {wanted}: It does not belong to any of this network's subnets"
            raise EngineError("start container", container, detail, status=500)
        if str(wanted) in self.taken or wanted in (subnet[0], subnet[1], subnet[-1]):
            raise EngineError("start container", container, "Address already in use", status=403)
        self.taken[str(wanted)] = container
        return str(wanted)

    def disconnect(self, container: str) -> None:
        """Its address is free again."""
        self.taken = {address: owner for address, owner in self.taken.items() if owner != container}


class Networks:
    """By ID; a name may be there more than once, a subnet may not."""

    def __init__(self) -> None:
        self._by_id: dict[str, FakeNetwork] = {}
        self._made = 0
        for name, driver, subnet in (
            ("bridge", "bridge", "172.17.0.0/16"),
            ("host", "host", ""),
            ("none", "null", ""),
        ):
            self._add(NetworkInfo(digest("network", name), name, driver, (subnet,) if subnet else ()))

    def _add(self, info: NetworkInfo) -> str:
        subnet = ipaddress.ip_network(info.subnets[0]) if info.subnets else None
        self._by_id[info.id] = FakeNetwork(info, subnet)
        return info.id

    def every(self) -> list[NetworkInfo]:
        """All, in the order of their making."""
        return [network.info for network in self._by_id.values()]

    def create(self, request: NetworkRequest, now: float) -> str:
        """Refused only for its subnet."""
        try:
            subnet = ipaddress.ip_network(request.subnet)
        except ValueError as error:
            raise EngineError(
                "create network", request.name, f"invalid subnet: {error}", status=400
            ) from error
        if any(other.subnet is not None and other.subnet.overlaps(subnet) for other in self._by_id.values()):
            detail = "Pool overlaps with other one on this address space"
            raise SubnetInUseError("create network", request.name, detail, status=403)
        self._made += 1
        made = digest("network", request.name, request.subnet, self._made)
        return self._add(NetworkInfo(made, request.name, "bridge", (str(subnet),), dict(request.labels), now))

    def get(self, network: str, verb: str) -> FakeNetwork:
        """By ID, name or the start of an ID."""
        network = "bridge" if network == "default" else network
        if network in self._by_id:
            return self._by_id[network]
        found = [other for other in self._by_id.values() if other.info.name == network]
        found = found or [
            other for other in self._by_id.values() if network and other.info.id.startswith(network)
        ]
        if not found:
            raise NotFoundError(verb, network, f"network {network} not found", status=404)
        if len(found) > 1:
            detail = f"network {network} is ambiguous ({len(found)} matches found on name)"
            raise EngineError(verb, network, detail, status=400)
        return found[0]

    def attach(self, container: FakeContainer, network: FakeNetwork, wanted: str = "") -> None:
        """Give it an address there, for as long as it runs."""
        address = network.connect(container.id, wanted)
        if address and network.subnet:
            container.addresses[network.info.id] = address
            container.gateways[network.info.id] = str(network.subnet[1])

    def join(self, container: FakeContainer, network: str) -> None:
        """Have it on one more network, now and after each start."""
        found = self.get(network, "connect to network")
        if found.info.id in (*container.more_networks, *container.addresses):
            return
        if container.is_running:
            self.attach(container, found)
        container.more_networks.append(found.info.id)

    def leave(self, container: FakeContainer) -> None:
        """It has ended: its addresses are free again."""
        for network in list(container.addresses):
            self._detach(container, network)

    def cut_off(self, container: FakeContainer, network: str) -> None:
        """Take it off one network, for this run and those to come; an empty name is that of its mode."""
        if network:
            found = self.get(network, "disconnect").info.id
            container.more_networks.remove(found)
            self._detach(container, found)
            return
        container.modes = {**container.modes, "network": "none"}
        for each in container.addresses.keys() - set(container.more_networks):
            self._detach(container, each)

    def _detach(self, container: FakeContainer, network: str) -> None:
        self.get(network, "disconnect").disconnect(container.id)
        container.addresses.pop(network, None)
        container.gateways.pop(network, None)

    def remove(self, network: str) -> None:
        """Refused while a running container is on it."""
        found = self.get(network, "remove network")
        if found.info.name in PREDEFINED:
            detail = f"{found.info.name} is a pre-defined network and cannot be removed"
            raise EngineError("remove network", network, detail, status=403)
        if found.taken:
            detail = f"error while removing network: network {found.info.name} has active endpoints"
            raise ConflictError("remove network", network, detail, status=403)
        del self._by_id[found.info.id]


class Volumes:
    """By name; and the files of the engine's host, theirs among them."""

    def __init__(self) -> None:
        self._by_name: dict[str, VolumeInfo] = {}
        self.requests: dict[str, VolumeRequest] = {}
        self.host = Tree()
        self.absent: set[str] = set()
        """Paths of the host that a test wants to be missing."""

    def is_absent(self, path: str) -> bool:
        """Nothing is there: in a volume's directory what was not made, elsewhere what a test said."""
        if self.host.get(path) is not None:
            return False
        return path.startswith(f"{VOLUMES}/") or path in self.absent

    def resolved(self, path: str) -> str:
        """A path of the host with every link in it followed, as a mount does."""
        try:
            return Files(self.host, self.host).followed(path)
        except OSError:  # links that go in a circle
            return path

    def every(self) -> list[VolumeInfo]:
        """All of them."""
        return list(self._by_name.values())

    def create(self, request: VolumeRequest, now: float) -> VolumeInfo:
        """Leave one that is there as it is."""
        if request.name in self._by_name:
            return self._by_name[request.name]
        if len(request.name) > _NAME_MAX:
            detail = f"error while creating volume root path: mkdir {request.name}: file name too long"
            raise EngineError("create volume", request.name, detail, status=500)
        directory = mountpoint(request.name)
        self._by_name[request.name] = VolumeInfo(
            request.name, dict(request.labels), float(int(now)), directory
        )
        self.requests[request.name] = request
        self._empty(request)
        return self._by_name[request.name]

    def copy_up(self, volume: str, image: Tree, path: str) -> None:
        """A fresh volume takes what the image has under it, mode and content."""
        directory = mountpoint(volume)
        if self.requests[volume].memory or self.host.children(directory) or image.get(path) is None:
            return
        for found, entry in image.entries.items():
            if found == path or found.startswith(path.rstrip("/") + "/"):
                self.host.put(directory + found[len(path) :], dataclasses.replace(entry))

    def forget(self, volume: str) -> None:
        """Nobody runs who has it: what is in memory is gone."""
        request = self.requests.get(volume)
        if request is not None and request.memory:
            self._empty(request)

    def remove(self, volume: str, users: list[str]) -> None:
        """Refused while a container, running or not, has it."""
        if volume not in self._by_name:
            raise NotFoundError("remove volume", volume, f"get {volume}: no such volume", status=404)
        if users:
            detail = f"volume is in use - [{', '.join(users)}]"
            raise ConflictError("remove volume", volume, detail, status=409)
        del self._by_name[volume], self.requests[volume]
        self.host.remove(posixpath.dirname(mountpoint(volume)))

    def _empty(self, request: VolumeRequest) -> None:
        directory = mountpoint(request.name)
        self.host.remove(directory)
        self.host.make_directory(directory, _root_mode(request))
        self.host.entries[directory].gid = request.group or 0


def _root_mode(request: VolumeRequest) -> int:
    if not request.memory:
        return DIRECTORY_MODE
    return ANYBODY_MODE if request.group is None else 0o2777
