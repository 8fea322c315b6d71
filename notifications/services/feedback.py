"""What mail systems tell afterwards: a mail has arrived, came back, or was called unwanted."""

from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction

from core.events import publish
from core.permissions import SYSTEM
from notifications.models import BOUNCED, DELIVERED, EMAIL, SENT, Message, MessageAttempt
from notifications.models.suppressions import BOUNCE, COMPLAINT
from notifications.services.suppression import normal_address, suppress
from notifications.status_codes import is_policy

SOURCE: Final = "mail"
ARRIVED: Final = "mail.delivered"
CAME_BACK: Final = "mail.bounced"
UNWANTED: Final = "mail.complained"
_SHORTEST_ID: Final = 8
_LONGEST: Final = {"message_id": 255, "recipient": 320, "detail": 300}


@dataclass(frozen=True, slots=True)
class Feedback:
    """What became of one mail."""

    type: str
    message_id: str
    recipient: str = ""
    is_permanent: bool = False
    detail: str = ""
    is_against_address: bool = True
    """Whether what came back says that the address is no good; else it was what was said, or who said it."""
    provider_id: str = ""
    """What the provider calls this sending of the mail, as it said when it took it: the Message-ID is the same on each
    try. Empty where it has no name of its own for it."""

    @classmethod
    def read(cls, told: Any, *, is_against_address: bool = True, provider_id: str = "") -> "Feedback":
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
        return cls(
            told["type"],
            message_id,
            normal_address(texts["recipient"]),
            bool(is_permanent),
            texts["detail"],
            is_against_address and not is_policy(texts["detail"]),
            provider_id,
        )

    @property
    def lists_as(self) -> str:
        """Return for which reason the address is to be mailed no longer; empty where for none."""
        if self.type == UNWANTED:
            return COMPLAINT
        return BOUNCE if self.type == CAME_BACK and self.is_permanent and self.is_against_address else ""


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
    if address and feedback.lists_as:
        suppress(address, reason=feedback.lists_as, detail=feedback.detail)
    return message is not None


def _note(message: Message, feedback: Feedback) -> None:
    """Write it down with the attempt that it is about; a state only moves forward, and what was told is told once.

    Of an attempt of before the mail was sent again nothing is told any more.
    """
    attempt = _attempt_of(message, feedback)
    told = f"{feedback.type}: {feedback.detail}".rstrip(": ")
    is_over = attempt is not None and attempt.number < message.first_attempt_at_hand
    before = message.state
    after = before if is_over else _state_after(before, feedback)
    is_new = attempt is None or note_answer(attempt, told)
    if is_over or (not is_new and after == before):
        return
    if after != before:
        Message.objects.filter(pk=message.pk).update(state=after)
    data = {"kind": message.kind, "permanent": feedback.is_permanent, "before": {"state": before}}
    changed = {**data, "after": {"state": after}}
    if feedback.type == ARRIVED:
        publish("notification.delivered", subject=message, actor=SYSTEM, data=changed)
    elif feedback.type == CAME_BACK:
        publish("notification.bounced", subject=message, actor=SYSTEM, data=changed)
    else:
        publish("notification.complained", subject=message, actor=SYSTEM, data=changed)


def _attempt_of(message: Message, feedback: Feedback) -> MessageAttempt | None:
    """Return the attempt at which the provider called the mail so; where none shows it, the last one."""
    attempts = message.attempts.order_by("-number")
    named = None
    if len(feedback.provider_id) >= _SHORTEST_ID:
        named = attempts.filter(answer__contains=feedback.provider_id).first()
    return named or attempts.first()


def note_answer(attempt: MessageAttempt, told: str) -> bool:
    """Add what was told afterwards to the attempt's answer; return False where it stands there already."""
    if told in attempt.answer.split("; "):
        return False
    attempt.answer = f"{attempt.answer[: 998 - len(told)]}; {told}".removeprefix("; ")
    attempt.save(update_fields=["answer"])
    return True


def _state_after(state: str, feedback: Feedback) -> str:
    if feedback.type == CAME_BACK and feedback.is_permanent and state in {SENT, DELIVERED}:
        return BOUNCED
    if feedback.type in {ARRIVED, UNWANTED} and state == SENT:
        return DELIVERED
    return state
