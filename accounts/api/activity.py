"""`/users/me/activity`: what one did, and what happened to one's account."""

from typing import Any, Final
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from accounts.models import User
from core.api.access import SIGNED_IN
from core.api.operations import operation
from core.api.pagination import paginate
from core.api.query import LoggedQuery, parse_query, trimmed
from core.api.views import ApiView
from core.audit import changed_fields
from core.models import Event

_EXAMPLE: Final[dict[str, Any]] = {
    "id": "019a9c1e-8f00-7c4e-9d1b-2f6f3f0c8a14",
    "type": "user.updated",
    "actor": {"id": "019a9c1e-0000-7000-8000-000000000009", "name": "Ada Admin"},
    "subject": {"type": "user", "id": "019a9c1e-0000-7000-8000-000000000001"},
    "changed": ["role"],
    "ip": None,
    "user_agent": "",
    "occurred_at": "2026-11-21T09:30:00.000000Z",
}


class ActorShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()


class ActivitySubjectShape(serializers.Serializer[Any]):
    type = serializers.CharField(allow_blank=True)
    id = serializers.CharField(allow_blank=True)


class ActivityShape(serializers.Serializer[Any]):
    """One thing that happened; what changed is named and not told."""

    id = serializers.UUIDField()
    type = serializers.CharField()
    actor = ActorShape(allow_null=True, help_text="Null for the system, and for somebody who was not signed in.")
    subject = ActivitySubjectShape()
    changed = serializers.ListField(child=serializers.CharField())
    ip = serializers.CharField(allow_null=True, help_text="Of one's own acts, and of what nobody known did.")
    user_agent = serializers.CharField(allow_blank=True)
    occurred_at = serializers.DateTimeField()


ActivityListQuery: Final = trimmed(LoggedQuery, ActivityShape)


class Activity(ApiView):
    access = {"GET": SIGNED_IN}
    keeps_secrets = True

    @operation(
        "Read one's own activity",
        description=(
            "What the caller did, what administrators did in their place, and what happened to their account, newest "
            "first. Where somebody else acted, where they acted from is not told."
        ),
        query=ActivityListQuery,
        response=ActivityShape,
        many=True,
        paginated=True,
        response_example=[_EXAMPLE],
    )
    def get(self, request: Request) -> HttpResponse:
        me = self.caller.own_id
        return paginate(
            _activity_of(me),
            request,
            parse_query(ActivityListQuery, request),
            shape=lambda event: _shape(event, me),
            sorts={"occurred_at": "seq"},
            default_sort="-occurred_at",
        )


def _activity_of(user_id: UUID) -> list[QuerySet[Event]]:
    """Return each kind of it, every one along an index of its own."""
    names = User.all_objects.filter(id=OuterRef("actor")).values("name")
    events = Event.objects.annotate(actor_name=Coalesce(Subquery(names), Value("")))
    return [
        events.filter(actor=user_id),
        events.filter(on_behalf_of=user_id),
        events.filter(subject_id=str(user_id), subject_type="user"),
    ]


def _shape(event: Any, me: UUID) -> dict[str, Any]:
    is_known = event.actor in {me, None}
    return {
        "id": event.id,
        "type": event.type,
        "actor": {"id": event.actor, "name": event.actor_name} if event.actor else None,
        "subject": {"type": event.subject_type, "id": event.subject_id},
        "changed": changed_fields(event),
        "ip": event.ip if is_known else None,
        "user_agent": event.user_agent if is_known else "",
        "occurred_at": event.occurred_at,
    }
