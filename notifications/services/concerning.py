"""Whether what is about to leave still concerns its recipient: asked at the last moment."""

from uuid import UUID

from django.contrib.auth import get_user_model

from notifications.kinds import KINDS
from notifications.models import Message, NotificationPreferences
from notifications.readers import readers_among


def still_concerns(message: Message) -> bool:
    """Return whether the recipient is there, may read what it is about, and has not switched it off meanwhile.

    A message that was sent to an address, and tells of no notification, always does.
    """
    notification = message.notification
    if notification is None:
        return True
    users = get_user_model()._default_manager.filter(pk=notification.user_id, is_active=True)
    if not users.exists() or not wants(notification.user_id, message.kind, message.channel):
        return False
    subject = notification.subject_type, notification.subject_id
    return notification.user_id in readers_among(*subject, [notification.user_id])


def wants(user_id: UUID, code: str, channel: str) -> bool:
    """Return whether the person wants messages of this kind on this channel."""
    kind = KINDS.get(code)
    if kind is not None and not kind.may_be_switched_off:
        return True
    preferences = NotificationPreferences.objects.filter(user_id=user_id).first()
    choices = preferences.choices if preferences else {}
    default = kind is None or channel in kind.channels
    return bool(choices.get(code, {}).get(channel, default))
