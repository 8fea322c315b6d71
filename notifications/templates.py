"""What a message or a notification says: by staff's wording where there is one, else by its kind's file."""

import logging
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias

from django.conf import settings
from django.template import Context, TemplateDoesNotExist
from django.template.loader import get_template
from django.utils import translation
from django.utils.html import linebreaks
from django.utils.safestring import mark_safe

from notifications.channels import CHANNELS, Outgoing
from notifications.kinds import DIGEST, KINDS, Kind, kind_of
from notifications.markup import MarkupFault
from notifications.models import IN_APP, Message, MessageTemplateVersion, Notification
from notifications.overrides import Override, Overrides, Words, current_overrides, has_html
from notifications.unsubscribe_links import unsubscribe_url

logger = logging.getLogger(__name__)

TRIED_VERSION: Final = "_template_version"
"""In the context of a test message: the version of a wording that it shows, active or not."""

FellBack: TypeAlias = Callable[[Override, str], None]


def log_fallback(override: Override, reason: str) -> None:
    """Say in the log that a wording could not be filled in, and the file's was taken."""
    logger.warning("message template %s version %s: %s", override.template_id, override.version, reason)


def render(message: Message, *, fell_back: FellBack = log_fallback) -> Outgoing:
    """Return the message as its channel sends it; raises `UnknownKind` and `TemplateDoesNotExist`.

    `fell_back` is told of a wording of staff's that could not be filled in; the file's is taken instead.
    """
    kind = kind_of(message.kind)
    link = unsubscribe_url(message, kind)
    overrides = current_overrides()
    variables = {
        **_variables(kind, _context_of(message)),
        "items": items_of(message, overrides) if message.kind == DIGEST else (),
        "address": message.address,
        "unsubscribe_url": link,
    }
    channel = CHANNELS.get(message.channel)
    envelope: dict[str, Any] = {
        "message_id": message.message_id,
        "address": message.address,
        "attempt": message.attempt_count,
    }
    if channel is not None and channel.shows_inbox_text:
        title, text = _shown(kind, variables, message.locale, overrides)
        return Outgoing(**envelope, subject=title, text=text)
    override = _tried(message) or overrides.find(kind.code, message.channel, message.locale)
    words = _worded(kind, message.channel, variables, override, fell_back)
    if channel is None or not has_html(message.channel):
        text = f"{words.text}\n" if words else _file(f"{message.channel}/{kind.code}.txt", variables, message.locale)
        return Outgoing(**envelope, subject="", text=text)
    with translation.override(message.locale):
        words = _mail(words, variables) if words else _mail_of_files(kind.code, variables)
    mark = "[Test] " if TRIED_VERSION in variables else ""
    return Outgoing(
        **envelope, subject=mark + words.subject, text=words.text + _foot(link), html=words.html, unsubscribe_url=link
    )


def title_and_text(notification: Notification, locale: str, overrides: Overrides | None = None) -> tuple[str, str]:
    """Return what stands in the inbox; of a kind that this release does not know, its code.

    Who asks for many gives the wordings that are in use, so that they are read once.
    """
    kind = KINDS.get(notification.kind)
    if kind is None:
        return notification.kind, ""
    return _shown(kind, _variables(kind, notification.context), locale, overrides or current_overrides())


def words_of_files(kind: Kind, channel: str, values: Mapping[str, Any], locale: str) -> Words:
    """Return what the files say, filled in."""
    if channel == IN_APP:
        return Words(*_shown_by_files(kind, values, locale))
    with translation.override(locale):
        if not has_html(channel):
            return Words(text=_fill(f"{channel}/{kind.code}.txt", values, autoescape=False))
        return _mail_of_files(kind.code, values)


def whole_mail(words: Words, values: Mapping[str, Any]) -> Words:
    """Return filled-in words with their HTML, or their text as HTML, in the frame that all mails have."""
    return _mail(words, values)


def items_of(digest: Message, overrides: Overrides) -> list[tuple[str, str]]:
    """Return title and text of what the digest carries, oldest first."""
    carried = digest.carried.select_related("notification").order_by("created_at", "id")
    return [
        title_and_text(message.notification, digest.locale, overrides)
        for message in carried
        if message.notification is not None
    ]


def _context_of(message: Message) -> Mapping[str, Any]:
    if message.notification is None or message.context is not None:
        return message.context or {}
    return {"name": getattr(message.recipient, "name", ""), **message.notification.context}


def _variables(kind: Kind, given: Mapping[str, Any]) -> dict[str, Any]:
    site = {"site_name": settings.SITE_NAME, "public_url": settings.PUBLIC_URL}
    return {**dict.fromkeys(kind.optional, ""), **given, **site}


def _tried(message: Message) -> Override | None:
    """Return the wording that a test message shows, unless it was deleted meanwhile."""
    version_id = (message.context or {}).get(TRIED_VERSION)
    version = version_id and MessageTemplateVersion.objects.filter(pk=version_id).first()
    return Override(version.template_id, version.number, Words.of(version)) if version else None


def _worded(
    kind: Kind, channel: str, variables: Mapping[str, Any], override: Override | None, fell_back: FellBack
) -> Words | None:
    """Return staff's words filled in; None where there are none, or where they cannot be filled in any more."""
    if override is None:
        return None
    try:
        return override.words.filled(kind, channel, {**variables, "items": _lines(variables.get("items", ()))})
    except MarkupFault as fault:
        fell_back(override, str(fault))
        return None


def _lines(items: Any) -> str:
    return "\n".join(f"* {title}\n  {text}" if text else f"* {title}" for title, text in items)


def _shown(kind: Kind, variables: Mapping[str, Any], locale: str, overrides: Overrides) -> tuple[str, str]:
    override = overrides.find(kind.code, IN_APP, locale)
    # Read by whoever opens their inbox, who shall not write for it.
    words = _worded(kind, IN_APP, variables, override, log_fallback)
    return (words.subject, words.text) if words else _shown_by_files(kind, variables, locale)


def _shown_by_files(kind: Kind, variables: Mapping[str, Any], locale: str) -> tuple[str, str]:
    with translation.override(locale):
        title = _subject(kind.code, variables)
        name = f"in_app/{kind.code}.txt"
        text = _fill(name, variables, autoescape=False).strip() if _exists(name) else ""
    return title, text


def _mail(words: Words, variables: Mapping[str, Any]) -> Words:
    # What `words` holds was escaped variable by variable, or is escaped here.
    body = mark_safe(words.html or linebreaks(words.text, autoescape=True))  # noqa: S308
    frame = {**variables, "subject": words.subject, "body": body}
    return Words(words.subject, f"{words.text}\n", _fill("emails/_wording.html", frame, autoescape=True))


def _mail_of_files(code: str, variables: Mapping[str, Any]) -> Words:
    return Words(
        _subject(code, variables),
        _fill(f"emails/{code}.txt", variables, autoescape=False),
        _fill(f"emails/{code}.html", variables, autoescape=True),
    )


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


def _file(name: str, variables: Mapping[str, Any], locale: str) -> str:
    with translation.override(locale):
        return _fill(name, variables, autoescape=False)


def _fill(name: str, variables: Mapping[str, Any], *, autoescape: bool) -> str:
    template: Any = get_template(name)
    rendered: str = template.template.render(Context(dict(variables), autoescape=autoescape))
    # A template's result is marked as safe HTML; stripping drops the mark, so that a page showing it escapes it.
    return f"{rendered.strip()}\n"
