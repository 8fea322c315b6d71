"""The threat rules that every installation has; an adopter's stand in their own app and register the same way."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet

from accounts.countries import country_of
from accounts.devices import device_name
from accounts.models import Session
from accounts.services.threats import Finding, mass_rule, threat_rule
from core.models import Event

_WRONG_SECOND_STEPS: Final = 5
_HOUR: Final = timedelta(hours=1)


@threat_rule("new_device", "A new device", "session.created", tells_user="account.new_device", tells_staff=False)
def new_device(event: Event) -> Finding | None:
    """A sign-in from a device that its user has not signed in from; staff are not told: people buy telephones.

    An app that keeps no cookies is known by its User-Agent at an address where it has been before.
    """
    if not event.payload.get("new_device") or _has_been_here(event):
        return None
    return _sign_in_finding(event, f"A sign-in from a device that was not known: {_device(event)}.")


@threat_rule("new_country", "A new country", "session.created", tells_user="account.unusual_activity")
def new_country(event: Event) -> Finding | None:
    """A sign-in from a country where none of the user's earlier sessions was; needs `GEOIP_DATABASE`."""
    country = country_of(event.ip)
    before = {country_of(session.ip) for session in _earlier_sessions(event)} - {""} if country else set()
    if not before or country in before:
        return None
    summary = f"A sign-in from {country}, where none was before: {_device(event)}, {event.ip}."
    return Finding(_user_of(event), summary, {**_evidence(event), "country": country}, key=event.subject_id)


@threat_rule("sign_in_failures", "Many wrong passwords", "user.sign_in_blocked", tells_user="account.locked")
def sign_in_failures(event: Event) -> Finding | None:
    """Five wrong passwords within a quarter of an hour: further tries have to wait."""
    origin = {"ip": event.ip or "unknown", "device": _device(event)}
    summary = f"Wrong passwords were tried until further tries had to wait, the last from {origin['ip']}."
    return Finding(_user_of(event), summary, origin, variables=origin)


@threat_rule("second_factor_failures", "Many wrong second factors", "mfa.failed")
def second_factor_failures(event: Event) -> Finding | None:
    """Five wrong codes (or passkeys) within an hour: whoever tries them knows the password."""
    since = event.occurred_at - _HOUR
    failures = Event.objects.filter(type=event.type, subject_id=event.subject_id, occurred_at__gt=since)
    number = failures.filter(seq__lte=event.seq).count()
    if number < _WRONG_SECOND_STEPS:
        return None
    summary = "Somebody who knows the password gave wrong codes again and again. If it was not you, change it now."
    return Finding(_user_of(event), summary, {**_evidence(event), "failures": number})


@threat_rule("token_reuse", "A refresh token was used twice", "session.token_reused", tells_user="")
def token_reuse(event: Event) -> Finding | None:
    """A refresh token came back after it was spent; its owner has been told when the session was ended."""
    return Finding(_user_of(event), "A refresh token was used a second time; its session was ended.", _evidence(event))


@threat_rule("passkey_copy", "A passkey seems to be copied", "passkey.copy_suspected")
def passkey_copy(event: Event) -> Finding | None:
    """The count of a passkey's signatures did not grow (WebAuthn, 6.1.1)."""
    summary = (
        f"The passkey {event.payload.get('name', '')} was refused, because two things seem to hold it. "
        "If it is not an old copy of your own, remove it and make another."
    )
    return Finding(_user_of(event), summary, {**_evidence(event), **event.payload})


mass_rule(
    "mass_delete",
    "Many deletions",
    events=Q(type__in=("resource.deleted", "resource.destroyed", "user.deleted", "file.deleted")),
    most=lambda: int(settings.THREAT_DELETIONS_PER_HOUR),
)
mass_rule(
    "mass_export",
    "Many exports",
    events=Q(type="job.created", payload__kind__icontains="export"),
    most=lambda: int(settings.THREAT_EXPORTS_PER_HOUR),
)


def _sign_in_finding(event: Event, summary: str) -> Finding:
    """Return a finding that is told for each session."""
    variables = {
        "device": _device(event),
        "ip": event.ip or "unknown",
        "time": event.occurred_at.strftime("%d %B %Y, %H:%M UTC"),
    }
    place = country_of(event.ip)
    return Finding(
        _user_of(event),
        summary,
        {**_evidence(event), "session": event.subject_id},
        key=event.subject_id,
        variables={**variables, "country": place} if place else variables,
    )


def _has_been_here(event: Event) -> bool:
    return _earlier_sessions(event).filter(ip=event.ip, user_agent=event.user_agent[:500]).exists()


def _earlier_sessions(event: Event) -> QuerySet[Session]:
    return Session.objects.filter(user_id=_user_of(event), pk__lt=UUID(event.subject_id))


def _user_of(event: Event) -> UUID:
    """Return whom an event about a user or about something of theirs is about."""
    return UUID(event.subject_id) if event.subject_type == "user" else event.audience[0]


def _device(event: Event) -> str:
    return device_name(event.user_agent)


def _evidence(event: Event) -> dict[str, str]:
    return {"event": str(event.id), "ip": event.ip or "", "device": _device(event)}
