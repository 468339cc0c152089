"""The standard health check of gRPC, ``grpc.health.v1.Health/Check``: the only module that uses grpcio, which is an extra.

Its two messages have one field each, so they are written and read here: grpcio-health-checking would bring protobuf.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from pypod.engine.connection import VERSION

HOW_TO_GET = "gRPC probes need grpcio: pip install pypod[grpc]"
METHOD = "/grpc.health.v1.Health/Check"
STATUSES = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
SERVING = 1
_OPTIONS = (
    ("grpc.primary_user_agent", f"kube-probe/{VERSION}"),
    ("grpc.enable_http_proxy", 0),
    # Channels to one address share their connection, and how long to wait after it failed: each try is to be its own.
    ("grpc.use_local_subchannel_pool", 1),
)
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def available() -> bool:
    """Whether grpcio is installed. Nothing is imported."""
    return importlib.util.find_spec("grpc") is not None


def health(address: str, service: str, timeout: float) -> str:
    """Ask a server, without TLS, for the health of a service ("": of all of it).

    Args:
        address: ``host:port``.
        service: the name that the server knows it by.
        timeout: seconds.

    Returns:
        Why it does not count as healthy; empty: it is.
    """
    grpc: Any = importlib.import_module("grpc")
    with grpc.insecure_channel(address, options=_OPTIONS) as channel:
        try:
            answer: bytes = channel.unary_unary(METHOD)(encode_request(service), timeout=timeout)
            status = decode_response(answer)
        except grpc.RpcError as error:
            return _explain(grpc, error, timeout)
        except ValueError as error:
            return f"error: health rpc probe failed: {error}"
    if status == SERVING:
        return ""
    name = STATUSES[status] if status < len(STATUSES) else str(status)
    return f'service unhealthy (responded with "{name}")'


def _explain(grpc: Any, error: Any, timeout: float) -> str:
    code, details = error.code(), error.details()
    if code == grpc.StatusCode.UNIMPLEMENTED:
        return f"error: this server does not implement the grpc health protocol (grpc.health.v1.Health): {details}"
    if code == grpc.StatusCode.DEADLINE_EXCEEDED:
        return f"timeout: health rpc did not complete within {timeout:g}s"
    return f"error: health rpc probe failed: {code.name}: {details}"


def encode_request(service: str) -> bytes:
    """``HealthCheckRequest``: field 1, the service; left out where it is empty."""
    name = service.encode()
    return b"\x0a" + _varint(len(name)) + name if name else b""


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def decode_response(data: bytes) -> int:
    """``HealthCheckResponse``: field 1, the status; 0 where it is left out. Raises `ValueError` for what is no message."""
    status, place = 0, 0
    while place < len(data):
        tag, place = _read_varint(data, place)
        kind = tag & 7
        if kind == _VARINT:
            value, place = _read_varint(data, place)
            status = value if tag >> 3 == 1 else status
        elif kind == _BYTES:
            size, place = _read_varint(data, place)
            place += size
        elif kind in (_FIXED64, _FIXED32):
            place += 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"the answer is no HealthCheckResponse: {data[:40]!r}")
    if place > len(data):
        raise ValueError(f"the answer is cut off: {data[:40]!r}")
    return status


def _read_varint(data: bytes, place: int) -> tuple[int, int]:
    number = shift = 0
    while place < len(data):
        byte = data[place]
        number |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return number, place
    raise ValueError(f"the answer is cut off: {data[:40]!r}")
