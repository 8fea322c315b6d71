"""What people answer to our text messages: STOP, and START once they think better of it.

The provider has done the same by then for the number that they answered to, and answers HELP itself; here it keeps our
list in step, so that nothing is offered in vain, and staff see why. The words are Twilio's, or its verdict where a
messaging service knows words of its own (`OptOutType`).
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

from django.conf import settings

from core.permissions import SYSTEM
from notifications.models.inbound import ANSWERS_TO_TEXTS
from notifications.models.suppressions import COMPLAINT, SuppressedAddress
from notifications.services.suppression import mail_again, normal_address, suppress

STOP: Final = "STOP"
START: Final = "START"

_WORDS: Final = {
    **dict.fromkeys(("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT"), STOP),
    **dict.fromkeys(("START", "YES", "UNSTOP"), START),
}


@dataclass(frozen=True, slots=True)
class TextAnswer:
    """One text message to us."""

    number: str
    to: str
    service: str
    word: str
    """What it says, in capitals, where it is one word that may mean something."""
    means: str
    """STOP, START, or nothing."""

    @classmethod
    def read(cls, body: bytes) -> "TextAnswer":
        """Return what the form says; raises `ValueError` for one that names no number."""
        form = {name: values[-1] for name, values in parse_qs(body.decode()).items()}
        number = form.get("From", "")
        if not number:
            raise ValueError("a text message comes from somewhere")
        word = form.get("Body", "").strip().upper()
        verdict = form.get("OptOutType", "").upper()
        means = verdict if verdict in {STOP, START} else _WORDS.get(word, "")
        return cls(number, form.get("To", ""), form.get("MessagingServiceSid", ""), word[:40], means)


def hear_answer(answer: TextAnswer) -> bool:
    """Put the number on the suppression list, or take it off; return whether that changed anything.

    START takes back a STOP, and nothing else: a number that is no good stays on the list.
    """
    if not answer.means or not _is_to_us(answer):
        return False
    if answer.means == STOP:
        return suppress(answer.number, reason=COMPLAINT, detail=f"{ANSWERS_TO_TEXTS}: {answer.word}")
    stopped = SuppressedAddress.objects.filter(address=normal_address(answer.number), reason=COMPLAINT)
    return mail_again(ids=stopped.values_list("pk", flat=True), actor=SYSTEM) > 0


def _is_to_us(answer: TextAnswer) -> bool:
    """Return whether it answers what we send: an account may have numbers that others send from."""
    service, sender = settings.SMS.get("messaging_service", ""), settings.SMS.get("sender", "")
    return bool(service and answer.service == service) or bool(sender and answer.to == sender)
