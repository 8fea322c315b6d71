"""Threat rules on the event log: registered here, told once per person and window, looked at by staff.

    @threat_rule("odd_hours", "Work at night", "resource.deleted", tells_user="account.unusual_activity")
    def odd_hours(event: Event) -> Finding | None:
        if event.actor is None or 6 <= event.occurred_at.hour < 22:
            return None
        return Finding(event.actor, "Something was deleted at night.", {"event": str(event.id)})

A rule runs in a worker, as a subscriber of the log: once for each event, and no request waits for it. What it finds is
one row in `threats` per person, rule and day (or `Finding.key`); the first time the person and the holders of `admin`
are told. `mass_rule` counts instead: so many events of one person within an hour, looked for every minute.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Max, Q, QuerySet
from django.db.models.functions import Now

from accounts.models import Threat, User
from core.events import publish, subscriber
from core.models import Event
from core.permissions import ADMIN, SYSTEM, Caller
from notifications.models import Notification
from notifications.services import News, notify

HOUR: Final = timedelta(hours=1)
KEPT: Final = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule has seen: about whom, in a sentence, with what it is known from."""

    user_id: UUID
    summary: str
    evidence: dict[str, Any] = field(default_factory=dict)
    key: str = ""
    """Within which it is told once; empty: the day (UTC) of the event."""

    variables: dict[str, str] = field(default_factory=dict)
    """Of the message to the person, where its kind has others than `title` and `text`."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Whom a finding is told."""

    name: str
    title: str
    tells_user: str
    tells_staff: bool


@dataclass(frozen=True, slots=True)
class MassRule:
    """A rule that counts the events of one person."""

    rule: Rule
    events: Q
    most: Callable[[], int]


RULES: Final[dict[str, Rule]] = {}
MASS_RULES: Final[list[MassRule]] = []

Examine = Callable[[Event], Finding | None]


def threat_rule(
    name: str, title: str, *types: str, tells_user: str = "account.unusual_activity", tells_staff: bool = True
) -> Callable[[Examine], Examine]:
    """Register a rule that looks at each event of these types; `name` is stored, and is its subscriber's name too.

    `tells_user` is the kind of message to the person; empty: none, where something else tells them already.
    """

    def register(examine: Examine) -> Examine:
        rule = _add(Rule(name, title, tells_user, tells_staff))

        @subscriber(f"threats.{name}", *types)
        def hear(event: Event) -> None:
            finding = examine(event)
            if finding is not None:
                report(rule, finding, seen_at=event.occurred_at)

        return examine

    return register


def mass_rule(name: str, title: str, *, events: Q, most: Callable[[], int]) -> None:
    """Register a rule against more than `most()` of these events by one person within an hour; 0 switches it off."""
    MASS_RULES.append(MassRule(_add(Rule(name, title, "account.unusual_activity", True)), events, most))


@transaction.atomic
def report(rule: Rule, finding: Finding, *, seen_at: datetime) -> Threat | None:
    """Store the finding; the first of its window is told. Return the new row, or None where there was one already."""
    user = User.objects.select_related("role").filter(pk=finding.user_id).first()
    if user is None:
        return None
    key = finding.key or seen_at.astimezone(UTC).date().isoformat()
    fields = {"summary": finding.summary, "evidence": finding.evidence}
    threat = Threat(rule=rule.name, user=user, key=key, first_seen_at=seen_at, last_seen_at=seen_at, **fields)
    Threat.objects.bulk_create([threat], ignore_conflicts=True)
    found = Threat.objects.select_for_update(of=("self",)).get(user=user, rule=rule.name, key=key)
    if found.pk != threat.pk:
        _seen_again(found, seen_at, fields)
        return None
    publish("threat.detected", subject=threat, actor=SYSTEM, data={"rule": rule.name, "user": str(user.pk)})
    _tell(rule, threat, user, finding)
    return threat


