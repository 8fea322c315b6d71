"""The registry of kinds: what people can be told, under which code, with which variables, on which channels.

A kind's templates are `templates/emails/<code>.{subject.txt,txt,html}`, of which the subject is also the title in
the inbox, and `templates/in_app/<code>.txt` for what stands below it there, if anything does. An app of one's own
registers its kinds in its `kinds.py`:

    register_kind(Kind("bookmark.dead", "A bookmark leads nowhere", "bookmarks", required=frozenset({"url"})))
"""

from dataclasses import dataclass
from typing import Final

from notifications.models import EMAIL, IN_APP, PUSH, SMS


class UnknownKind(LookupError):
    """No kind is registered under this code."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of message; a security kind can never be switched off by its recipient, and never waits.

    `channels` are those that it leaves by as long as its recipient does not choose otherwise: `in_app` is a place in
    the inbox, and is not for kinds whose variables are secrets. On `sms` it has one template,
    `templates/sms/<code>.txt`.
    """

    code: str
    title: str
    category: str
    is_security: bool = False
    channels: tuple[str, ...] = (IN_APP, EMAIL, PUSH)
    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    offers: tuple[str, ...] = ()
    """Channels that a recipient may choose in addition."""
    waits: bool = True
    """Whether it may wait for the end of quiet hours, or for a digest."""
    by_hand: bool = False
    """Whether staff may send it to whom they choose."""

    @property
    def channel(self) -> str:
        """Return the channel on which it leaves the house when it is sent to an address."""
        return next((channel for channel in self.channels if channel != IN_APP), EMAIL)

    @property
    def all_channels(self) -> tuple[str, ...]:
        """Return the channels on which it can be told: by default, then by choice."""
        return (*self.channels, *self.offers)

    @property
    def queue(self) -> str:
        """Return the queue in which it is delivered, where that is not the usual one.

        What somebody waits for in front of their screen waits behind nothing that goes to many.
        """
        return "critical" if self.is_security else ""

    @property
    def may_wait(self) -> bool:
        return self.waits and not self.is_security

    @property
    def may_be_switched_off(self) -> bool:
        return not self.is_security

    @property
    def variables(self) -> frozenset[str]:
        return self.required | self.optional

    def refuse_wrong_variables(self, given: frozenset[str]) -> None:
        """Raise `ValueError` when a required variable is missing or an unknown one is given."""
        missing = self.required - given
        if missing:
            raise ValueError(f"{self.code} lacks {', '.join(sorted(missing))}.")
        unknown = given - self.variables
        if unknown:
            raise ValueError(f"{self.code} has no variable {', '.join(sorted(unknown))}.")


ACCOUNT: Final = "account"
OPERATIONS: Final = "operations"
WORK: Final = "work"
NEWS: Final = "news"

DIGEST: Final = "system.digest"
"""The mail in which several notifications go together."""

_ORIGIN: Final = frozenset({"ip", "device"})

