"""`/audit`: the event log, for those who may read all of it."""

from collections.abc import Sequence
from typing import Any, Final

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from core.api.operations import operation
from core.api.pagination import paginate
from core.api.query import LoggedQuery, parse_query, trimmed
from core.api.views import ApiView
from core.audit import shown_payloads
from core.models import Event
from core.permissions import Caller

EXAMPLE: Final[dict[str, Any]] = {
    "seq": 4711,
    "id": "019a9c1e-8f00-7c4e-9d1b-2f6f3f0c8a14",
    "type": "user.updated",
    "actor": "019a9c1e-0000-7000-8000-000000000009",
    "on_behalf_of": None,
    "subject": {"type": "user", "id": "019a9c1e-0000-7000-8000-000000000001"},
    "payload": {"before": {"name": "Olive"}, "after": {"name": "Olive Owner"}},
    "ip": "203.0.113.7",
    "user_agent": "Mozilla/5.0",
    "request_id": "0193a1c2d3e4",
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    "occurred_at": "2026-11-21T09:30:00.000000Z",
}


class AuditSubjectShape(serializers.Serializer[Any]):
    """What an event is about."""

    type = serializers.CharField(allow_blank=True)
    id = serializers.CharField(allow_blank=True)


class AuditShape(serializers.Serializer[Any]):
    """One event, with where it came from."""

    seq = serializers.IntegerField()
    id = serializers.UUIDField()
    type = serializers.CharField()
    actor = serializers.UUIDField(allow_null=True, help_text="Who did it; null for the system and for nobody known.")
    on_behalf_of = serializers.UUIDField(allow_null=True, help_text="In whose place an administrator did it.")
    subject = AuditSubjectShape()
    payload = serializers.DictField(help_text='What changed; `{"redacted": true}` where a person was erased.')
    ip = serializers.CharField(allow_null=True)
    user_agent = serializers.CharField(allow_blank=True)
    request_id = serializers.CharField(allow_blank=True)
    trace_id = serializers.CharField(allow_blank=True)
    occurred_at = serializers.DateTimeField()


class AuditQuery(LoggedQuery):
    """Which events; all that are given have to hold."""

    type = serializers.RegexField(
        r"\A[a-z_]+\.([a-z_]+|\*)\Z",
        required=False,
        max_length=100,
        help_text="A type (`user.updated`), or a family of them (`user.*`).",
    )
    actor = serializers.UUIDField(required=False, help_text="Id of the user who did it.")
    subject = serializers.CharField(required=False, max_length=64, help_text="Id of what it is about.")
    ip = serializers.IPAddressField(required=False, help_text="Address that it came from.")
    after = serializers.DateTimeField(required=False)
    before = serializers.DateTimeField(required=False)


AuditListQuery: Final = trimmed(AuditQuery, AuditShape)


class Audit(ApiView):
    """The audit trail."""

    access = {"GET": "read:audit"}
    token_scopes = {"GET": "read:audit"}
    keeps_secrets = True

    @operation(
        "Read the audit trail",
        description=(
            "Every change that was ever made, newest first. With `after` and `before` only that part of the log is "
            "read. Months that were archived are not here any more; what an erased person left is redacted."
        ),
        query=AuditListQuery,
        response=AuditShape,
        many=True,
        paginated=True,
        response_example=[EXAMPLE],
    )
    def get(self, request: Request) -> HttpResponse:
        query = parse_query(AuditListQuery, request)
        events = Event.objects.between(query.get("after"), query.get("before"))
        if "type" in query:
            events = events.of_type(query["type"])
        columns = {"actor": "actor", "subject": "subject_id", "ip": "ip"}
        events = events.filter(**{column: query[name] for name, column in columns.items() if name in query})
        return paginate(
            events,
            request,
            query,
            shape_all=lambda rows: _shapes(self.caller, rows),
            sorts={"occurred_at": "seq"},
            default_sort="-occurred_at",
        )


def _shapes(caller: Caller, events: Sequence[Event]) -> list[dict[str, Any]]:
    payloads = shown_payloads(caller, events)
    plain = ("seq", "id", "type", "actor", "on_behalf_of", "ip", "user_agent", "request_id", "trace_id", "occurred_at")
    return [
        {
            **{name: getattr(event, name) for name in plain},
            "subject": {"type": event.subject_type, "id": event.subject_id},
            "payload": payloads[event.id],
        }
        for event in events
    ]
