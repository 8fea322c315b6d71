"""Staff's view of the spine: what happened, what is still to be done, what was given up, what runs when."""

import ipaddress
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.contrib import admin, messages
from django.db import connection
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core import dead_letters, jobs, partitions, schedules
from core.logging import redact, redact_text
from core.model_admin import ReadOnlyModelAdmin, badge
from core.models import DeadLetter, Event, Job, OutboxRow, ScheduleRun
from core.models.jobs import JOB_STATES
from core.permissions import Caller
from core.queue import QUEUES

_PERIODS: Final = {
    "hour": ("The last hour", timedelta(hours=1)),
    "day": ("The last 24 hours", timedelta(days=1)),
    "week": ("The last 7 days", timedelta(days=7)),
}
# One step along the index for each type there is, instead of a DISTINCT over every row.
_TYPES: Final = """
WITH RECURSIVE types AS (
    (SELECT type FROM events ORDER BY type LIMIT 1)
    UNION ALL
    SELECT (SELECT e.type FROM events e WHERE e.type > types.type ORDER BY e.type LIMIT 1)
    FROM types WHERE types.type IS NOT NULL
)
SELECT type FROM types WHERE type IS NOT NULL
"""


def as_json(value: Any) -> SafeString:
    """Return the value as indented JSON for a page, without its secrets."""
    return format_html("<pre>{}</pre>", json.dumps(redact(value), indent=2, ensure_ascii=False, default=str))


class TypeFilter(admin.SimpleListFilter):
    """Which type of event, or which family of types."""

    title = "type"
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        with connection.cursor() as cursor:
            cursor.execute(_TYPES)
            types = [name for (name,) in cursor.fetchall()]
        families = {f"{name.partition('.')[0]}.*" for name in types}
        return [(name, name) for name in sorted({*types, *families})]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.of_type(self.value()) if self.value() else queryset  # type: ignore[attr-defined]  # ours


