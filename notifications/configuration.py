"""Staff's wordings as configuration.

Webhooks are not: an endpoint is a person's, what follows its address is often the receiver's key, and one that was
made from a file would sign with a secret that nobody was shown.
"""

from collections.abc import Iterator
from typing import Final

from core.configuration import Document, Part, register
from core.errors import Detail, ValidationFailed
from core.permissions import Caller
from notifications.models import MessageTemplate
from notifications.overrides import Words
from notifications.services import message_templates
from notifications.services.message_templates import NewTemplate
from notifications.template_checks import faults_of

_KINDS: Final[dict[str, type]] = {
    "kind": str,
    "channel": str,
    "locale": str,
    "subject": str,
    "text": str,
    "html": str,
    "is_active": bool,
}
_PLACE: Final = ("kind", "channel", "locale")


class Templates(Part):
    """The wordings that stand before the files'."""

    name = "templates"
    key = "key"

    def stored(self) -> Iterator[Document]:
        for row in MessageTemplate.objects.order_by(*_PLACE):
            yield {"key": str(row), **{name: getattr(row, name) for name in _KINDS}}

    def complete(self, document: Document) -> Document:
        given = {name: value for name, value in document.items() if name != "key"}
        _refuse_other_members(given)
        blank = MessageTemplate()
        whole = {name: given.get(name, getattr(blank, name)) for name in _KINDS}
        faults = faults_of(whole["kind"], whole["channel"], whole["locale"], Words.of(NewTemplate(**whole)))
        if faults:
            raise ValidationFailed(details=faults)
        key = str(MessageTemplate(**{name: whole[name] for name in _PLACE}))
        if document.get("key", key) != key:
            raise ValidationFailed.of("key", "invalid", f"The key of this wording is {key!r}.")
        return {"key": key, **whole}

    def create(self, actor: Caller, document: Document) -> None:
        values = {name: document[name] for name in _KINDS}
        message_templates.create_template(actor=actor, new=NewTemplate(**values))

    def change(self, actor: Caller, key: str, changes: Document, *, force: bool) -> None:
        message_templates.change_template(actor=actor, template_id=_at(key).pk, changes=changes)

    def delete(self, actor: Caller, key: str) -> None:
        message_templates.delete_template(actor=actor, template_id=_at(key).pk)


def _refuse_other_members(given: Document) -> None:
    faults = [Detail(name, "unknown_field", "There is no such field.") for name in sorted(given.keys() - _KINDS)]
    faults += [
        Detail(name, "invalid_type", f"This is no {_KINDS[name].__name__}.")
        for name, value in given.items()
        if name in _KINDS and type(value) is not _KINDS[name]
    ]
    if faults:
        raise ValidationFailed(details=faults)


def _at(key: str) -> MessageTemplate:
    return next(row for row in MessageTemplate.objects.all() if str(row) == key)


register(Templates())
