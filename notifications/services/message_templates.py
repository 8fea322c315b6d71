"""Wordings of staff's: made, changed, restored, deleted, tried out on oneself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from core.errors import Conflict, NotFound, PermissionDenied, PreconditionFailed, ValidationFailed
from core.events import publish
from core.permissions import ADMIN, SYSTEM, Caller
from core.queue import enqueue
from core.transactions import atomic
from notifications.channels import CHANNELS
from notifications.kinds import kind_of
from notifications.models import IN_APP, Message, MessageTemplate, MessageTemplateVersion
from notifications.models.templates import CREATED, RESTORED, UPDATED
from notifications.overrides import Override, Words
from notifications.samples import context_of
from notifications.services.sending import mail_host
from notifications.template_checks import faults_of
from notifications.templates import TRIED_VERSION, log_fallback

_CHANGING: Final = ("subject", "text", "html", "is_active")


@dataclass(frozen=True, slots=True)
class NewTemplate:
    """A wording, and where it stands."""

    kind: str
    channel: str
    locale: str = ""
    subject: str = ""
    text: str = ""
    html: str = ""
    is_active: bool = True


def create_template(*, actor: Caller, new: NewTemplate) -> MessageTemplate:
    """Make a wording; raises `PermissionDenied`, `ValidationFailed`, and `Conflict` for a place that is taken."""
    _require_admin(actor)
    _refuse_faulty(new.kind, new.channel, new.locale, Words.of(new))
    try:
        return _insert(actor, new)
    except IntegrityError:
        raise Conflict("There is a wording for this kind, channel and language already.") from None


@atomic
def change_template(
    *, actor: Caller, template_id: UUID, changes: Mapping[str, Any], seen_version: int | None = None
) -> MessageTemplate:
    """Apply the parts that differ, as a new version; raises `PreconditionFailed` when `seen_version` is not the newest.

    Raises `PermissionDenied`, `NotFound` and `ValidationFailed`, too.
    """
    _require_admin(actor)
    row = _locked(template_id)
    if seen_version is not None and seen_version != row.version:
        raise PreconditionFailed
    return _change(actor, row, {name: changes[name] for name in _CHANGING if name in changes}, UPDATED)


@atomic
def restore_version(*, actor: Caller, template_id: UUID, number: int) -> MessageTemplate:
    """Make an older wording the newest version; raises `NotFound`, and `ValidationFailed` where it serves no more."""
    _require_admin(actor)
    row = _locked(template_id)
    version = MessageTemplateVersion.objects.filter(template=row, number=number).first()
    if version is None:
        raise NotFound
    return _change(actor, row, {name: getattr(version, name) for name in _CHANGING}, RESTORED)


@atomic
def delete_template(*, actor: Caller, template_id: UUID) -> None:
    """Delete a wording and its versions: the file's stands again. Raises `PermissionDenied` and `NotFound`."""
    _require_admin(actor)
    row = _locked(template_id)
    before = {name: getattr(row, name) for name in ("kind", "channel", "locale", *_CHANGING)}
    publish("message_template.deleted", subject=row, actor=actor, data={"before": before})
    row.delete()


@atomic
def send_test(*, actor: Caller, template_id: UUID) -> Message:
    """Send the newest version to the actor, active or not, with sample values; raises `Conflict` where it cannot be."""
    _require_admin(actor)
    row = _locked(template_id)
    _refuse_faulty(row.kind, row.channel, row.locale, Words.of(row))
    user: Any = get_user_model()._default_manager.get(pk=actor.own_id)
    version = MessageTemplateVersion.objects.get(template=row, number=row.version)
    message = Message(
        kind=row.kind,
        channel=row.channel,
        recipient_id=user.pk,
        address=_address_of(user, row.channel),
        locale=row.locale or getattr(user, "locale", "en"),
        context={"name": user.name, **context_of(kind_of(row.kind)), TRIED_VERSION: str(version.pk)},
    )
    message.message_id = f"<{message.id}@{mail_host()}>"
    message.save(force_insert=True)
    enqueue("notifications.tasks.deliver", message_id=str(message.id))
    publish("message_template.tried", subject=row, actor=actor, data={"version": row.version})
    return message


def note_fallback(override: Override, reason: str) -> None:
    """Record that a version of a wording could not be filled in: once in the log of events, at its row and in the log.

    A worker calls it while it writes a message, which then says what the file says.
    """
    log_fallback(override, reason)
    with transaction.atomic():
        first = MessageTemplate.objects.filter(pk=override.template_id, version=override.version, failed_at=None)
        if first.update(failed_at=Now(), failure=reason[:500]):
            row = MessageTemplate.objects.get(pk=override.template_id)
            data = {"version": override.version, "reason": reason[:500]}
            publish("message_template.failed", subject=row, actor=SYSTEM, data=data)


def _address_of(user: Any, channel: str) -> str:
    way = CHANNELS.get(channel)
    if channel == IN_APP or way is None or not way.address_field:
        raise Conflict("A wording of this channel is not sent to an address; the preview shows it.")
    is_proved = not way.proof_field or getattr(user, way.proof_field)
    address = getattr(user, way.address_field) if is_proved else ""
    if not address:
        raise Conflict(f"You have no confirmed {way.address_field} to send this to.")
    return str(address)


@atomic
def _insert(actor: Caller, new: NewTemplate) -> MessageTemplate:
    values = {name: getattr(new, name) for name in ("kind", "channel", "locale", *_CHANGING)}
    row = MessageTemplate.objects.create(**values, edited_by=actor.id)
    _keep_version(row, CREATED)
    publish("message_template.created", subject=row, actor=actor, data={"after": values})
    return row


def _change(actor: Caller, row: MessageTemplate, changes: Mapping[str, Any], action: str) -> MessageTemplate:
    before = {name: getattr(row, name) for name, value in changes.items() if getattr(row, name) != value}
    if not before:
        return row
    for name in before:
        setattr(row, name, changes[name])
    if row.is_active or before.keys() != {"is_active"}:
        # One that serves no more can still be switched off.
        _refuse_faulty(row.kind, row.channel, row.locale, Words.of(row))
    row.version += 1
    row.edited_by, row.failed_at, row.failure = actor.id, None, ""
    row.save(update_fields=[*before, "version", "edited_by", "failed_at", "failure"])
    _keep_version(row, action)
    after = {name: changes[name] for name in before}
    verb = "restored" if action == RESTORED else "updated"
    publish(f"message_template.{verb}", subject=row, actor=actor, data={"before": before, "after": after})
    return row


def _keep_version(row: MessageTemplate, action: str) -> None:
    values = {name: getattr(row, name) for name in _CHANGING}
    MessageTemplateVersion.objects.create(
        template=row, number=row.version, action=action, edited_by=row.edited_by, **values
    )


def _locked(template_id: UUID) -> MessageTemplate:
    row = MessageTemplate.objects.select_for_update(no_key=True).filter(pk=template_id).first()
    if row is None:
        raise NotFound
    return row


def _refuse_faulty(kind: str, channel: str, locale: str, words: Words) -> None:
    faults = faults_of(kind, channel, locale, words)
    if faults:
        raise ValidationFailed(details=faults)


def _require_admin(actor: Caller) -> None:
    if not actor.holds(ADMIN):
        raise PermissionDenied
