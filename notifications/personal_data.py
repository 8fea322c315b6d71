"""What notifications hold about a person: the messages to them."""

from collections.abc import Iterator
from uuid import UUID

from django.db.models import Q

from core.personal_data import Erasure, PersonalFile, erases_personal_data, exports_personal_data, rows_of
from notifications.models import Message

_MESSAGE = ("id", "kind", "channel", "address", "locale", "state", "created_at", "sent_at")


@exports_personal_data("notifications", tables=("messages",))
def export(user_id: UUID) -> Iterator[PersonalFile]:
    """Yield what was sent to the person and when; not the texts, which hold links that may still serve."""
    messages = Message.objects.filter(recipient_id=user_id)
    yield PersonalFile(
        "notifications/messages.json", rows_of(messages, *_MESSAGE), about="What was sent to you, and when."
    )


@erases_personal_data("notifications", tables=("messages", "message_attempts"))
def erase(erasure: Erasure) -> None:
    """Delete the messages to the person, those too that were sent to an address and to no account."""
    to_them = Q(recipient_id=erasure.user_id) | Q(recipient=None, address__in=sorted(erasure.addresses))
    erasure.delete(Message.objects.filter(to_them))
