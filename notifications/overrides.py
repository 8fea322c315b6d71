"""Which wording of staff's stands before a file's, read once for each request and message, and parsed once.

What was read is kept in the process under a digest of all ids and versions, which is asked for anew every time: one
small statement, and nothing that was changed is served after it.
"""

from dataclasses import dataclass
from typing import Any, Final

from core.plans import Statement
from notifications.channels import CHANNELS
from notifications.kinds import DIGEST, Kind
from notifications.markup import read
from notifications.models import EMAIL, IN_APP, MessageTemplate

_STAMP: Final = Statement(
    "SELECT coalesce(md5(string_agg(id::text || ':' || version, ',' ORDER BY id)), '') FROM message_templates"
)
_EVERYWHERE: Final = frozenset({"site_name", "public_url"})
_OUTSIDE: Final = frozenset({"name", "address", "unsubscribe_url"})


@dataclass(frozen=True, slots=True)
class Words:
    """The parts of a text: subject (or title in the inbox), text, and HTML of a mail; as written, or filled in."""

    subject: str = ""
    text: str = ""
    html: str = ""

    @classmethod
    def of(cls, row: Any) -> "Words":
        """Return the parts of a template or of a version of one."""
        return cls(row.subject, row.text, row.html)

    def filled(self, kind: Kind, channel: str, values: dict[str, Any]) -> "Words":
        """Return the parts with the values in them; raises `MarkupFault` where one cannot be taken."""
        variables = variables_of(kind, channel)
        subject = read(self.subject, variables=variables).fill(values)
        # One line whatever the variables hold: a subject with a line break would start a new header.
        return Words(
            " ".join(subject.split()),
            read(self.text, variables=variables).fill(values).strip(),
            read(self.html, variables=variables, is_html=True).fill(values).strip(),
        )


@dataclass(frozen=True, slots=True)
class Override:
    """One wording of staff's that is in use."""

    template_id: Any
    version: int
    words: Words


@dataclass(frozen=True, slots=True)
class Overrides:
    """All wordings in use at one moment, by kind, channel and language."""

    stamp: str
    by_place: dict[tuple[str, str, str], Override]

    def find(self, kind: str, channel: str, locale: str) -> Override | None:
        """Return the wording for this language, else for the language without its region, else for everybody."""
        tag = locale.lower()
        for wanted in (tag, tag.partition("-")[0], ""):
            found = self.by_place.get((kind, channel, wanted))
            if found is not None:
                return found
        return None


_kept = Overrides("", {})


def current_overrides() -> Overrides:
    """Return the wordings that are in use now."""
    global _kept
    row = _STAMP.fetch({})
    stamp = (row[0] or b"").decode() if row else ""
    kept = _kept
    if stamp != kept.stamp:
        # Read after the stamp: what came in between is read again under the next one, never missed.
        rows = MessageTemplate.objects.filter(is_active=True)
        _kept = kept = Overrides(stamp, {(row.kind, row.channel, row.locale): _override(row) for row in rows})
    return kept


def _override(row: MessageTemplate) -> Override:
    return Override(row.pk, row.version, Words.of(row))


def channels_of(kind: Kind) -> tuple[str, ...]:
    """Return the channels on which the kind has words of its own; push shows those of the inbox."""
    return tuple(name for name in kind.all_channels if name == IN_APP or not _shows_inbox_text(name))


def variables_of(kind: Kind, channel: str) -> frozenset[str]:
    """Return the names that can stand in the words of the kind on this channel."""
    names = kind.variables | _EVERYWHERE
    if channel != IN_APP:
        names |= _OUTSIDE
    return names | {"items"} if kind.code == DIGEST else names


def has_subject(channel: str) -> bool:
    """Return whether words on this channel have a subject (or a title)."""
    return channel == IN_APP or has_html(channel)


def has_html(channel: str) -> bool:
    """Return whether words on this channel have an HTML part."""
    return channel == EMAIL or (channel in CHANNELS and CHANNELS[channel].has_parts)


def _shows_inbox_text(name: str) -> bool:
    return name in CHANNELS and CHANNELS[name].shows_inbox_text
