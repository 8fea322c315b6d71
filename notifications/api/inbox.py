"""`/notifications`: what one was told, and what became of it on each channel."""

from typing import Any, Final
from uuid import UUID

from django.contrib.auth import get_user_model
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from core.api.access import SIGNED_IN
from core.api.concurrency import etag, not_modified, require_match, tag_of
from core.api.envelope import no_content, success
from core.api.operations import operation
from core.api.pagination import paginate
from core.api.query import CreatedQuery, parse_query, trimmed
from core.api.views import ApiView
from core.errors import NotFound
from core.permissions import Caller
from notifications import services
from notifications.api.shapes import (
    DELIVERIES_EXAMPLE,
    NOTIFICATION_EXAMPLE,
    READ_EXAMPLE,
    CountShape,
    DeliveryShape,
    NotificationShape,
    deliveries_shape,
    notification_shape,
)
from notifications.models import Message, Notification
from notifications.overrides import current_overrides


class InboxQuery(CreatedQuery):
    """Which of one's notifications."""

    unread = serializers.BooleanField(
        required=False, allow_null=True, default=None, help_text="`true`: those not read yet; `false`: the others."
    )
    kind = serializers.CharField(required=False, max_length=100, help_text="The code of a kind, as in preferences.")
    created_after = serializers.DateTimeField(required=False)


NotificationListQuery: Final = trimmed(InboxQuery, NotificationShape)


class Notifications(ApiView):
    access = {"GET": SIGNED_IN}

    @operation(
        "List one's notifications",
        description=(
            "The inbox, newest first. `title` and `text` are in the language of one's profile; `data` holds the values "
            "that they are made from, `subject` names what it is about."
        ),
        query=NotificationListQuery,
        response=NotificationShape,
        many=True,
        paginated=True,
        response_example=[NOTIFICATION_EXAMPLE],
    )
    def get(self, request: Request) -> HttpResponse:
        query = parse_query(NotificationListQuery, request)
        locale, wordings = locale_of(self.caller), current_overrides()
        found = Notification.objects.inbox_of(self.caller).filter(**_filters(query))
        return paginate(
            found,
            request,
            query,
            shape=lambda notification: notification_shape(notification, locale, wordings),
            sorts={"created_at": "created_at"},
            default_sort="-created_at",
        )


class UnreadCount(ApiView):
    access = {"GET": SIGNED_IN}

    @operation("Count one's unread notifications", response=CountShape, response_example={"count": 3})
    def get(self, request: Request) -> HttpResponse:
        return success({"count": Notification.objects.inbox_of(self.caller).unread().count()})


class OneNotification(ApiView):
    access = {"GET": SIGNED_IN, "DELETE": SIGNED_IN}

    @operation(
        "Show a notification",
        response=NotificationShape,
        response_example=NOTIFICATION_EXAMPLE,
        etag=True,
        errors=(NotFound,),
    )
    def get(self, request: Request, notification_id: UUID) -> HttpResponse:
        found = _own(self.caller, notification_id)
        shown = notification_shape(found, locale_of(self.caller))
        return not_modified(request, _tag(found, shown)) or _answer(found, shown)

    @operation(
        "Put a notification away",
        description="It leaves the inbox. What is on its way by mail still arrives.",
        status=204,
        etag=True,
        errors=(NotFound,),
    )
    def delete(self, request: Request, notification_id: UUID) -> HttpResponse:
        services.put_away(
            actor=self.caller,
            notification_id=notification_id,
            check=lambda found: require_match(request, _version(found)),
        )
        return no_content()


class ReadMark(ApiView):
    access = {"POST": SIGNED_IN}

    @operation(
        "Mark a notification as read",
        response=NotificationShape,
        response_example=READ_EXAMPLE,
        etag=True,
        errors=(NotFound,),
    )
    def post(self, request: Request, notification_id: UUID) -> HttpResponse:
        marked = services.mark(actor=self.caller, notification_id=notification_id, is_read=True)
        return _answer(marked, notification_shape(marked, locale_of(self.caller)))


class UnreadMark(ApiView):
    access = {"POST": SIGNED_IN}

    @operation(
        "Mark a notification as unread",
        response=NotificationShape,
        response_example=NOTIFICATION_EXAMPLE,
        etag=True,
        errors=(NotFound,),
    )
    def post(self, request: Request, notification_id: UUID) -> HttpResponse:
        marked = services.mark(actor=self.caller, notification_id=notification_id, is_read=False)
        return _answer(marked, notification_shape(marked, locale_of(self.caller)))


class AllRead(ApiView):
    access = {"POST": SIGNED_IN}

    @operation(
        "Mark all of one's notifications as read",
        description="`count` is how many were not.",
        response=CountShape,
        response_example={"count": 3},
    )
    def post(self, request: Request) -> HttpResponse:
        return success({"count": services.mark_all_read(actor=self.caller)})


class Deliveries(ApiView):
    access = {"GET": SIGNED_IN}

    @operation(
        "Show where a notification went",
        description=(
            "Each channel with its state and every attempt. With `digest` it goes, or went, along with others in one "
            "mail, whose state and attempts these are. `not_before` is when a message leaves that waits for the end "
            "of quiet hours or for the digest."
        ),
        response=DeliveryShape,
        many=True,
        response_example=DELIVERIES_EXAMPLE,
        errors=(NotFound,),
    )
    def get(self, request: Request, notification_id: UUID) -> HttpResponse:
        notification = _own(self.caller, notification_id)
        messages = Message.objects.filter(notification=notification).select_related("carrier").order_by("channel")
        return success(deliveries_shape(notification, list(messages.prefetch_related("attempts", "carrier__attempts"))))


def locale_of(caller: Caller) -> str:
    """Return the language of the caller's profile."""
    found = get_user_model()._default_manager.filter(pk=caller.id).values_list("locale", flat=True).first()
    return str(found or "en")


def _own(caller: Caller, notification_id: UUID) -> Notification:
    found = Notification.objects.inbox_of(caller).filter(pk=notification_id).first()
    if found is None:
        raise NotFound
    return found


def _answer(notification: Notification, shown: dict[str, Any]) -> HttpResponse:
    return success(shown, headers={"ETag": etag(_tag(notification, shown))})


def _tag(notification: Notification, shown: dict[str, Any]) -> str:
    """Return its version, and a digest of what is shown: in another language, or reworded, it reads differently."""
    return tag_of(_version(notification), shown)


def _version(notification: Notification) -> str:
    """Return what tells its states apart, which are two: not read, and read at a moment."""
    return "unread" if notification.read_at is None else f"{notification.read_at.timestamp() * 1_000_000:.0f}"


def _filters(query: dict[str, Any]) -> dict[str, Any]:
    filters: dict[str, Any] = {}
    if query["unread"] is not None:
        filters["read_at__isnull"] = query["unread"]
    if "kind" in query:
        filters["kind"] = query["kind"]
    if "created_after" in query:
        filters["created_at__gt"] = query["created_after"]
    return filters
