"""A message's subject, text and HTML from its kind's templates."""

from typing import Any

from django.conf import settings
from django.template import Context
from django.template.loader import get_template
from django.utils import translation

from notifications.channels import Outgoing
from notifications.kinds import kind_of
from notifications.models import SMS, Message


def render(message: Message) -> Outgoing:
    """Return the message as its channel sends it; raises `UnknownKind` and `TemplateDoesNotExist`."""
    variables = {
        **dict.fromkeys(kind_of(message.kind).optional, ""),
        **message.context,
        "address": message.address,
        "site_name": settings.SITE_NAME,
        "public_url": settings.PUBLIC_URL,
    }
    with translation.override(message.locale):
        if message.channel == SMS:
            text = _fill(f"sms/{message.kind}.txt", variables, autoescape=False)
            return Outgoing(message_id=message.message_id, address=message.address, subject="", text=text)
        subject = _fill(f"emails/{message.kind}.subject.txt", variables, autoescape=False)
        return Outgoing(
            message_id=message.message_id,
            address=message.address,
            # One line whatever the variables hold: a subject with a line break would start a new header.
            subject=" ".join(subject.split()),
            text=_fill(f"emails/{message.kind}.txt", variables, autoescape=False),
            html=_fill(f"emails/{message.kind}.html", variables, autoescape=True),
        )


def _fill(name: str, variables: dict[str, Any], *, autoescape: bool) -> str:
    template: Any = get_template(name)
    rendered: str = template.template.render(Context(variables, autoescape=autoescape))
    # A template's result is marked as safe HTML; stripping drops the mark, so that a page showing it escapes it.
    return f"{rendered.strip()}\n"
