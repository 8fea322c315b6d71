"""Writes a MaxMind DB file (format 2.0) of IPv4 networks and their countries: what `GEOIP_DATABASE` names."""

import struct
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

_MARKER = b"\xab\xcd\xefMaxMind.com"


def write_countries(path: Path, countries: dict[str, str]) -> Path:
    """Write a file in which each network (`81.0.0.0/8`) is in the country of that ISO code."""
    nodes: list[list[Any]] = [[None, None]]
    data = b""
    for network, code in countries.items():
        _insert(nodes, IPv4Network(network), len(data))
        data += _encoded({"country": {"iso_code": code}})
    tree = b"".join(_record(side, len(nodes)) for node in nodes for side in node)
    metadata = {
        "binary_format_major_version": (5, 2),
        "binary_format_minor_version": (5, 0),
        "build_epoch": (9, 1_700_000_000),
        "database_type": "Test-Country",
        "description": {"en": "Countries for tests"},
        "ip_version": (5, 4),
        "languages": ["en"],
        "node_count": (6, len(nodes)),
        "record_size": (5, 32),
    }
    path.write_bytes(tree + bytes(16) + data + _MARKER + _encoded(metadata))
    return path


def _insert(nodes: list[list[Any]], network: IPv4Network, offset: int) -> None:
    bits = f"{int(network.network_address):032b}"[: network.prefixlen]
    at = 0
    for bit in bits[:-1]:
        if nodes[at][int(bit)] is None:
            nodes.append([None, None])
            nodes[at][int(bit)] = ("node", len(nodes) - 1)
        at = nodes[at][int(bit)][1]
    nodes[at][int(bits[-1])] = ("data", offset)


def _record(side: Any, node_count: int) -> bytes:
    if side is None:
        return struct.pack(">I", node_count)
    kind, value = side
    return struct.pack(">I", value if kind == "node" else node_count + 16 + value)


def _encoded(value: Any) -> bytes:
    """Return the value with its control bytes; numbers are `(type, number)`, because readers ask for exact types."""
    if isinstance(value, str):
        text = value.encode()
        return bytes([2 << 5 | len(text)]) + text
    if isinstance(value, tuple):
        type_, number = value
        data = int(number).to_bytes(8, "big").lstrip(b"\0")
        return (bytes([type_ << 5 | len(data)]) if type_ < 8 else bytes([len(data), type_ - 7])) + data
    if isinstance(value, list):
        return bytes([len(value), 11 - 7]) + b"".join(_encoded(item) for item in value)
    pairs = b"".join(_encoded(key) + _encoded(item) for key, item in value.items())
    return bytes([7 << 5 | len(value)]) + pairs
