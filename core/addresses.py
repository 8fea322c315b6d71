"""Which address asks: the peer's own, or the one that trusted proxies say."""

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Any


def client_address(meta: Mapping[str, Any], *, trusted_proxies: int) -> str | None:
    """Return the address of the client behind exactly `trusted_proxies` proxies of ours, None if there is none.

    Each of our proxies appends the address it saw to `X-Forwarded-For`; what stands further left was sent by
    the client and is never believed. With 0 proxies the header is not looked at.
    """
    peer: str = meta.get("REMOTE_ADDR") or ""
    if not trusted_proxies:
        return peer or None
    hops = [hop.strip() for hop in meta.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
    if len(hops) < trusted_proxies:
        return peer or None
    return normal_address(hops[-trusted_proxies]) or peer or None


@lru_cache(maxsize=4096)
def normal_address(text: str) -> str | None:
    """Return the address in its one spelling (no port, no zone, IPv4 for mapped ones), None if it is none."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(address)


@lru_cache(maxsize=4096)
def limit_identity(address: str | None) -> str:
    """Return what one address counts as for limits: itself, or its /64 for IPv6 (what one customer is given)."""
    normal = normal_address(address or "")
    if normal is None:
        return "unknown"
    if ":" not in normal:
        return normal
    return str(IPv6Network((normal, 64), strict=False))
