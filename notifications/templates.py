"""What a message or a notification says, from its kind's templates."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.template import Context, TemplateDoesNotExist
from django.template.loader import get_template
from django.utils import translation

from notifications.channels import CHANNELS, Outgoing
from notifications.kinds import DIGEST, KINDS, Kind, kind_of
from notifications.models import Message, Notification
from notifications.unsubscribe_links import unsubscribe_url


def render(message: Message) -> Outgoing:
    """Return the message as its channel sends it; raises `UnknownKind` and `TemplateDoesNotExist`."""
    kind = kind_of(message.kind)
    link = unsubscribe_url(message, kind)
    variables = {
        **_variables(kind, _context_of(message)),
        "items": items_of(message) if message.kind == DIGEST else (),
        "address": message.address,
        "unsubscribe_url": link,
    }
    channel = CHANNELS.get(message.channel)
    if channel is not None and channel.shows_inbox_text:
        title, text = _shown(kind, variables, message.locale)
        return Outgoing(message_id=message.message_id, address=message.address, subject=title, text=text)
    with translation.override(message.locale):
        if channel is None or not channel.has_parts:
            text = _fill(f"{message.channel}/{message.kind}.txt", variables, autoescape=False)
            return Outgoing(message_id=message.message_id, address=message.address, subject="", text=text)
        return Outgoing(
            message_id=message.message_id,
            address=message.address,
            subject=_subject(message.kind, variables),
            text=_fill(f"emails/{message.kind}.txt", variables, autoescape=False) + _foot(link),
            html=_fill(f"emails/{message.kind}.html", variables, autoescape=True),
            unsubscribe_url=link,
        )


def title_and_text(notification: Notification, locale: str) -> tuple[str, str]:
    """Return what stands in the inbox; of a kind that this release does not know, its code."""
    kind = KINDS.get(notification.kind)
    if kind is None:
        return notification.kind, ""
    return _shown(kind, _variables(kind, notification.context), locale)


def _shown(kind: Kind, variables: Mapping[str, Any], locale: str) -> tuple[str, str]:
    with translation.override(locale):
        title = _subject(kind.code, variables)
        name = f"in_app/{kind.code}.txt"
        text = _fill(name, variables, autoescape=False).strip() if _exists(name) else ""
    return title, text


def items_of(digest: Message) -> list[tuple[str, str]]:
    """Return title and text of what the digest carries, oldest first."""
    carried = digest.carried.select_related("notification").order_by("created_at", "id")
    return [
        title_and_text(message.notification, digest.locale) for message in carried if message.notification is not None
    ]


def _context_of(message: Message) -> Mapping[str, Any]:
    if message.notification is None or message.context is not None:
        return message.context or {}
    return {"name": getattr(message.recipient, "name", ""), **message.notification.context}


def _variables(kind: Kind, given: Mapping[str, Any]) -> dict[str, Any]:
    site = {"site_name": settings.SITE_NAME, "public_url": settings.PUBLIC_URL}
    return {**dict.fromkeys(kind.optional, ""), **given, **site}


def _subject(kind: str, variables: Mapping[str, Any]) -> str:
    # One line whatever the variables hold: a subject with a line break would start a new header.
    return " ".join(_fill(f"emails/{kind}.subject.txt", variables, autoescape=False).split())


def _foot(link: str) -> str:
    return f"\n--\nTo get no more mails of this kind: {link}\n" if link else ""


@lru_cache(maxsize=1000)
def _exists(name: str) -> bool:
    try:
        get_template(name)
    except TemplateDoesNotExist:
        return False
    return True


def _fill(name: str, variables: Mapping[str, Any], *, autoescape: bool) -> str:
    template: Any = get_template(name)
    rendered: str = template.template.render(Context(dict(variables), autoescape=autoescape))
    # A template's result is marked as safe HTML; stripping drops the mark, so that a page showing it escapes it.
    return f"{rendered.strip()}\n"
