"""What reports say: each a table of counts, made by the database."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from typing import Any, Final

from django.contrib.postgres.fields import ArrayField
from django.db.models import Count, DateField, F, Func, Q, QuerySet, Sum, TextField, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Trunc

from accounts.models import User
from core.models import Event
from core.permissions import ADMIN, Caller
from resources.columns import NUMBER, WHOLE, columns_of
from resources.data_values import FIELDS
from resources.data_values import NUMBER as NUMBER_VALUE
from resources.models import Resource, ResourceType
from resources.schemas import compiled
from resources.services.reporting.periods import Period

Rows = list[dict[str, Any]]
Sums = dict[tuple[str, str], dict[str, float | str]]


@dataclass(frozen=True, slots=True)
class Report:
    """A kind of report: who may have it, its columns, how its rows are found."""

    title: str
    needs: str
    """The permission; empty where everybody gets a report on what they see."""

    columns: tuple[str, ...]
    rows: Callable[[Caller, Period], Rows]


def _resources(asker: Caller, period: Period) -> Rows:
    """Return, for each type and state, what the caller sees: how many there are, came, changed and went."""
    live = _by_state(Resource.objects.visible_to(asker), period, live=Count("pk"))
    gone = _within("deleted_at", period)
    binned = Resource.all_objects.in_bin_of(asker).filter(gone).order_by().values("type_id", "status")
    rows = {(row["type_id"], row["status"]): row for row in live}
    for row in binned.annotate(deleted=Count("pk")):
        rows.setdefault((row["type_id"], row["status"]), {"live": 0, "created": 0, "updated": 0}).update(row)
    sums = _sums(asker, period)
    return [
        {
            "type": key,
            "status": status,
            "live": row["live"],
            "created": row["created"],
            "updated": row["updated"],
            "deleted": row.get("deleted", 0),
            "sums": sums.get((key, status)),
        }
        for (key, status), row in sorted(rows.items())
    ]


def _by_state(rows: Any, period: Period, **counts: Any) -> QuerySet[Any, Any]:
    came, changed = _within("created_at", period), _within("updated_at", period)
    before = Q(created_at__lt=period.bounds[0])
    counted: QuerySet[Any, Any] = (
        rows.order_by()
        .values("type_id", "status")
        .annotate(created=Count("pk", filter=came), updated=Count("pk", filter=changed & before), **counts)
    )
    return counted


def _sums(asker: Caller, period: Period) -> Sums:
    """Return the sums of numbers with an index over what came in the period, for whoever sees every field."""
    found: Sums = {}
    for kind in ResourceType.objects.order_by("key"):
        keywords = compiled(kind.pk, kind.schema_version).keywords
        closed = {rule.path for rule in keywords.read}
        paths = [
            column.path
            for column in columns_of(kind.schema)
            if column.kind in {WHOLE, NUMBER} and column.path in keywords.index and column.path not in closed
        ]
        if paths:
            _add_sums(found, asker, period, kind.key, paths)
    return found


def _add_sums(
    found: Sums,
    asker: Caller,
    period: Period,
    key: str,
    paths: list[tuple[str, ...]],
) -> None:
    names = {f"sum_{place}": path for place, path in enumerate(paths)}
    rows = Resource.objects.visible_to(asker).filter(_within("created_at", period), type_id=key).order_by()
    for row in rows.values("status").annotate(**{name: Sum(_number_at(path)) for name, path in names.items()}):
        sums = {".".join(("data", *path)): _shown(row[name]) for name, path in names.items() if row[name] is not None}
        if sums:
            found[key, row["status"]] = sums


def _number_at(path: tuple[str, ...]) -> Combinable:
    """Return the number at the path of `data`; null where there is none, or something else."""
    steps = Value(list(path), ArrayField(TextField()))
    return Func(
        F("data"), steps, template="nook_number(%(expressions)s)", arg_joiner=" #> ", output_field=FIELDS[NUMBER_VALUE]
    )


def _shown(total: Decimal) -> float | str:
    """Return the sum as a number, or as text where no double is so large."""
    number = float(total)
    return number if isfinite(number) else f"{total:.15e}"


def _activity(asker: Caller, period: Period) -> Rows:
    """Return, for each day and type of event, how many there were and of how many people."""
    events = Event.objects.filter(_within("occurred_at", period)).annotate(
        day=Trunc("occurred_at", "day", output_field=DateField())
    )
    counted = events.order_by().values("day", "type").annotate(events=Count("id"), people=Count("actor", distinct=True))
    return [
        {"day": row["day"].isoformat(), "type": row["type"], "events": row["events"], "people": row["people"]}
        for row in counted.order_by("day", "type")
    ]


def _users(asker: Caller, period: Period) -> Rows:
    """Return, for each role, how many people have it, came, signed in, and are how well protected."""
    people = User.objects.alive().order_by().values("role__name")
    counted: Any = people.annotate(
        total=Count("pk"),
        active=Count("pk", filter=Q(is_active=True)),
        verified=Count("pk", filter=Q(email_verified=True)),
        with_two_factors=Count("pk", filter=Q(mfa_enabled=True)),
        registered=Count("pk", filter=_within("created_at", period)),
        last_signed_in=Count("pk", filter=_within("last_login_at", period)),
    )
    return [
        {"role": row["role__name"], **{name: row[name] for name in REPORTS["users"].columns[1:]}}
        for row in counted.order_by("role__name")
    ]


def _within(field: str, period: Period) -> Q:
    first, end = period.bounds
    return Q(**{f"{field}__gte": first, f"{field}__lt": end})


REPORTS: Final[dict[str, Report]] = {
    "resources": Report(
        "resources",
        "",
        ("type", "status", "live", "created", "updated", "deleted", "sums"),
        _resources,
    ),
    "activity": Report("activity", "read:audit", ("day", "type", "events", "people"), _activity),
    "users": Report(
        "users",
        ADMIN,
        ("role", "total", "active", "verified", "with_two_factors", "registered", "last_signed_in"),
        _users,
    ),
}
"""The kinds of reports by name."""