class WhenFilter(admin.SimpleListFilter):
    """How long ago, or in which month: a month is a partition, so the others are not even opened."""

    title = "time"
    parameter_name = "when"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        present = datetime.now(UTC).strftime("events_%Y_%m")
        months = [name.removeprefix("events_").replace("_", "-") for name in partitions.months() if name <= present]
        return [(key, label) for key, (label, _) in _PERIODS.items()] + [(month, month) for month in reversed(months)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value() or ""
        if value in _PERIODS:
            return queryset.filter(occurred_at__gte=datetime.now(UTC) - _PERIODS[value][1])
        if (value, value) in self.lookup_choices:
            first = datetime.fromisoformat(f"{value}-01").replace(tzinfo=UTC)
            following = (first + timedelta(days=32)).replace(day=1)
            return queryset.filter(occurred_at__gte=first, occurred_at__lt=following)
        return queryset


@admin.register(Event)
class EventAdmin(ReadOnlyModelAdmin):
    """The event log, newest first; nobody changes it."""

    list_display = ("occurred_at", "type", "subject", "actor", "ip", "request_id")
    list_filter = (TypeFilter, WhenFilter)
    search_fields = ("request_id",)
    search_help_text = "An actor, a subject, an event or a request by its id, or an address; whole ones only"
    ordering = ("-seq",)
    fields = (
        ("type", "seq", "occurred_at"),
        ("subject_type", "subject_id"),
        ("actor", "on_behalf_of"),
        ("request_id", "trace_id"),
        ("ip", "user_agent"),
        "facts",
        "audience",
    )
    readonly_fields = ("facts",)

    @admin.display(description="subject")
    def subject(self, event: Event) -> str:
        return f"{event.subject_type} {event.subject_id}".strip()

    @admin.display(description="payload")
    def facts(self, event: Event) -> SafeString:
        return as_json(event.payload)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Look the term up in the indexes where such a term can stand; no scan, whatever the size of the log."""
        term = search_term.strip()
        return (queryset.filter(_about(term)) if term else queryset), False


def _about(term: str) -> Q:
    wanted = Q(request_id=term) | Q(subject_id=term)
    try:
        return wanted | Q(actor=UUID(term)) | Q(id=UUID(term))
    except ValueError:
        pass
    try:
        return wanted | Q(ip=str(ipaddress.ip_address(term)))
    except ValueError:
        return wanted


class QueueFilter(admin.SimpleListFilter):
    """Which queue."""

    title = "queue"
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return [(name, name) for name in QUEUES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(queue=self.value()) if self.value() in QUEUES else queryset


@admin.register(OutboxRow)
class OutboxRowAdmin(ReadOnlyModelAdmin):
    """What is promised and not done yet; a row is gone when its task has succeeded."""

    list_display = ("id", "task", "queue", "state_label", "attempts", "waits", "due_at", "created_at")
    list_filter = (QueueFilter,)
    search_fields = ("=task", "=request_id")
    search_help_text = "A task's path or a request's id"
    ordering = ("due_at", "id")
    fields = (
        ("task", "queue"),
        ("state_label", "attempts", "runs", "sends"),
        ("due_at", "dispatched_at", "created_at"),
        ("request_id", "traceparent"),
        "arguments",
        "error",
    )
    readonly_fields = ("state_label", "arguments", "error")

    @badge("state", {"running": "info", "sent": "info", "waiting": "primary", "failed": "warning"})
    def state_label(self, row: OutboxRow) -> str:
        if row.leased_by is not None:
            return "running"
        if row.dispatched_at is not None:
            return "sent"
        return "failed" if row.attempts else "waiting"

    @admin.display(description="waits for")
    def waits(self, row: OutboxRow) -> str:
        seconds = int((datetime.now(UTC) - row.due_at).total_seconds())
        return f"{seconds} s" if seconds > 0 and row.dispatched_at is None else ""

    @admin.display(description="arguments")
    def arguments(self, row: OutboxRow) -> SafeString:
        return as_json(row.kwargs)

    @admin.display(description="last error")
    def error(self, row: OutboxRow) -> SafeString:
        return format_html("<pre>{}</pre>", redact_text(row.last_error))


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnlyModelAdmin):
    """What was given up: to run again when its cause is gone, or to drop."""

    list_display = ("last_at", "task", "queue", "attempts", "why", "first_at")
    list_filter = (QueueFilter,)
    search_fields = ("=task", "=request_id")
    search_help_text = "A task's path or a request's id"
    ordering = ("-last_at", "-id")
    actions = ("retry", "discard")
    fields = (
        ("task", "queue"),
        ("attempts", "first_at", "last_at"),
        ("request_id", "traceparent"),
        "why",
        "arguments",
        "error",
    )
    readonly_fields = ("why", "arguments", "error")

    @admin.display(description="reason")
    def why(self, letter: DeadLetter) -> str:
        return redact_text(letter.reason)

    @admin.display(description="arguments")
    def arguments(self, letter: DeadLetter) -> SafeString:
        return as_json(letter.kwargs)

    @admin.display(description="traceback")
    def error(self, letter: DeadLetter) -> SafeString:
        return format_html("<pre>{}</pre>", redact_text(letter.traceback))

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("core.change_deadletter")

    @admin.action(description="Run again", permissions=["decide"])
    def retry(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> None:
        count = dead_letters.retry_dead_letters(ids=_ids(queryset), actor=_actor(request))
        messages.success(request, f"{count} tasks run again.")

    @admin.action(description="Discard", permissions=["decide"])
    def discard(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> None:
        count = dead_letters.discard_dead_letters(ids=_ids(queryset), actor=_actor(request))
        messages.success(request, f"{count} tasks discarded.")


class RunsFilter(admin.SimpleListFilter):
    """The last run of each schedule, unless the runs of one or all are asked for."""

    title = "runs"
    parameter_name = "runs"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return [("all", "All"), ("failed", "All that failed"), *((name, name) for name in schedules.registered())]

    def choices(self, changelist: Any) -> Any:
        choices = list(super().choices(changelist))
        choices[0]["display"] = "The last of each"
        return choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() is None:
            newest = ScheduleRun.objects.filter(name=OuterRef("name")).order_by("-due_at").values("id")[:1]
            return queryset.filter(id=Subquery(newest))
        if self.value() == "failed":
            return queryset.filter(outcome=ScheduleRun.FAILED)
        return queryset if self.value() == "all" else queryset.filter(name=self.value())


@admin.register(ScheduleRun)
class ScheduleRunAdmin(ReadOnlyModelAdmin):
    """Each schedule with its last run and how it ended."""

    list_display = ("name", "every", "outcome_label", "due_at", "started_at", "took", "error")
    list_filter = (RunsFilter,)
    ordering = ("-due_at", "name")
    actions = ("run_now",)
    fields = (("name", "every"), ("due_at", "outcome_label"), ("started_at", "finished_at", "took"), "error", "said")
    readonly_fields = ("every", "outcome_label", "took", "said")

    @badge(
        "outcome",
        {"succeeded": "success", "failed": "danger", "running": "info", "planned": "info", "skipped": "primary"},
        ordering="outcome",
    )
    def outcome_label(self, run: ScheduleRun) -> str:
        return run.outcome

    @admin.display(description="every")
    def every(self, run: ScheduleRun) -> str:
        known = schedules.registered().get(run.name)
        if known is None:
            return "no longer scheduled"
        if isinstance(known[1], timedelta):
            return f"{known[1].total_seconds():g} s"
        # As crontab files write it; Celery wraps it in `<crontab: … (m/h/dM/MY/d)>`.
        return str(known[1]).removeprefix("<crontab: ").partition(" (")[0]

    @admin.display(description="result")
    def said(self, run: ScheduleRun) -> SafeString:
        return format_html("<pre>{}</pre>", redact_text(run.result))

    @admin.display(description="took")
    def took(self, run: ScheduleRun) -> str:
        if run.started_at is None or run.finished_at is None:
            return ""
        return f"{(run.finished_at - run.started_at).total_seconds():.1f} s"

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("core.change_schedulerun")

    @admin.action(description="Run now", permissions=["decide"])
    def run_now(self, request: HttpRequest, queryset: QuerySet[ScheduleRun]) -> None:
        names = set(queryset.values_list("name", flat=True)) & set(schedules.registered())
        for name in sorted(names):
            schedules.run_now(name=name, actor=_actor(request))
        messages.success(request, f"{len(names)} schedules run now.")


class JobKindFilter(admin.SimpleListFilter):
    """Which kind of job this release has."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return [(name, name) for name in sorted(jobs.KINDS)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


class JobStateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return [(state, state) for state in JOB_STATES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(state=self.value()) if self.value() else queryset


@admin.register(Job)
class JobAdmin(ReadOnlyModelAdmin):
    """What people had done for them: how far it is, to stop or to let go on; the results are theirs alone."""

    list_display = ("created_at", "kind", "owner", "state_label", "progress", "finished_at", "error")
    list_filter = (JobKindFilter, JobStateFilter)
    list_select_related = ("owner",)
    search_fields = ("=owner__email", "=request_id", "=id")
    search_help_text = "The owner's whole address, a job's or a request's id"
    ordering = ("-created_at", "-id")
    actions = ("cancel", "retry")
    fields = (
        ("kind", "owner"),
        ("state_label", "progress"),
        ("created_at", "started_at"),
        ("finished_at", "files_until"),
        "turn",
        ("error_code", "error"),
        "request_id",
        "given",
        "reached",
    )
    readonly_fields = ("state_label", "progress", "given", "reached")

    @badge(
        "state",
        {"queued": "primary", "running": "info", "succeeded": "success", "failed": "danger", "cancelled": "warning"},
        ordering="state",
    )
    def state_label(self, job: Job) -> str:
        return job.state

    @admin.display(description="progress")
    def progress(self, job: Job) -> str:
        failures = f", {job.failed:,} failed" if job.failed else ""
        return f"{job.done:,} of {'?' if job.total is None else f'{job.total:,}'}{failures}"

    @admin.display(description="parameters")
    def given(self, job: Job) -> SafeString:
        return as_json(job.parameters)

    @admin.display(description="checkpoint")
    def reached(self, job: Job) -> SafeString:
        return as_json(job.checkpoint)

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("core.change_job")

    @admin.action(description="Cancel", permissions=["decide"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        actor = _actor(request)
        self.for_each(
            request, queryset, lambda job: jobs.cancel_job(actor=actor, job_id=job.pk), done="{} jobs cancelled."
        )

    @admin.action(description="Let failed ones go on", permissions=["decide"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        actor = _actor(request)
        self.for_each(request, queryset, lambda job: jobs.retry_job(actor=actor, job_id=job.pk), done="{} jobs go on.")


def _ids(queryset: QuerySet[Any]) -> list[int]:
    return list(queryset.values_list("pk", flat=True))


def _actor(request: HttpRequest) -> Caller:
    return Caller.of(request.user)  # type: ignore[arg-type]  # the admin's users are ours
