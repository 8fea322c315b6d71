"""`/resources/{id}/events`: what the log says of one resource."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from accounts.models import User
from core.api.access import PUBLIC
from core.api.operations import operation
from core.api.pagination import paginate
from core.api.query import LoggedQuery, parse_query, trimmed
from core.api.views import ApiView
from core.audit import shown_payloads
from core.errors import NotFound
from core.models import Event
from core.permissions import Caller
from resources.api.serializers import OwnerShape
from resources.models import Resource

_FACTS: Final = frozenset({"before", "after", "name", "from", "to", "ended_shares", "redacted"})
"""What of a payload is told to readers."""

_EXAMPLE: Final[dict[str, Any]] = {
    "id": "019a9c1e-8f00-7c4e-9d1b-2f6f3f0c8a14",
    "type": "resource.updated",
    "actor": {"id": "019a9c1e-0000-7000-8000-000000000001", "name": "Olive Owner"},
    "payload": {"before": {"data.total": 99}, "after": {"data.total": 120.5}},
    "occurred_at": "2026-11-21T09:30:00.000000Z",
}


class ResourceEventShape(serializers.Serializer[Any]):
    """One thing that became of a resource."""

    id = serializers.UUIDField()
    type = serializers.CharField()
    actor = OwnerShape(allow_null=True)
    payload = serializers.DictField()
    occurred_at = serializers.DateTimeField()


ResourceEventListQuery: Final = trimmed(LoggedQuery, ResourceEventShape)


class ResourceEvents(ApiView):
    """The events of a resource."""

    access = {"GET": PUBLIC}
    token_scopes = {"GET": "read:resource"}

    @operation(
        "List the events of a resource",
        description=(
            "What became of it, newest first, for whoever may read it (of one in the bin: may bring it back). Fields "
            "of `data` that the caller may not read are left out; where people acted from is for auditors."
        ),
        query=ResourceEventListQuery,
        response=ResourceEventShape,
        many=True,
        paginated=True,
        response_example=[_EXAMPLE],
        errors=(NotFound,),
    )
    def get(self, request: Request, resource_id: UUID) -> HttpResponse:
        return paginate(
            _events_of(self.caller, resource_id),
            request,
            parse_query(ResourceEventListQuery, request),
            shape_all=lambda rows: _shapes(self.caller, rows),
            sorts={"occurred_at": "seq"},
            default_sort="-occurred_at",
        )


def _events_of(caller: Caller, resource_id: UUID) -> QuerySet[Event]:
    """Return the events of a resource that the caller may read or bring back; `NotFound` for any other."""
    readable = Resource.objects.visible_to(caller).filter(id=resource_id).exists()
    if not readable and (
        caller.is_anonymous or not Resource.all_objects.in_bin_of(caller).filter(id=resource_id).exists()
    ):
        raise NotFound
    names = User.all_objects.filter(id=OuterRef("doer")).values("name")
    return (
        Event.objects.filter(subject_id=str(resource_id), subject_type="resource")
        .annotate(doer=Coalesce("on_behalf_of", "actor"))
        .annotate(doer_name=Coalesce(Subquery(names), Value("")))
    )


def _shapes(caller: Caller, events: Sequence[Any]) -> list[dict[str, Any]]:
    payloads = shown_payloads(caller, events)
    return [
        {
            "id": event.id,
            "type": event.type,
            "actor": {"id": event.doer, "name": event.doer_name} if event.doer else None,
            "payload": {name: value for name, value in payloads[event.id].items() if name in _FACTS},
            "occurred_at": event.occurred_at,
        }
        for event in events
    ]
