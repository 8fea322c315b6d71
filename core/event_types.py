"""The families of events that there are, and the patterns in which somebody asks for some of them."""

import re
from typing import Final

FAMILIES: Final[dict[str, str]] = {
    "access": "Reviews of who may do what.",
    "api_token": "Personal access tokens.",
    "audit": "The log itself.",
    "breaker": "Other servers that are left alone, or asked again, by hand.",
    "comment": "Comments on resources.",
    "connection": "Ways in by a provider.",
    "dead_letter": "Background work that was given up.",
    "device": "Browsers and apps that take push notices.",
    "file": "Files.",
    "impersonation": "Administrators in somebody's place.",
    "job": "Imports, exports and other work that takes a while.",
    "message_template": "What messages say, where staff have changed it.",
    "mfa": "Two-factor sign-in.",
    "notification": "Messages to people.",
    "passkey": "Passkeys.",
    "resource": "Resources.",
    "resource_type": "Types of resources.",
    "role": "Roles.",
    "saved_view": "Views that people keep.",
    "schedule": "Work that the clock starts.",
    "session": "Sign-ins.",
    "share": "Shares of resources.",
    "suppression": "Addresses and numbers that are told nothing more.",
    "threat": "What looked like an attack.",
    "user": "Accounts.",
    "watch": "Who follows what.",
    "webhook": "Webhook endpoints, and what other programs tell.",
    "webhook_source": "Programs that may tell us something.",
}
"""Every family, the first half of a type (`resource.created`), with what it tells about."""

_TYPES: Final = {
    "api_token": "created revoked",
    "breaker": "closed opened",
    "comment": "created updated deleted",
    "connection": "created removed",
    "device": "created removed",
    "file": "announced attached created deleted detached rejected released version_added version_removed",
    "impersonation": "started ended",
    "job": "created started retried succeeded failed cancelled",
    "notification": "all_read bounced complained created delivered failed resent",
    "message_template": "created updated restored deleted failed tried",
    "passkey": "copy_suspected renamed",
    "resource": (
        "created updated deleted restored destroyed transitioned transferred reverted file_attached file_changed "
        "file_detached"
    ),
    "resource_type": "created updated deleted",
    "role": "created updated deleted",
    "session": "created refreshed reauthenticated revoked token_reused",
    "share": "created changed removed opened",
    "suppression": "added removed",
    "threat": "detected reviewed",
    "user": (
        "created invited registration_repeated email_verified updated deleted restored anonymised unlocked "
        "sign_in_blocked password_changed password_reset_requested email_change_requested email_changed "
        "phone_changed phone_verified avatar_changed data_export_requested data_export_fetched"
    ),
}
TYPES: Final = frozenset(f"{family}.{verb}" for family, verbs in _TYPES.items() for verb in verbs.split())
"""The types that can be asked for before one has occurred; any other that is in the log is a type as well."""


def declare_family(name: str, about: str) -> None:
    """Add a family of one's own app, so that it can be asked for before anything of it has occurred."""
    FAMILIES[name] = about


EVERYTHING: Final = "*"
_PATTERN: Final = re.compile(r"([a-z][a-z_]{0,48})\.(\*|[a-z][a-z_]{0,48})", re.ASCII)


def family_of(pattern: str) -> str | None:
    """Return the family of a type or of a pattern like `resource.*`; None for what has no such form."""
    match = _PATTERN.fullmatch(pattern)
    return match[1] if match else None


def patterns_of(type_: str) -> list[str]:
    """Return every pattern that events of this type answer to."""
    return [EVERYTHING, f"{type_.partition('.')[0]}.*", type_]
