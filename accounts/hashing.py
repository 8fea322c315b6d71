"""Password hashing: as many at a time as there are cores, and the same work whoever is asked for.

A sign-in does the work of every algorithm that any stored hash uses (one, unless an import brought others),
once for real where the account has that hash and once on a dummy otherwise, so its time tells nobody
whether an account exists, nor how old its password is.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Final

from django.contrib.auth.hashers import BasePasswordHasher, get_hasher, get_hashers, identify_hasher
from django.contrib.auth.hashers import make_password as django_make_password

from accounts.models.users import LEGACY_HASH, User
from core.errors import ServiceUnavailable

_WAIT_SECONDS: Final = 10.0
_CENSUS_SECONDS: Final = 60.0
_slots: Final = threading.BoundedSemaphore(os.cpu_count() or 1)


def make_password(password: str) -> str:
    """Return the hash to store."""
    with _slot():
        return django_make_password(password)


def is_right_password(password: str, encoded: str | None) -> bool:
    """Return whether `password` is what `encoded` was made from; None (no such account) takes as long."""
    own = _hasher_of(encoded)
    with _slot():
        for algorithm in _census.algorithms():
            if own is None or algorithm != own.algorithm:
                get_hasher(algorithm).verify(password, _dummy(algorithm))
        return own is not None and encoded is not None and _verify(own, password, encoded)


def is_outdated(encoded: str) -> bool:
    """Return whether the hash should be replaced at the next chance, its password at hand."""
    hasher, preferred = _hasher_of(encoded), get_hasher()
    return hasher is None or hasher.algorithm != preferred.algorithm or preferred.must_update(encoded)


def _preferred() -> str:
    return str(get_hasher().algorithm)


def _verify(hasher: BasePasswordHasher, password: str, encoded: str) -> bool:
    is_right = hasher.verify(password, encoded)
    if not is_right and hasher.algorithm != _preferred() and hasher.must_update(encoded):
        hasher.harden_runtime(password, encoded)
    return is_right


def _hasher_of(encoded: str | None) -> BasePasswordHasher | None:
    """Return the hasher of a stored hash; None for no hash and for the marks of unusable ones."""
    if not encoded:
        return None
    try:
        return identify_hasher(encoded)
    except ValueError:
        return None


@contextmanager
def _slot() -> Iterator[None]:
    if not _slots.acquire(timeout=_WAIT_SECONDS):
        raise ServiceUnavailable
    try:
        yield
    finally:
        _slots.release()


@lru_cache(maxsize=8)
def _dummy(algorithm: str) -> str:
    hasher = get_hasher(algorithm)
    return hasher.encode("", hasher.salt())


class _Census:
    """Which algorithms the stored hashes use; asked of the database once a minute."""

    def __init__(self) -> None:
        self._found: frozenset[str] = frozenset()
        self._counted_at = float("-inf")

    def algorithms(self) -> frozenset[str]:
        if time.monotonic() - self._counted_at > _CENSUS_SECONDS:
            self._found = frozenset({_preferred(), *_legacy_algorithms()})
            self._counted_at = time.monotonic()
        return self._found

    def forget(self) -> None:
        self._counted_at = float("-inf")
        # A dummy costs what its algorithm cost when it was made.
        _dummy.cache_clear()


_census: Final = _Census()
forget_census = _census.forget


def _legacy_algorithms() -> list[str]:
    legacy = User.objects.filter(LEGACY_HASH)
    candidates = {str(hasher.algorithm) for hasher in get_hashers()} - {_preferred()}
    return [name for name in candidates if legacy.filter(("password__startswith", f"{name}$")).exists()]
