"""What mail systems tell afterwards: a mail has arrived, came back, or was called unwanted."""

from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction

from core.events import publish
from core.permissions import SYSTEM
from notifications.models import BOUNCED, DELIVERED, EMAIL, SENT, Message
from notifications.models.suppressions import BOUNCE, COMPLAINT
from notifications.services.suppression import normal_address, suppress

SOURCE: Final = "mail"
ARRIVED: Final = "mail.delivered"
CAME_BACK: Final = "mail.bounced"
UNWANTED: Final = "mail.complained"
_LONGEST: Final = {"message_id": 255, "recipient": 320, "detail": 300}


@dataclass(frozen=True, slots=True)
class Feedback:
    """What became of one mail."""

    type: str
    message_id: str
    recipient: str = ""
    is_permanent: bool = False
    detail: str = ""

    @classmethod
    def read(cls, told: Any) -> "Feedback":
        """Return what the body says; raises `ValueError` for one that says it in another form."""
        if not isinstance(told, dict) or told.get("type") not in {ARRIVED, CAME_BACK, UNWANTED}:
            raise ValueError(f"give an object with the type {ARRIVED}, {CAME_BACK} or {UNWANTED}")
        texts = {name: told.get(name, "") for name in _LONGEST}
        for name, text in texts.items():
            if not isinstance(text, str) or len(text) > _LONGEST[name] or "\0" in text:
                raise ValueError(f"{name} is a text of at most {_LONGEST[name]} letters")
        is_permanent = told.get("permanent", False)
        if is_permanent not in (True, False):
            raise ValueError("permanent is true or false")
        if not texts["message_id"] or "@" not in (texts["recipient"] or "@"):
            raise ValueError("give the message_id, and a recipient that is an address or none")
        message_id = f"<{texts['message_id'].strip().strip('<>')}>"
        return cls(told["type"], message_id, normal_address(texts["recipient"]), bool(is_permanent), texts["detail"])


@transaction.atomic
def hear(feedback: Feedback) -> bool:
    """Move the mail's state, and list an address that is to be mailed no longer; return whether the mail is known.

    What concerns no mail of ours (any more) lists the recipient that it names, for its sender has proved itself.
    """
    mails = Message.objects.select_for_update(of=("self",)).filter(channel=EMAIL, message_id=feedback.message_id)
    message = mails.first()
    if message is not None:
        _note(message, feedback)
    address = message.address if message is not None else feedback.recipient
    if address and feedback.type == UNWANTED:
        suppress(address, reason=COMPLAINT, detail=feedback.detail)
    elif address and feedback.type == CAME_BACK and feedback.is_permanent:
        suppress(address, reason=BOUNCE, detail=feedback.detail)
    return message is not None


def _note(message: Message, feedback: Feedback) -> None:
    """Write it down with the attempt that it is about; a state only moves forward."""
    before, after = message.state, _state_after(message.state, feedback)
    if after != before:
        Message.objects.filter(pk=message.pk).update(state=after)
    attempt = message.attempts.order_by("-number").first()
    if attempt is not None:
        told = f"; {feedback.type}: {feedback.detail}".rstrip(": ")
        attempt.answer = f"{attempt.answer[: 1000 - len(told)]}{told}"
        attempt.save(update_fields=["answer"])
    data = {"kind": message.kind, "permanent": feedback.is_permanent, "before": {"state": before}}
    changed = {**data, "after": {"state": after}}
    if feedback.type == ARRIVED:
        publish("notification.delivered", subject=message, actor=SYSTEM, data=changed)
    elif feedback.type == CAME_BACK:
        publish("notification.bounced", subject=message, actor=SYSTEM, data=changed)
    else:
        publish("notification.complained", subject=message, actor=SYSTEM, data=changed)


def _state_after(state: str, feedback: Feedback) -> str:
    if feedback.type == CAME_BACK and feedback.is_permanent and state in {SENT, DELIVERED}:
        return BOUNCED
    if feedback.type in {ARRIVED, UNWANTED} and state == SENT:
        return DELIVERED
    return state
