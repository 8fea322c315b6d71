"""The numbers on the admin's first page: a fixed handful of cheap queries, each for those who may see it."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import connection
from django.db.models import Count, Max, Min, Q, QuerySet
from django.db.models.functions import TruncDate
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.timesince import timesince

from accounts.models import Session, User
from core.models import DeadLetter, Event, Job, OutboxRow, ScheduleRun
from core.models import jobs as job_states
from notifications.models import FAILED, OPEN_STATES, Message
from resources.models import Resource

_DAYS: Final = 14
_COUNTED_AT_MOST: Final = 10_000
_SLOW: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Card:
    """One number, what it says, and the list behind it."""

    title: str
    value: str
    note: str
    link: str
    icon: str
    is_bad: bool = False


@dataclass(frozen=True, slots=True)
class Day:
    """One bar of the chart."""

    date: date
    count: int
    share: float


def add_numbers(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add to the context of the first page what the signed-in person may see."""
    user = request.user
    cards: list[Card] = []
    if user.has_perm("accounts.view_user"):
        days = _sign_ups()
        cards += _people(days)
        context["days"] = days
        context["sign_ups"] = sum(day.count for day in days)
    if user.has_perm("resources.view_resource"):
        cards.append(_resources())
    if user.is_superuser:
        cards += _operations()
        context["queues"] = _queues()
        context["schedule_runs"] = list(ScheduleRun.objects.order_by("name", "-due_at").distinct("name"))
    if user.has_perm("core.view_event"):
        context["latest_events"] = list(Event.objects.order_by("-seq")[:8])
    return {**context, "cards": cards, "now": timezone.now()}


def _people(days: list[Day]) -> list[Card]:
    # A refresh moves the end of a session, which is indexed: who was here in the last day is whose end is that far.
    near_full_life = timezone.now() + timedelta(days=settings.REFRESH_TOKEN_DAYS - 1)
    active = Session.objects.live().filter(expires_at__gt=near_full_life).aggregate(users=Count("user", distinct=True))
    users = _list_of("accounts_user")
    return [
        Card("Users", _size(User.objects.all()), f"{days[-1].count} signed up today", users, "group"),
        Card("Active", f"{active['users']:,}", "users in the last 24 hours", users, "bolt"),
    ]


def _sign_ups() -> list[Day]:
    first = timezone.now().date() - timedelta(days=_DAYS - 1)
    rows = (
        User.all_objects.filter(created_at__gte=datetime.combine(first, time.min, tzinfo=UTC))
        .annotate(day=TruncDate("created_at"))
        .values_list("day")
        .annotate(count=Count("id"))
        .order_by()
    )
    counts = dict(rows)
    most = max(counts.values(), default=0) or 1
    dates = [first + timedelta(days=number) for number in range(_DAYS)]
    return [Day(day, counts.get(day, 0), counts.get(day, 0) / most) for day in dates]


def _resources() -> Card:
    link = _list_of("resources_resource")
    return Card("Resources", _size(Resource.objects.all()), "not counting the bin", link, "inventory_2")


def _operations() -> list[Card]:
    week = timezone.now() - timedelta(days=7)
    mails = Message.objects.filter(Q(state__in=OPEN_STATES) | Q(state=FAILED, created_at__gte=week)).aggregate(
        failed=Count("id", filter=Q(state=FAILED)), waiting=Count("id", filter=Q(state__in=OPEN_STATES))
    )
    letters = DeadLetter.objects.aggregate(count=Count("id"), newest=Max("last_at"))
    messages = _list_of("notifications_message")
    return [
        _jobs(since=week),
        Card(
            "Failed mails",
            f"{mails['failed']:,}",
            f"in 7 days; {mails['waiting']:,} waiting",
            f"{messages}?state=failed",
            "mark_email_unread",
            is_bad=mails["failed"] > 0,
        ),
        Card(
            "Dead letters",
            f"{letters['count']:,}",
            f"newest {timesince(letters['newest'])} ago" if letters["newest"] else "nothing was given up",
            _list_of("core_deadletter"),
            "skull",
            is_bad=letters["count"] > 0,
        ),
    ]


def _jobs(*, since: datetime) -> Card:
    failed = Q(state=job_states.FAILED, created_at__gte=since)
    counts = Job.objects.filter(Q(state__in=job_states.UNFINISHED) | failed).aggregate(
        running=Count("id", filter=Q(state=job_states.RUNNING)),
        waiting=Count("id", filter=Q(state=job_states.QUEUED)),
        failed=Count("id", filter=failed),
    )
    return Card(
        "Jobs",
        f"{counts['running']:,}",
        f"running; {counts['waiting']:,} waiting, {counts['failed']:,} failed in 7 days",
        _list_of("core_job"),
        "conveyor_belt",
        is_bad=counts["failed"] > 0,
    )


def _queues() -> list[dict[str, Any]]:
    """Return each queue's work: what the relay still has to send (outbox), what no worker has taken yet (queue)."""
    now = timezone.now()
    due = Q(dispatched_at=None, due_at__lte=now)
    sent = Q(dispatched_at__isnull=False, leased_by=None)
    rows = (
        OutboxRow.objects.values("queue")
        .annotate(
            due=Count("id", filter=due),
            oldest_due=Min("due_at", filter=due),
            sent=Count("id", filter=sent),
            oldest_sent=Min("dispatched_at", filter=sent),
            running=Count("id", filter=Q(leased_by__isnull=False)),
            later=Count("id", filter=Q(dispatched_at=None, due_at__gt=now)),
        )
        .order_by("queue")
    )
    return [
        {
            **row,
            "outbox_lag": _lag(row["oldest_due"], now),
            "queue_lag": _lag(row["oldest_sent"], now),
            "is_slow": any(since and now - since > _SLOW for since in (row["oldest_due"], row["oldest_sent"])),
        }
        for row in rows
    ]


def _list_of(model: str) -> str:
    return reverse(f"admin:{model}_changelist")


def _lag(since: Any, now: Any) -> str:
    if since is None:
        return "none"
    seconds = (now - since).total_seconds()
    return f"{seconds:.1f} s" if seconds < 60 else timesince(since, now)


def _size(rows: QuerySet[Any]) -> str:
    """Return how many rows there are: counted while that is cheap, the planner's estimate beyond."""
    counted = rows.order_by()[: _COUNTED_AT_MOST + 1].count()
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass", [rows.model._meta.db_table])
        (estimate,) = cursor.fetchone()
    return f"{counted:,}" if counted <= _COUNTED_AT_MOST else f"≈ {max(estimate, counted):,}"
