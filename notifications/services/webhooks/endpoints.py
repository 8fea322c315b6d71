"""Endpoints: made, changed, switched off and on, given another secret, removed."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from core.errors import ActingOnBehalf, Conflict, Detail, NotFound, ValidationFailed
from core.event_types import EVERYTHING, FAMILIES, TYPES, family_of
from core.events import publish
from core.http_client import AddressRefused, refuse_address
from core.locks import NamedLock
from core.models import Event
from core.permissions import SYSTEM, Caller
from core.transactions import atomic
from notifications.models.webhooks import FAILED, NEVER_SENT, OPEN_DELIVERY_STATES, WebhookDelivery, WebhookEndpoint
from notifications.services.notifying import News, notify
from notifications.services.webhooks.signing import new_secret

OVERLAP: Final = timedelta(hours=24)
"""How long the old secret goes on signing beside a new one."""

CheckVersion = Callable[[int], None]

_MAKING: Final = NamedLock("webhooks")


@dataclass(frozen=True, slots=True)
class SecretEndpoint:
    """An endpoint and its secret, which is shown this once."""

    row: WebhookEndpoint
    secret: str


def any_version(version: int) -> None:
    """Accept every version."""


@atomic
def create_endpoint(*, actor: Caller, url: str, events: Iterable[str], is_active: bool = True) -> SecretEndpoint:
    """Make an endpoint of the actor's; raises `ValidationFailed`, or `Conflict` when they have as many as one may."""
    _refuse_on_behalf(actor)
    patterns = _checked(url, events)
    _refuse_too_many(actor)
    secret = new_secret()
    endpoint = WebhookEndpoint(owner_id=actor.own_id, url=url, events=patterns, is_active=is_active, secret=secret)
    endpoint.save(force_insert=True)
    endpoint.refresh_from_db(fields=["created_at", "updated_at"])
    after = {"url": without_secrets(url), "events": patterns, "is_active": is_active}
    _publish("created", endpoint, actor, {"after": after})
    return SecretEndpoint(endpoint, secret)


@atomic
def change_endpoint(
    *, actor: Caller, endpoint_id: UUID, changes: Mapping[str, Any], check_version: CheckVersion = any_version
) -> WebhookEndpoint:
    """Apply the fields that differ to one of the actor's endpoints; raises `NotFound` and `ValidationFailed`."""
    _refuse_on_behalf(actor)
    endpoint = _own(actor, endpoint_id)
    check_version(endpoint.version)
    wanted = dict(changes)
    wanted["events"] = _checked(wanted.get("url", endpoint.url), wanted.get("events", endpoint.events))
    before = {name: getattr(endpoint, name) for name in wanted if wanted[name] != getattr(endpoint, name)}
    if before:
        _change(endpoint, {name: wanted[name] for name in before}, actor)
    return endpoint


@atomic
def delete_endpoint(*, actor: Caller, endpoint_id: UUID, check_version: CheckVersion = any_version) -> None:
    """Remove one of the actor's endpoints, with all that was sent to it; raises `NotFound`."""
    endpoint = _own(actor, endpoint_id, is_going=True)
    check_version(endpoint.version)
    _publish("deleted", endpoint, actor, {"before": {"url": without_secrets(endpoint.url)}})
    endpoint.delete()


@atomic
def rotate_secret(*, actor: Caller, endpoint_id: UUID) -> SecretEndpoint:
    """Give one of the actor's endpoints a new secret; for a day the old one signs too. Raises `NotFound`."""
    _refuse_on_behalf(actor)
    return _rotate(_own(actor, endpoint_id), actor)


@atomic
def rotate_secret_of(*, actor: Caller, endpoint_id: UUID) -> SecretEndpoint:
    """Give an endpoint a new secret as `rotate_secret` does, for staff; raises `NotFound`."""
    return _rotate(_locked(endpoint_id), actor)


@atomic
def switch_endpoints(*, actor: Caller, endpoint_ids: Iterable[UUID], is_active: bool) -> int:
    """Switch endpoints on or off, for staff; return how many were not so before."""
    rows = WebhookEndpoint.objects.select_for_update(no_key=True).filter(id__in=list(endpoint_ids))
    changed = [endpoint for endpoint in rows.order_by("id") if endpoint.is_active != is_active]
    for endpoint in changed:
        _change(endpoint, {"is_active": is_active}, actor, reason="" if is_active else "switched off by staff")
    return len(changed)


@atomic
def end_secret(*, actor: Caller, endpoint_id: UUID) -> WebhookEndpoint:
    """Stop signing with the old secret of an endpoint at once, for staff; raises `NotFound`."""
    endpoint = _locked(endpoint_id)
    if endpoint.previous_secret_until is not None:
        endpoint.previous_secret = None
        endpoint.previous_secret_until = None
        endpoint.version += 1
        endpoint.save(update_fields=["previous_secret", "previous_secret_until", "version"])
        _publish("secret_ended", endpoint, actor, {})
    return endpoint


def disable(endpoint: WebhookEndpoint, *, reason: str) -> None:
    """Switch a locked endpoint off that its receiver has given up, and tell its owner."""
    _change(endpoint, {"is_active": False}, SYSTEM, reason=reason)
    told = {"url": without_secrets(endpoint.url), "reason": reason}
    notify(News("webhook.disabled", told, subject=("webhook", str(endpoint.pk))), to=[endpoint.owner_id])


