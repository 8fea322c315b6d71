"""What stands against a wording: everything that could go wrong when it is sent is said when it is saved."""

import re
from collections.abc import Iterator
from typing import Final

from core.errors import Detail
from notifications.kinds import KINDS, Kind
from notifications.markup import Markup, MarkupFault, read
from notifications.models import IN_APP
from notifications.models.templates import MOST_SUBJECT
from notifications.overrides import Words, channels_of, has_html, has_subject, variables_of
from notifications.samples import samples_of

_LOCALE: Final = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*", re.ASCII)
_MOST_LOCALE: Final = 35


def faults_of(kind_code: str, channel: str, locale: str, words: Words) -> list[Detail]:
    """Return what is wrong with this wording at this place; nothing where it can be used."""
    kind = KINDS.get(kind_code)
    if kind is None:
        return [Detail("kind", "unknown_kind", f"There is no kind {kind_code[:60]!r}.")]
    if channel not in channels_of(kind):
        told = f"{kind.code} has no words of its own on {channel[:30]!r}; it has on {', '.join(channels_of(kind))}."
        return [Detail("channel", "unknown_channel", told)]
    faults = [*_in_place(locale), *_in_parts(channel, words)]
    return faults or [*_in_markup(kind, channel, words)] or [*_in_result(kind, channel, words)]


def _in_place(locale: str) -> Iterator[Detail]:
    if locale and (len(locale) > _MOST_LOCALE or not _LOCALE.fullmatch(locale)):
        yield Detail("locale", "unknown_locale", "Give a language tag such as en or pt-br; empty for every language.")


def _in_parts(channel: str, words: Words) -> Iterator[Detail]:
    if has_subject(channel):
        if not words.subject.strip():
            yield Detail("subject", "required", "A subject has to be there.")
        if len(words.subject) > MOST_SUBJECT:
            yield Detail("subject", "too_long", f"A subject has at most {MOST_SUBJECT} characters.")
        if len(words.subject.splitlines()) > 1:
            yield Detail("subject", "line_break", "A subject is one line.")
    elif words.subject:
        yield Detail("subject", "not_here", "There is no subject on this channel.")
    if channel != IN_APP and not words.text.strip():
        yield Detail("text", "required", "The text has to be there.")
    if words.html and not has_html(channel):
        yield Detail("html", "not_here", "There is no HTML on this channel.")


def _in_markup(kind: Kind, channel: str, words: Words) -> Iterator[Detail]:
    for part in ("subject", "text", "html"):
        try:
            markup = read(getattr(words, part), variables=variables_of(kind, channel), is_html=part == "html")
        except MarkupFault as fault:
            yield Detail(part, "invalid_template", str(fault))
        else:
            if kind.is_security and channel != IN_APP and part != "subject" and getattr(words, part):
                yield from _left_out(kind, part, markup)


def _left_out(kind: Kind, part: str, markup: Markup) -> Iterator[Detail]:
    """Yield what a message about somebody's safety has to say, and would not in every case."""
    for name in sorted(kind.required - markup.certain):
        told = f"{{{{ {name} }}}} has to stand here, in every case: it is what this message is for."
        yield Detail(part, "left_out", told)


def _in_result(kind: Kind, channel: str, words: Words) -> Iterator[Detail]:
    everything = samples_of(kind, channel)
    least = {name: value for name, value in everything.items() if name in kind.required or name == "site_name"}
    for values in (everything, least):
        try:
            filled = words.filled(kind, channel, values)
        except MarkupFault as fault:
            yield Detail("text", "invalid_template", str(fault))
            return
        for part in ("subject", "text", "html"):
            if getattr(words, part) and not getattr(filled, part):
                missing = "" if values is everything else " when no optional variable is there"
                yield Detail(part, "empty", f"Nothing is left of it{missing}.")
                return
