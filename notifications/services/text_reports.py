"""What the provider of text messages tells afterwards: it has them, they arrived, they did not.

A report is about the try that its address names. One about a try of before the text was sent again moves nothing, and
one that comes late neither: what the provider signs bears no time, and could be told anew by whoever kept it.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import parse_qs
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from core.events import publish
from core.permissions import SYSTEM
from notifications.channels.sms import ATTEMPT_FIELD, CALLBACK_FIELD, lists_as
from notifications.models import BOUNCED, DELIVERED, FAILED, QUEUED, SENDING, SENT, SMS, Message, MessageAttempt
from notifications.services.feedback import note_answer
from notifications.services.suppression import suppress

TYPES: Final = tuple(
    f"sms.{status}"
    for status in (
        *("accepted", "scheduled", "queued", "sending", "sent"),
        *("delivered", "read", "undelivered", "failed", "canceled"),
    )
)
"""The types of messages that are read here."""

_STATES: Final = {
    "delivered": DELIVERED,
    "read": DELIVERED,
    "undelivered": BOUNCED,
    "failed": FAILED,
    "canceled": FAILED,
}
_BEFORE: Final = {
    # Whoever reports on a text has it, also where its answer to us was lost: it is not offered again.
    SENT: {QUEUED, SENDING},
    DELIVERED: {QUEUED, SENDING, SENT, FAILED},
    BOUNCED: {SENT},
    FAILED: {SENT},
}


_LATEST: Final = timedelta(days=3)
"""How long after a try the provider is listened to: it gives up far earlier. What came in is known by its name for
`INBOUND_RETENTION_DAYS`, so that within this time nothing is told twice."""


class TooEarly(Exception):
    """The report overtook our own note of the message; it is looked at again in a moment."""


@dataclass(frozen=True, slots=True)
class TextReport:
    """What became of one text message."""

    message_id: UUID
    status: str
    number: str = ""
    error_code: int | None = None
    attempt: int = 1

    @classmethod
    def read(cls, body: bytes, query: str) -> "TextReport":
        """Return what the form and the address say; raises `ValueError` for what says it in another form."""
        form = {name: values[-1] for name, values in parse_qs(body.decode()).items()}
        named = {name: values[-1] for name, values in parse_qs(query).items()}
        code = form.get("ErrorCode", "")
        status = form.get("MessageStatus") or form["SmsStatus"]
        return cls(
            UUID(named.get(CALLBACK_FIELD, "")),
            status,
            form.get("To", ""),
            int(code) if code.isdecimal() else None,
            int(named.get(ATTEMPT_FIELD, 1)),
        )

    @property
    def told(self) -> str:
        return f"sms.{self.status}{f': {self.error_code}' if self.error_code else ''}"


@transaction.atomic
def hear_of_text(report: TextReport) -> bool:
    """Move the text's state, and list a number that is sent nothing more; return whether the text is known.

    Raises `TooEarly` where the text is being handed over this moment.
    """
    message = Message.objects.select_for_update(of=("self",)).filter(channel=SMS, pk=report.message_id).first()
    if message is None:
        return False
    attempt = message.attempts.filter(number=report.attempt).first()
    if attempt is None or timezone.now() - attempt.created_at > _window():
        return True
    if report.attempt >= message.first_attempt_at_hand:
        _settle(message, report, attempt)
    else:
        note_answer(attempt, report.told)
    if report.error_code is not None and (reason := lists_as(report.error_code)):
        suppress(message.address, reason=reason, detail=report.told)
    return True


def _window() -> timedelta:
    return min(_LATEST, timedelta(days=settings.INBOUND_RETENTION_DAYS))


def _settle(message: Message, report: TextReport, attempt: MessageAttempt) -> None:
    after = _STATES.get(report.status, SENT)
    if after in {BOUNCED, FAILED} and message.state == SENDING:
        raise TooEarly(f"{report.told} of a text that is being handed over")
    if message.state in _BEFORE[after]:
        _move(message, after, report, attempt)


def _move(message: Message, after: str, report: TextReport, attempt: MessageAttempt) -> None:
    before = message.state
    Message.objects.filter(pk=message.pk).update(state=after, next_try_at=None, sent_at=Coalesce("sent_at", Now()))
    if after == SENT:
        return
    note_answer(attempt, report.told)
    data = {"kind": message.kind, "before": {"state": before}, "after": {"state": after}}
    if after == DELIVERED:
        publish("notification.delivered", subject=message, actor=SYSTEM, data=data)
    elif after == BOUNCED:
        publish("notification.bounced", subject=message, actor=SYSTEM, data={**data, "permanent": True})
    else:
        publish("notification.failed", subject=message, actor=SYSTEM, data={**data, "outcome": "refused"})