def without_secrets(url: str) -> str:
    """Return the URL without its query, which often holds the receiver's own key."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


def secrets_of(endpoint: WebhookEndpoint) -> list[str]:
    """Return the secrets that sign at this moment, the newest first."""
    if endpoint.previous_secret_until is not None and endpoint.previous_secret_until > timezone.now():
        return [endpoint.secret, endpoint.previous_secret]
    return [endpoint.secret]


def _change(endpoint: WebhookEndpoint, after: dict[str, Any], actor: Caller, *, reason: str = "") -> None:
    before = {name: getattr(endpoint, name) for name in after}
    for name, value in after.items():
        setattr(endpoint, name, value)
    endpoint.version += 1
    fields = [*after, "version"]
    if "is_active" in after or "url" in after:
        _start_anew(endpoint, reason)
        fields += ["failures", "failing_since", "paused_until", "disabled_at", "disabled_reason"]
    endpoint.save(update_fields=fields)
    endpoint.refresh_from_db(fields=["updated_at"])
    if not endpoint.is_active:
        _give_up_what_is_open(endpoint)
    for values in (before, after):
        if "url" in values:
            values["url"] = without_secrets(values["url"])
    verb = "updated" if endpoint.is_active or "is_active" not in after else "disabled"
    _publish(verb, endpoint, actor, {"before": before, "after": after, **({"reason": reason} if reason else {})})


def _start_anew(endpoint: WebhookEndpoint, reason: str) -> None:
    endpoint.failures = 0
    endpoint.failing_since = None
    endpoint.paused_until = None
    endpoint.disabled_at = None if endpoint.is_active else timezone.now()
    endpoint.disabled_reason = "" if endpoint.is_active else reason


def _give_up_what_is_open(endpoint: WebhookEndpoint) -> None:
    """Leave nothing waiting at an endpoint that is off: who switches it on again asks for what they want of it."""
    waiting = WebhookDelivery.objects.filter(endpoint=endpoint, state__in=OPEN_DELIVERY_STATES)
    waiting.update(state=FAILED, next_attempt_at=None)


def _rotate(endpoint: WebhookEndpoint, actor: Caller) -> SecretEndpoint:
    endpoint.previous_secret = endpoint.secret
    endpoint.previous_secret_until = timezone.now() + OVERLAP
    endpoint.secret = secret = new_secret()
    endpoint.version += 1
    endpoint.save(update_fields=["secret", "previous_secret", "previous_secret_until", "version"])
    _publish("secret_rotated", endpoint, actor, {"old_until": endpoint.previous_secret_until.isoformat()})
    return SecretEndpoint(endpoint, secret)


def _own(actor: Caller, endpoint_id: UUID, *, is_going: bool = False) -> WebhookEndpoint:
    # Of one that goes nobody writes another delivery from now on.
    rows = WebhookEndpoint.objects.visible_to(actor).select_for_update(no_key=not is_going)
    endpoint = rows.filter(pk=endpoint_id).first()
    if endpoint is None:
        raise NotFound
    return endpoint


def _locked(endpoint_id: UUID) -> WebhookEndpoint:
    endpoint = WebhookEndpoint.objects.select_for_update(no_key=True).filter(pk=endpoint_id).first()
    if endpoint is None:
        raise NotFound
    return endpoint


def _publish(verb: str, endpoint: WebhookEndpoint, actor: Caller, data: dict[str, Any]) -> None:
    publish(f"webhook.{verb}", subject=endpoint, actor=actor, data=data, audience=[endpoint.owner_id])


def _refuse_on_behalf(actor: Caller) -> None:
    """Let nobody who acts in somebody's place leave a listener behind that outlasts their stay."""
    if actor.impersonated_by is not None:
        raise ActingOnBehalf


def _refuse_too_many(actor: Caller) -> None:
    # The lock makes the count below hold when two are made at once.
    _MAKING.hold(of=actor.own_id)
    if WebhookEndpoint.objects.visible_to(actor).count() >= settings.WEBHOOKS_PER_USER:
        raise Conflict(f"You have {settings.WEBHOOKS_PER_USER} webhooks; remove one first.")


def _checked(url: str, events: Iterable[str]) -> list[str]:
    """Return the patterns, each once; raises `ValidationFailed` for an address or a pattern that cannot be."""
    patterns = sorted(set(events))
    details = [
        Detail(f"events.{index}", "unknown_event", _no_such_event(pattern))
        for index, pattern in enumerate(events)
        if not _is_known(pattern)
    ]
    try:
        refuse_address(url, allowed_hosts=settings.WEBHOOK_ALLOWED_HOSTS)
    except AddressRefused as refusal:
        details.append(Detail("url", "refused", str(refusal)))
    if details:
        raise ValidationFailed(details=details)
    return patterns


def _is_known(pattern: str) -> bool:
    if pattern == EVERYTHING:
        return True
    family = family_of(pattern)
    if family is None or pattern.startswith(NEVER_SENT):
        return False
    is_listed = family in FAMILIES if pattern.endswith(".*") else pattern in TYPES
    return is_listed or Event.objects.of_type(pattern).exists()


def _no_such_event(pattern: str) -> str:
    families = ", ".join(f"{name}.*" for name in FAMILIES if f"{name}." != NEVER_SENT)
    return f"There is no event {pattern[:60]!r}; there are *, {families} and their single types."
