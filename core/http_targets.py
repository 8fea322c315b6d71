"""Where outbound requests may go: a URL's host, resolved once and checked on the address that is connected to.

If any answer of the name server is not the open internet's the request is refused, so a name that answers
differently the second time (DNS rebinding) gains nothing: there is no second time.
"""

import os
import socket
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from core.public_addresses import is_public


class RequestFailed(Exception):
    """No usable answer came."""


class AddressRefused(RequestFailed):
    """The URL is not one that we send requests to; nothing was sent."""


class TimedOut(RequestFailed):
    """The answer took too long."""

    def __init__(self, message: str = "The answer took too long.") -> None:
        super().__init__(message)


class TooLarge(RequestFailed):
    """The answer has more bytes than were allowed."""


class NoAnswer(RequestFailed):
    """The other side could not be reached, or broke off."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes, as its URL spells it; `allowed_hosts` may be of a private network."""

    scheme: str
    host: str
    port: int
    path: str
    allowed_hosts: Collection[str]

    @classmethod
    def of(cls, url: str, allowed_hosts: Collection[str] | None) -> "Target":
        """Return the parts of a URL that is spelt in the one way we accept; raises `AddressRefused`."""
        if not url.isascii() or any(character <= " " or character in "\\\x7f" for character in url):
            raise AddressRefused("The URL holds characters that do not belong in one.")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise AddressRefused("This is not a URL.") from None
        if parts.scheme not in {"http", "https"}:
            raise AddressRefused("Only http and https are spoken.")
        if "@" in parts.netloc or not parts.hostname or port == 0:
            raise AddressRefused("The URL needs a host and no user name.")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        port = port or (443 if parts.scheme == "https" else 80)
        allowed = settings.OUTBOUND_ALLOWED_HOSTS if allowed_hosts is None else allowed_hosts
        return cls(parts.scheme, parts.hostname, port, path, allowed)

    @property
    def is_allowed_by_name(self) -> bool:
        """Return whether the operator vouches for this host."""
        return bool({self.host, f"{self.host}:{self.port}"} & set(self.allowed_hosts))

    def addresses(self, timeout: float) -> list[tuple[socket.AddressFamily, Any]]:
        """Return what the name resolves to; raises `AddressRefused` when any of it is not public."""
        try:
            found = (
                _resolver(os.getpid())
                .submit(socket.getaddrinfo, self.host, self.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
                .result(timeout)
            )
        except FutureTimeoutError:
            raise TimedOut("The name was not resolved in time.") from None
        except (OSError, UnicodeError):
            raise RequestFailed("The name does not resolve.") from None
        addresses: list[tuple[socket.AddressFamily, Any]] = [(family, address) for family, _, _, _, address in found]
        if not self.is_allowed_by_name and not all(_is_public_text(str(address[0])) for _, address in addresses):
            raise AddressRefused("The address is not on the open internet.")
        return addresses

    def connect(self, deadline: float) -> socket.socket:
        """Return a connection to a checked address, made before `deadline` (of the monotonic clock)."""
        for family, address in self.addresses(deadline - time.monotonic()):
            connection = socket.socket(family, socket.SOCK_STREAM)
            try:
                # A body goes out behind its head at once, and not when the other side has said that the head came.
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.settimeout(max(0.01, deadline - time.monotonic()))
                connection.connect(address)
            except OSError:
                connection.close()
                continue
            return connection
        raise NoAnswer("No connection.")


@lru_cache(maxsize=1)
def _resolver(process_id: int) -> ThreadPoolExecutor:
    """Return the threads that names are resolved in: `getaddrinfo` knows no timeout. A forked child needs its own."""
    return ThreadPoolExecutor(max_workers=32, thread_name_prefix="resolve")


def _is_public_text(text: str) -> bool:
    try:
        return is_public(ip_address(text))
    except ValueError:
        return False


def refuse_address(url: str, *, allowed_hosts: Collection[str] | None = None) -> None:
    """Raise `AddressRefused` for a URL that can be told to lead nowhere public without asking a name server.

    It is for the moment at which somebody types a URL in; what counts is the check at connect time.
    """
    target = Target.of(url, allowed_hosts)
    if target.is_allowed_by_name:
        return
    name = target.host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost") or not _may_be_public(name):
        raise AddressRefused("The address is not on the open internet.")


def _may_be_public(host: str) -> bool:
    """Return False for an address, in any notation that a resolver understands, that is not public."""
    try:
        return is_public(ip_address(host))
    except ValueError:
        pass
    try:
        return is_public(ip_address(socket.inet_aton(host)))
    except OSError:
        return True