KINDS: Final[dict[str, Kind]] = {
    kind.code: kind
    for kind in (
        Kind(
            "account.verify_email",
            "Confirm your e-mail address",
            ACCOUNT,
            is_security=True,
            channels=(EMAIL,),
            required=frozenset({"link"}),
            optional=frozenset({"valid_for"}),
        ),
        Kind("account.welcome", "Welcome", ACCOUNT, waits=False),
        Kind(
            "account.password_reset",
            "Reset your password",
            ACCOUNT,
            is_security=True,
            channels=(EMAIL,),
            required=frozenset({"link"}),
            optional=frozenset({"valid_for"}) | _ORIGIN,
        ),
        Kind(
            "account.invitation",
            "You are invited",
            ACCOUNT,
            is_security=True,
            channels=(EMAIL,),
            required=frozenset({"link", "inviter"}),
            optional=frozenset({"valid_for"}),
        ),
        Kind(
            "account.support_access",
            "Staff has access to your account",
            ACCOUNT,
            is_security=True,
            required=frozenset({"administrator", "reason", "until"}),
        ),
        Kind(
            "account.role_changed",
            "Your role was changed",
            ACCOUNT,
            is_security=True,
            required=frozenset({"old_role", "new_role"}),
        ),
        Kind(
            "account.deletion_requested",
            "Your account is deleted",
            ACCOUNT,
            is_security=True,
            channels=(EMAIL,),
            required=frozenset({"link", "valid_for"}),
        ),
        Kind(
            "account.deleted",
            "Your account was deleted",
            ACCOUNT,
            is_security=True,
            channels=(EMAIL,),
            required=frozenset({"days"}),
        ),
        Kind("account.password_changed", "Your password was changed", ACCOUNT, is_security=True, optional=_ORIGIN),
        Kind(
            "account.mfa_changed",
            "Your two-factor sign-in was changed",
            ACCOUNT,
            is_security=True,
            required=frozenset({"change"}),
            optional=_ORIGIN,
        ),
        Kind(
            "account.new_device",
            "A sign-in from a new device",
            ACCOUNT,
            is_security=True,
            required=frozenset({"time"}) | _ORIGIN,
            optional=frozenset({"country"}),
        ),
        Kind("account.locked", "Somebody tried your password", ACCOUNT, is_security=True, optional=_ORIGIN),
        Kind(
            "account.unusual_activity",
            "Something unusual in your account",
            ACCOUNT,
            is_security=True,
            required=frozenset({"title", "text"}),
        ),
        Kind("account.token_reuse", "A session was ended for safety", ACCOUNT, is_security=True, optional=_ORIGIN),
        Kind(
            "account.email_taken",
            "You already have an account",
            ACCOUNT,
            is_security=True,
            channels=(EMAIL,),
            optional=_ORIGIN,
        ),
        Kind(
            "account.email_change",
            "Confirm your new e-mail address",
            ACCOUNT,
            is_security=True,
            channels=(EMAIL,),
            required=frozenset({"link"}),
            optional=frozenset({"valid_for"}),
        ),
        Kind(
            "account.email_changed",
            "Your e-mail address was changed",
            ACCOUNT,
            is_security=True,
            optional=frozenset({"new_email"}) | _ORIGIN,
        ),
        Kind(
            "account.api_token_created",
            "A personal access token was made",
            ACCOUNT,
            is_security=True,
            required=frozenset({"token_name", "scopes", "expires_on"}),
            optional=_ORIGIN,
        ),
        Kind(
            "account.data_export",
            "Your data is ready",
            ACCOUNT,
            is_security=True,
            channels=(EMAIL,),
            required=frozenset({"link"}),
            optional=frozenset({"valid_for"}),
        ),
        Kind(
            "job.finished",
            "Something you asked for has ended",
            WORK,
            required=frozenset({"title", "outcome"}),
            optional=frozenset({"error"}),
        ),
        Kind(
            "account.connection_changed",
            "What signs you in was changed",
            ACCOUNT,
            is_security=True,
            required=frozenset({"provider", "change"}),
            optional=_ORIGIN,
        ),
        Kind(
            "account.phone_code",
            "Code that proves a telephone number",
            ACCOUNT,
            is_security=True,
            channels=(SMS,),
            required=frozenset({"code"}),
            optional=frozenset({"valid_for"}),
        ),
        Kind(
            "account.phone_changed",
            "Your telephone number was changed",
            ACCOUNT,
            is_security=True,
            optional=frozenset({"phone"}) | _ORIGIN,
        ),
        Kind(
            "resource.commented",
            "Somebody commented on what you follow",
            WORK,
            required=frozenset({"author", "resource", "text"}),
        ),
        Kind(
            "resource.mentioned",
            "Somebody mentioned you",
            WORK,
            required=frozenset({"author", "resource", "text"}),
        ),
        Kind(
            "resource.shared",
            "Something was shared with you",
            WORK,
            required=frozenset({"giver", "resource", "access"}),
        ),
        Kind(
            "resource.transitioned",
            "Something you follow changed its state",
            WORK,
            required=frozenset({"author", "resource", "transition", "before", "after"}),
        ),
        Kind(
            "resource.transferred",
            "Something has a new owner",
            WORK,
            required=frozenset({"giver", "resource"}),
            optional=frozenset({"owner"}),
        ),
        Kind("file.rejected", "A file of yours was removed", WORK, required=frozenset({"file", "reason"})),
        Kind(
            "webhook.failing",
            "A webhook of yours fails",
            WORK,
            required=frozenset({"url", "event"}),
        ),
        Kind(
            "webhook.disabled",
            "A webhook of yours was switched off",
            WORK,
            required=frozenset({"url", "reason"}),
        ),
        Kind(
            "system.broadcast",
            "News from those who run this",
            NEWS,
            by_hand=True,
            required=frozenset({"title", "text"}),
            optional=frozenset({"link"}),
        ),
        Kind(DIGEST, "What happened", NEWS, channels=(EMAIL,), waits=False, required=frozenset({"period"})),
        Kind(
            "ops.alert",
            "Something needs an operator",
            OPERATIONS,
            waits=False,
            by_hand=True,
            required=frozenset({"title", "text"}),
            optional=frozenset({"link"}),
        ),
    )
}


def kind_of(code: str) -> Kind:
    """Return the kind registered under `code`; raises `UnknownKind`."""
    try:
        return KINDS[code]
    except KeyError:
        raise UnknownKind(code) from None


def register_kind(kind: Kind) -> Kind:
    """Add a kind of an app of one's own; raises `ValueError` for a code that is taken."""
    if kind.code in KINDS and KINDS[kind.code] != kind:
        raise ValueError(f"There is a kind {kind.code!r} already.")
    KINDS[kind.code] = kind
    return kind
