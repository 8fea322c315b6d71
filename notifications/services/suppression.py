"""The suppression list: which addresses and numbers are told nothing more, and what reaches them all the same."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import transaction

from core.events import publish
from core.permissions import SYSTEM, Caller
from core.plans import Statement
from notifications.kinds import KINDS
from notifications.models import EMAIL, SMS, Message
from notifications.models.suppressions import BOUNCE, REASONS, SuppressedAddress

ASKED_FOR_ON_THE_SPOT: Final = frozenset(
    {"account.verify_email", "account.email_change", "account.password_reset", "account.phone_code"}
)
"""What somebody waits for in front of their screen; a mailbox or number that is back again shows by one of them."""


# Asked of every message that leaves.
_REASONS: Final = Statement(
    "SELECT string_agg(reason, ' ') FROM suppressed_addresses WHERE address = {$address}::varchar(320)"
)


class Suppressed(Exception):
    """The message does not leave: its address is on the list."""


def refuse_suppressed(message: Message) -> None:
    """Raise `Suppressed` for a mail or a text that the list keeps from its address.

    Where one came back for good, nothing is sent but what is asked for on the spot; where one was called unwanted,
    nothing that its reader may switch off.
    """
    if message.channel not in {EMAIL, SMS}:
        return
    row = _REASONS.fetch({"address": normal_address(message.address)})
    for reason in row[0].decode().split() if row and row[0] else ():
        if not _reaches_all_the_same(message.kind, reason):
            raise Suppressed(f"not sent: the address is on the suppression list ({REASONS[reason].lower()})")


def _reaches_all_the_same(code: str, reason: str) -> bool:
    if reason == BOUNCE:
        return code in ASKED_FOR_ON_THE_SPOT
    kind = KINDS.get(code)
    return kind is not None and not kind.may_be_switched_off


def normal_address(address: str) -> str:
    """Return the address as the list knows it."""
    return address.strip().lower()


@transaction.atomic
def suppress(address: str, *, reason: str, detail: str) -> bool:
    """Put the address on the list; return whether it was not on it for this reason."""
    row = SuppressedAddress(address=normal_address(address), reason=reason, detail=detail.replace("\0", "")[:300])
    SuppressedAddress.objects.bulk_create([row], ignore_conflicts=True)
    if not SuppressedAddress.objects.filter(pk=row.pk).exists():
        return False
    publish("suppression.added", subject=row, actor=SYSTEM, data={"reason": reason})
    return True


@transaction.atomic
def mail_again(*, ids: Iterable[UUID], actor: Caller) -> int:
    """Take rows off the list, for staff; return how many there were."""
    rows = list(SuppressedAddress.objects.select_for_update().filter(pk__in=list(ids)).order_by("pk"))
    for row in rows:
        publish("suppression.removed", subject=row, actor=actor, data={"reason": row.reason})
    SuppressedAddress.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return len(rows)


def trust_proved_address(user_id: UUID) -> int:
    """Mail somebody again who has just confirmed the address: what bounced arrives; return how many rows went."""
    user = get_user_model()._default_manager.filter(pk=user_id).first()
    if user is None:
        return 0
    address = normal_address(str(getattr(user, "email", "")))
    rows = SuppressedAddress.objects.filter(address=address, reason=BOUNCE)
    return mail_again(ids=rows.values_list("pk", flat=True), actor=SYSTEM)


def trust_proved_number(user_id: UUID) -> int:
    """Send texts again to the number that somebody has just proved; return how many rows went.

    A provider sends nothing to whoever has not taken back their STOP: a code that arrived says that they have.
    """
    number = get_user_model()._default_manager.filter(pk=user_id, phone__isnull=False).values_list("phone", flat=True)
    rows = SuppressedAddress.objects.filter(address__in=number)
    return mail_again(ids=rows.values_list("pk", flat=True), actor=SYSTEM)
