"""A little API for the tests of the conventions: every kind of view, and views that fail in every way."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from django.core.exceptions import SuspiciousOperation
from django.db import connection, transaction
from django.http import Http404, HttpResponse
from django.urls import include, path, re_path
from rest_framework import exceptions, serializers
from rest_framework.request import Request

from core.api.access import PUBLIC, SIGNED_IN
from core.api.concurrency import etag, not_modified, require_match
from core.api.envelope import accepted, created, no_content, success, success_json
from core.api.fallback import unrouted
from core.api.fields import EmailAddressField, NameField, PlainTextField
from core.api.operations import operation
from core.api.pagination import paginate
from core.api.query import FieldsQuery, IncludeQuery, PagedQuery, Query, SortedQuery, parse_query
from core.api.retirement import Retirement
from core.api.serializers import StrictSerializer, parse
from core.api.versioning import Versions
from core.api.views import ApiView
from core.errors import Conflict
from core.models import OutboxRow


class LineInput(StrictSerializer):
    name = serializers.CharField(max_length=5)
    price = serializers.IntegerField(required=False)


class NoteInput(StrictSerializer):
    ignored_fields = frozenset({"id"})

    title = NameField(max_length=20)
    text = PlainTextField(required=False)
    email = EmailAddressField(required=False)
    is_open = serializers.BooleanField(required=False)
    count = serializers.IntegerField(required=False)
    ratio = serializers.FloatField(required=False)
    due_at = serializers.DateTimeField(required=False)
    kind = serializers.ChoiceField(["a", "b"], required=False)
    tags = serializers.ListField(child=serializers.CharField(max_length=5), required=False)
    lines = LineInput(many=True, required=False)
    data = serializers.JSONField(required=False)  # type: ignore[assignment]  # the metaclass takes it
    created_at = serializers.DateTimeField(read_only=True)


class Notes(ApiView):
    access = {"GET": PUBLIC, "POST": PUBLIC, "DELETE": SIGNED_IN, "PATCH": "write:resource"}

    @operation("Say that it works")
    def get(self, request: Request) -> HttpResponse:
        return success({"at": datetime(2026, 1, 2, tzinfo=UTC), "caller": self.caller.id})

    @operation("Repeat a note", request=NoteInput, status=201)
    def post(self, request: Request) -> HttpResponse:
        return created(parse(NoteInput, request), location="/api/v1/notes/1", etag=etag(1))

    @operation("Change a note", request=NoteInput)
    def patch(self, request: Request) -> HttpResponse:
        return success(parse(NoteInput, request, partial=True))

    @operation("Delete notes", status=204)
    def delete(self, request: Request) -> HttpResponse:
        return no_content()

    @operation("Replace the notes; no access row opens this")
    def put(self, request: Request) -> HttpResponse:
        raise AssertionError


class RowQuery(SortedQuery, FieldsQuery, IncludeQuery, PagedQuery):
    sortable = frozenset({"task", "queue", "sent"})
    selectable = frozenset({"id", "task", "data.*"})
    includable = frozenset({"owner"})

    queue = serializers.CharField(required=False)
    tag = serializers.ListField(child=serializers.CharField(), required=False)
    since = serializers.DateTimeField(required=False)


def row_shape(row: OutboxRow) -> dict[str, Any]:
    return {"id": row.pk, "task": row.task, "data": {"queue": row.queue, "sends": row.sends}}


class Rows(ApiView):
    access = {"GET": PUBLIC}

    @operation("List rows of the outbox", query=RowQuery)
    def get(self, request: Request) -> HttpResponse:
        query = parse_query(RowQuery, request)
        rows = OutboxRow.objects.filter(**({"queue": query["queue"]} if "queue" in query else {}))
        sorts = {"task": "task", "queue": "queue", "sent": "dispatched_at"}
        return paginate(rows, request, query, shape=row_shape, sorts=sorts, default_sort="task")


class Versioned(ApiView):
    access = {"GET": PUBLIC, "PUT": PUBLIC}

    @operation("Read version 3", etag=True)
    def get(self, request: Request) -> HttpResponse:
        return not_modified(request, 3) or success({"version": 3}, headers={"ETag": etag(3)})

    @operation("Write version 4", etag=True)
    def put(self, request: Request) -> HttpResponse:
        require_match(request, 3)
        return success({"version": 4}, headers={"ETag": etag(4)})


class Counted(ApiView):
    """Makes a row per call, and then fails as the path says."""

    access = {"POST": PUBLIC}

    @operation("Make a row")
    def post(self, request: Request, outcome: str) -> HttpResponse:
        row = OutboxRow.objects.create(task="core.tasks.probe", queue="default")
        if outcome == "refused":
            raise Conflict
        if outcome == "failed":
            raise RuntimeError("a secret cause")
        return accepted({"id": row.pk})


class Raw(ApiView):
    access = {"GET": PUBLIC}

    @operation("Pass on what the database wrote")
    def get(self, request: Request) -> HttpResponse:
        return success_json(b'[{"id":1}]', meta={"per_page": 20})


class Secret(ApiView):
    access = {"GET": PUBLIC}
    keeps_secrets = True
    retirement = Retirement(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC), "/api/v1/notes")

    @operation("Read a secret")
    def get(self, request: Request) -> HttpResponse:
        return success("s" * 2000)


class Guarded(ApiView):
    access = {"GET": PUBLIC}
    rate_limit = "auth"

    @operation("Try a password")
    def get(self, request: Request) -> HttpResponse:
        return success(None)


def _run(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def _raise(error: Exception) -> None:
    raise error


FAULTS: dict[str, Any] = {
    "fault": lambda: _raise(RuntimeError("a secret cause")),
    "http404": lambda: _raise(Http404()),
    "suspicious": lambda: _raise(SuspiciousOperation("x")),
    "throttled": lambda: _raise(exceptions.Throttled(wait=3.2)),
    "lookup": lambda: OutboxRow.objects.get(task="no such task"),
    "unique": lambda: _run("INSERT INTO roles (name, permissions) VALUES ('user', '[]')"),
    "missing": lambda: _run("UPDATE users SET role_id = 987654; SET CONSTRAINTS ALL IMMEDIATE"),
    "in_use": lambda: _run("SET CONSTRAINTS ALL IMMEDIATE; DELETE FROM roles WHERE name = 'user'"),
    "null": lambda: _run("UPDATE roles SET description = NULL"),
    "range": lambda: _run("SELECT 99999999999::int"),
    "nul": lambda: OutboxRow.objects.filter(task="\x00").exists(),
    "timeout": lambda: _run("SET LOCAL statement_timeout = 10; SELECT pg_sleep(1)"),
    "read_only": lambda: _run("SET LOCAL transaction_read_only = on; DELETE FROM roles"),
    "syntax": lambda: _run("SELEC"),
}


class Faulty(ApiView):
    access = {"GET": PUBLIC}

    @operation("Fail")
    def get(self, request: Request, fault: str) -> HttpResponse:
        FAULTS[fault]()
        raise AssertionError("the fault did not happen")


class Racing(ApiView):
    """Loses `losses` races in the database before it wins one."""

    access = {"GET": PUBLIC, "POST": PUBLIC}
    attempts: ClassVar[list[str]] = []

    @operation("Read in a race")
    def get(self, request: Request, losses: int) -> HttpResponse:
        self.attempts.append("GET")
        with transaction.atomic():
            if len(self.attempts) <= losses:
                _run("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END $$")
        return success(None)

    @operation("Write in a race")
    def post(self, request: Request, losses: int) -> HttpResponse:
        return self.get(request, losses)


class DynamicQuery(Query):
    def dynamic_field(self, name: str) -> Any:
        return serializers.IntegerField() if name.startswith("data.") else None


class Dynamic(ApiView):
    access = {"GET": PUBLIC}

    @operation("Filter by what cannot be declared", query=DynamicQuery)
    def get(self, request: Request) -> HttpResponse:
        return success(parse_query(DynamicQuery, request))


urlpatterns = [
    path("api", Versions.as_view()),
    path("api/v1/notes", Notes.as_view()),
    path("api/v1/rows", Rows.as_view()),
    path("api/v1/versioned", Versioned.as_view()),
    path("api/v1/counted/<slug:outcome>", Counted.as_view()),
    path("api/v1/raw", Raw.as_view()),
    path("api/v1/secret", Secret.as_view()),
    path("api/v1/guarded", Guarded.as_view()),
    path("api/v1/auth/notes", Notes.as_view()),
    path("api/v1/racing/<int:losses>", Racing.as_view()),
    path("api/v1/dynamic", Dynamic.as_view()),
    path("api/v1/faulty/<slug:fault>", Faulty.as_view()),
    path("api/v1/", include("config.api_v1")),
    re_path(r"^api/(?P<rest>.*)$", unrouted),
]
