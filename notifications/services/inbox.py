"""What people do with their notifications: read them, mark them as unread, put them away."""

from collections.abc import Callable
from uuid import UUID

from django.db.models.functions import Now

from core.errors import NotFound
from core.events import publish
from core.permissions import Caller
from core.transactions import atomic
from notifications.models import Notification


@atomic
def mark(*, actor: Caller, notification_id: UUID, is_read: bool) -> Notification:
    """Mark one of the actor's notifications as read, or as unread; raises `NotFound`. Done before, it stays so."""
    notification = _locked(actor, notification_id)
    if (notification.read_at is not None) != is_read:
        Notification.objects.filter(pk=notification.pk).update(read_at=Now() if is_read else None)
        notification.refresh_from_db(fields=["read_at"])
        _publish("read" if is_read else "unread", notification, actor)
    return notification


@atomic
def mark_all_read(*, actor: Caller) -> int:
    """Mark everything in the actor's inbox as read; return how many were not."""
    count = Notification.objects.inbox_of(actor).unread().update(read_at=Now())
    if count:
        data = {"count": count}
        publish("notification.all_read", subject=None, actor=actor, data=data, audience=[actor.own_id])
    return count


@atomic
def put_away(*, actor: Caller, notification_id: UUID, check: Callable[[Notification], None] | None = None) -> None:
    """Take a notification out of the actor's inbox; raises `NotFound`. What is on its way by mail still arrives.

    `check` is given it as it is now, and may refuse.
    """
    notification = _locked(actor, notification_id)
    if check is not None:
        check(notification)
    Notification.objects.filter(pk=notification.pk).update(archived_at=Now())
    _publish("archived", notification, actor)


def _locked(actor: Caller, notification_id: UUID) -> Notification:
    found = Notification.objects.inbox_of(actor).select_for_update().filter(pk=notification_id).first()
    if found is None:
        raise NotFound
    return found


def _publish(verb: str, notification: Notification, actor: Caller) -> None:
    publish(
        f"notification.{verb}",
        subject=notification,
        actor=actor,
        data={"kind": notification.kind},
        audience=[notification.user_id],
    )
