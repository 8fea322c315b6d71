"""What the status codes of mail servers say (RFC 3463): whether an address is no good, or something else is."""

import re
from typing import Final

_CODE: Final = re.compile(r"(?:^|[\s#(])([245]\.\d{1,3}\.\d{1,3})(?![\d.])", re.ASCII)
_NO_SUCH_MAILBOX: Final = frozenset({"5.1.0", "5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})
"""Bad mailbox, bad domain, bad syntax, moved without a trace, a domain that takes no mail (RFC 7505), disabled."""

_POLICY: Final = "5.7."


def names_no_mailbox(answer: str) -> bool:
    """Return whether the answer says that the address itself is no good, today and tomorrow."""
    return enhanced_code(answer) in _NO_SUCH_MAILBOX


def is_policy(answer: str) -> bool:
    """Return whether the answer is about who sends or what is said, and nothing against the address."""
    return enhanced_code(answer).startswith(_POLICY)


def enhanced_code(answer: str) -> str:
    """Return the first enhanced status code in the answer; empty where there is none."""
    found = _CODE.search(answer)
    return found[1] if found else ""
