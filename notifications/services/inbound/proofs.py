"""What schemes of inbound webhooks prove things with, and what they prove: a message as it came."""

import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

Headers = Mapping[str, str]

_MOST_SIGNATURES: Final = 16


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message as it came: nothing of it is proved yet. Names of headers are in lower case."""

    headers: Headers
    body: bytes
    query: str = ""
    facts: dict[str, Any] = field(init=False)
    """The body's JSON, where that is an object; else nothing."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "facts", _facts(self.body))


@dataclass(frozen=True, slots=True)
class Told:
    """What a message says of itself, once it is proved."""

    event_id: str
    type: str


def mac(key: bytes, content: bytes, digest: str = "sha256") -> bytes:
    """Return the HMAC of the content."""
    return hmac.new(key, content, digest).digest()


def any_equal(given: list[str], expected: str) -> bool:
    """Compare in constant time; a header with heaps of signatures is no more work than one with a handful."""
    wanted = expected.encode()
    return any(hmac.compare_digest(one.encode(errors="replace"), wanted) for one in given[:_MOST_SIGNATURES])


def is_recent(sent_at: str, tolerance_seconds: int) -> bool:
    """Return whether this number of seconds is about now, give or take."""
    is_number = sent_at.isascii() and sent_at.isdecimal() and len(sent_at) <= 12
    return is_number and abs(time.time() - int(sent_at)) <= tolerance_seconds


def text_of(value: Any, longest: int = 100) -> str:
    """Return a text of the other side's as we may keep it: printable ASCII, cut; nothing for anything else."""
    is_text = isinstance(value, str) and value.isascii() and value.isprintable()
    return str(value)[:longest] if is_text else ""


def digest_of(body: bytes) -> str:
    """Return the name of a message that has no id."""
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _facts(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
