"""How people want to be told: each kind on each channel, quiet hours, digests; and the link that switches one off."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import time
from typing import Any, Final, TypeAlias
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db.models import F

from core.errors import Detail, NotFound, ValidationFailed
from core.events import publish
from core.permissions import SYSTEM, Caller
from core.transactions import atomic
from notifications.kinds import KINDS, Kind
from notifications.models import OFF, NotificationPreferences
from notifications.unsubscribe_links import Subscription, subscription_of

Matrix: TypeAlias = Mapping[str, Mapping[str, bool]]
"""`{kind: {channel: wanted}}`"""

_NEVER_SAVED: Final = 0
"""The version of preferences that are all defaults."""


@dataclass(frozen=True, slots=True)
class NewPreferences:
    """Preferences whole: kinds and channels that the matrix leaves out have their defaults."""

    matrix: Matrix
    quiet_from: time | None = None
    quiet_until: time | None = None
    quiet_time_zone: str = ""
    digest: str = OFF


def preferences_of(user_id: UUID) -> NotificationPreferences:
    """Return the person's preferences, or the defaults, which are no row."""
    found = NotificationPreferences.objects.filter(user_id=user_id).first()
    return found or NotificationPreferences(user_id=user_id, version=_NEVER_SAVED)


def matrix_of(preferences: NotificationPreferences) -> dict[str, dict[str, bool]]:
    """Return every kind and channel with whether the person wants it."""
    return {
        code: {channel: _wanted(kind, channel, preferences.choices) for channel in kind.all_channels}
        for code, kind in sorted(KINDS.items())
    }


@atomic
def set_preferences(
    *, actor: Caller, new: NewPreferences, check_version: Callable[[int], None]
) -> NotificationPreferences:
    """Replace the actor's preferences; `check_version` may refuse the state that they are in."""
    _refuse_wrong_choices(new.matrix)
    preferences = _locked(actor.own_id, check_version)
    before = _facts(preferences)
    preferences.choices = _differences(new.matrix)
    preferences.quiet_from, preferences.quiet_until = new.quiet_from, new.quiet_until
    preferences.quiet_time_zone, preferences.digest = new.quiet_time_zone, new.digest
    _save(preferences, actor, before)
    return preferences


def subscription_behind(token: str) -> Subscription:
    """Return what a mailed token switches off; raises `NotFound` for one that is not ours, or of who is gone."""
    subscription = subscription_of(token)
    if subscription is None or subscription.kind not in KINDS:
        raise NotFound
    if not get_user_model()._default_manager.filter(pk=subscription.user_id).exists():
        raise NotFound
    return subscription


@atomic
def unsubscribe(*, token: str, actor: Caller = SYSTEM) -> Subscription:
    """Switch off what the token names; switched off before, it stays so. Raises `NotFound`.

    The link alone decides; `actor` is who came with it, if they were signed in.
    """
    subscription = subscription_behind(token)
    kind = KINDS[subscription.kind]
    preferences = _locked(subscription.user_id, lambda version: None)
    if kind.may_be_switched_off and _wanted(kind, subscription.channel, preferences.choices):
        before = _facts(preferences)
        chosen = preferences.choices.get(kind.code, {})
        preferences.choices = {**preferences.choices, kind.code: {**chosen, subscription.channel: False}}
        _save(preferences, actor, before)
    return subscription


def _wanted(kind: Kind, channel: str, choices: Matrix) -> bool:
    default = channel in kind.channels
    return bool(choices.get(kind.code, {}).get(channel, default)) if kind.may_be_switched_off else default


def _locked(user_id: UUID, check_version: Callable[[int], None]) -> NotificationPreferences:
    """Return the row, made if need be, locked and in a version that the caller agrees to."""
    # Made with the version of the defaults: what is saved for the first time becomes version 1.
    NotificationPreferences.objects.bulk_create(
        [NotificationPreferences(user_id=user_id, version=_NEVER_SAVED)], ignore_conflicts=True
    )
    preferences = NotificationPreferences.objects.select_for_update().get(user_id=user_id)
    check_version(preferences.version)
    return preferences


def _save(preferences: NotificationPreferences, actor: Caller, before: dict[str, Any]) -> None:
    preferences.version = F("version") + 1
    preferences.save()
    preferences.refresh_from_db()
    after = _facts(preferences)
    changed = [name for name in after if before[name] != after[name]]
    data = {
        "before": {name: before[name] for name in changed},
        "after": {name: after[name] for name in changed},
    }
    audience = [preferences.user_id]
    publish("notification.preferences_changed", subject=preferences, actor=actor, data=data, audience=audience)


def _facts(preferences: NotificationPreferences) -> dict[str, Any]:
    return {
        "choices": preferences.choices,
        "quiet_from": preferences.quiet_from and preferences.quiet_from.isoformat(),
        "quiet_until": preferences.quiet_until and preferences.quiet_until.isoformat(),
        "quiet_time_zone": preferences.quiet_time_zone,
        "digest": preferences.digest,
    }


def _differences(matrix: Matrix) -> dict[str, dict[str, bool]]:
    """Return the choices that are no default: a default that changes later then changes for who never chose."""
    chosen = {
        code: {channel: wanted for channel, wanted in row.items() if wanted != (channel in KINDS[code].channels)}
        for code, row in matrix.items()
    }
    return {code: row for code, row in chosen.items() if row}


def _refuse_wrong_choices(matrix: Matrix) -> None:
    details = []
    for code, row in matrix.items():
        kind = KINDS.get(code)
        if kind is None:
            details.append(Detail(f"matrix.{code[:100]}", "unknown", "There is no such kind."))
            continue
        details += [detail for channel, wanted in row.items() if (detail := _refusal(kind, channel, wanted))]
    if details:
        raise ValidationFailed(details=details)


def _refusal(kind: Kind, channel: str, wanted: bool) -> Detail | None:
    field = f"matrix.{kind.code}.{channel[:50]}"
    if channel not in kind.all_channels:
        return Detail(field, "unknown", "This kind is not told on such a channel.")
    if not wanted and not kind.may_be_switched_off:
        return Detail(field, "locked", "This is about the safety of your account: it is always told.")
    return None