def look_for_masses() -> int:
    """Report whoever did more of something within the last hour than the rules allow; return how many are new."""
    since = datetime.now(UTC) - HOUR
    return sum(_report_mass(mass, since) for mass in MASS_RULES)


def review_threats(*, ids: Iterable[UUID], actor: Caller) -> int:
    """Mark the threats as looked at; return how many were not before."""
    return sum(_review(threat_id, actor) for threat_id in ids)


def alerts_about(user_id: UUID) -> QuerySet[Notification]:
    """Return what staff were told of the user's threats, in their inboxes and by messages; it names the user."""
    threats = Threat.objects.filter(user_id=user_id).values_list("pk", flat=True)
    return Notification.objects.filter(kind="ops.alert", dedup_key__in=[_staff_key(pk) for pk in threats])


def purge_threats() -> int:
    """Delete what was last seen more than a year ago; return how many."""
    return Threat.objects.filter(last_seen_at__lt=datetime.now(UTC) - KEPT).delete()[0]


def _add(rule: Rule) -> Rule:
    if rule.name in RULES:
        raise ValueError(f"There is a threat rule {rule.name!r} already.")
    RULES[rule.name] = rule
    return rule


def _seen_again(threat: Threat, seen_at: datetime, fields: dict[str, Any]) -> None:
    Threat.objects.filter(pk=threat.pk).update(
        count=F("count") + 1, last_seen_at=max(seen_at, threat.last_seen_at), **fields
    )


def _tell(rule: Rule, threat: Threat, user: User, finding: Finding) -> None:
    """Tell the person and the holders of `admin`, each once, however often this runs."""
    if rule.tells_user:
        variables = finding.variables or {"title": rule.title, "text": finding.summary}
        notify(News(rule.tells_user, variables, dedup_key=f"threat:{threat.pk}"), to=[user.pk])
    if not rule.tells_staff:
        return
    alert = {
        "title": f"{rule.title}: {user.email}",
        "text": finding.summary,
        "link": f"{settings.PUBLIC_URL}/admin/accounts/threat/{threat.pk}/change/",
    }
    staff = User.objects.filter(is_active=True, role__permissions__contains=[ADMIN])
    notify(News("ops.alert", alert, dedup_key=_staff_key(threat.pk)), to=list(staff.values_list("pk", flat=True)))


def _staff_key(threat_id: UUID) -> str:
    """Return the key under which staff are told once: not the person's own, who may be an administrator too."""
    return f"threat:{threat_id}:staff"


def _report_mass(mass: MassRule, since: datetime) -> int:
    most = mass.most()
    if most < 1:
        return 0
    lately = Event.objects.filter(mass.events, occurred_at__gt=since, actor__isnull=False)
    people = lately.values("actor").annotate(number=Count("id"), last=Max("occurred_at")).filter(number__gt=most)
    return sum(
        report(mass.rule, _mass_finding(mass, row), seen_at=row["last"]) is not None
        for row in people.order_by("actor")
        if not _is_known(mass, row)
    )


def _is_known(mass: MassRule, row: Mapping[str, Any]) -> bool:
    """Return whether all of these events were counted when this was looked for before."""
    told = Threat.objects.filter(user_id=row["actor"], rule=mass.rule.name, last_seen_at__gte=row["last"])
    return told.filter(evidence__number__gte=row["number"]).exists()


def _mass_finding(mass: MassRule, row: Mapping[str, Any]) -> Finding:
    summary = f"{mass.rule.title}: {row['number']} within an hour."
    return Finding(row["actor"], summary, {"number": row["number"], "most": mass.most()})


@transaction.atomic
def _review(threat_id: UUID, actor: Caller) -> bool:
    open_threats = Threat.objects.filter(pk=threat_id, reviewed_at=None)
    if open_threats.update(reviewed_at=Now(), reviewed_by_id=actor.id) != 1:
        return False
    threat = Threat.objects.get(pk=threat_id)
    publish("threat.reviewed", subject=threat, actor=actor, data={"rule": threat.rule, "user": str(threat.user_id)})
    return True
