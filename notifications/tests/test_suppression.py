"""What mail systems tell afterwards, over `/webhooks/in/mail`, and the list of addresses that are mailed no longer."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from standardwebhooks.webhooks import Webhook

from core.models import Event
from core.personal_data import personal_files
from notifications import services
from notifications.models import InboundWebhook, Message, SuppressedAddress, WebhookSource
from notifications.services import suppression
from notifications.services.webhooks.signing import new_secret
from notifications.status_codes import enhanced_code
from notifications.tests.smtp import SmtpSink

BrowserOf = Callable[[Any], Client]
Drain = Callable[..., int]
Events = Callable[..., list[Event]]
Tell = Callable[..., int]
LIST = "/admin/notifications/suppressedaddress/"


@pytest.fixture
def tell(db: None) -> Tell:
    """Say something as the mail system that staff have registered; returns the status."""
    secret = new_secret()
    WebhookSource.objects.create(key="mail", name="Mail", scheme="standard", secret=secret)

    def say(type_: str, message: Message | None, *, signed_with: str = secret, **more: Any) -> int:
        told = {"type": type_, "message_id": message.message_id if message else "<gone@example>", **more}
        body, now, id_ = json.dumps(told), datetime.now(UTC), f"msg_{uuid4()}"
        headers = {
            "webhook-id": id_,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(signed_with).sign(id_, now, body),
        }
        answer = Client().post("/api/v1/webhooks/in/mail", body, "application/json", headers=headers)
        return answer.status_code

    return say


def sent(drain: Drain, kind: str = "account.welcome", address: str = "Ada@example.com") -> Message:
    context = {"link": "https://nook.example/x?token=t"} if kind in suppression.ASKED_FOR_ON_THE_SPOT else {}
    message = services.send(kind, address=address, context=context)
    drain()
    message.refresh_from_db()
    return message


def listed() -> list[tuple[str, str, str]]:
    return list(SuppressedAddress.objects.order_by("created_at").values_list("address", "reason", "detail"))


def test_a_mail_that_has_arrived_is_delivered(tell: Tell, drain: Drain, events: Events) -> None:
    message = sent(drain)

    assert tell("mail.delivered", message) == 202
    drain()

    message.refresh_from_db()
    assert (message.state, listed()) == ("delivered", [])
    assert message.attempts.get().answer == "250 OK queued; mail.delivered"
    (event,) = events("notification.delivered")
    assert (event.subject_id, event.payload["after"]) == (str(message.id), {"state": "delivered"})


def test_a_mail_that_came_back_for_good_is_bounced_and_its_address_mailed_no_longer(
    tell: Tell, drain: Drain, events: Events, smtp_sink: SmtpSink
) -> None:
    message = sent(drain)

    for _ in range(2):
        assert tell("mail.bounced", message, permanent=True, detail="550 5.1.1 No such user") == 202
    drain()
    later = sent(drain, address="ada@EXAMPLE.com")

    message.refresh_from_db()
    assert message.state == "bounced"
    assert message.attempts.get().answer.startswith("250 OK queued; mail.bounced: 550 5.1.1 No such user")
    assert listed() == [("ada@example.com", "bounce", "550 5.1.1 No such user")]
    assert (later.state, len(smtp_sink.mails)) == ("suppressed", 1)
    assert later.attempts.get().answer == (
        "not sent: the address is on the suppression list (what was sent came back for good)"
    )
    (added,) = events("suppression.added")
    assert added.payload == {"reason": "bounce"}


@pytest.mark.parametrize("kind", sorted(suppression.ASKED_FOR_ON_THE_SPOT - {"account.phone_code"}))
def test_what_is_asked_for_on_the_spot_leaves_in_spite_of_a_bounce(
    kind: str, db: None, drain: Drain, smtp_sink: SmtpSink
) -> None:
    suppression.suppress("ada@example.com", reason="bounce", detail="")

    assert sent(drain, kind).state == "sent"
    assert len(smtp_sink.mails) == 1


def test_a_complaint_keeps_back_what_can_be_switched_off_and_nothing_else(
    tell: Tell, drain: Drain, smtp_sink: SmtpSink
) -> None:
    message = sent(drain)
    tell("mail.complained", message, detail="abuse")
    drain()

    message.refresh_from_db()
    assert (message.state, listed()) == ("delivered", [("ada@example.com", "complaint", "abuse")])
    assert sent(drain).state == "suppressed"
    assert sent(drain, "account.password_changed").state == "sent"


def test_a_mail_that_may_yet_arrive_changes_no_state_and_lists_nobody(tell: Tell, drain: Drain) -> None:
    message = sent(drain)
    tell("mail.bounced", message, permanent=False, detail="452 Full")
    drain()

    message.refresh_from_db()
    assert (message.state, listed()) == ("sent", [])
    assert message.attempts.get().answer == "250 OK queued; mail.bounced: 452 Full"


def test_what_came_back_is_not_delivered_by_news_that_is_late(tell: Tell, drain: Drain) -> None:
    message = sent(drain)
    tell("mail.bounced", message, permanent=True)
    drain()
    tell("mail.delivered", message)
    drain()

    message.refresh_from_db()
    assert message.state == "bounced"


def test_a_mail_that_is_forgotten_lists_the_recipient_that_it_names(tell: Tell, drain: Drain) -> None:
    tell("mail.bounced", None, permanent=True, recipient="Old@Example.com")
    tell("mail.bounced", None, permanent=True)
    drain()

    assert listed() == [("old@example.com", "bounce", "")]


def test_nobody_else_gets_an_address_onto_the_list(tell: Tell, drain: Drain) -> None:
    message = sent(drain)

    assert tell("mail.bounced", message, permanent=True, signed_with=new_secret()) == 401
    drain()

    message.refresh_from_db()
    assert (message.state, listed(), InboundWebhook.objects.count()) == ("sent", [], 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"permanent": "yes"},
        {"recipient": 7},
        {"detail": "x" * 301},
        {"detail": "\0"},
        {"message_id": ""},
        {"message_id": None},
        {"recipient": "nobody"},
    ],
)
def test_a_body_in_another_form_changes_nothing_and_fails_for_staff_to_see(
    wrong: dict[str, Any], tell: Tell, drain: Drain
) -> None:
    message = sent(drain)
    assert tell("mail.bounced", message, **{"permanent": True, **wrong}) == 202
    drain(ahead=timedelta(days=3))

    message.refresh_from_db()
    assert (message.state, listed()) == ("sent", [])
    assert InboundWebhook.objects.get().state == "failed"


def test_whoever_confirms_their_address_is_mailed_again(owner: Any, drain: Drain) -> None:
    suppression.suppress(owner.email.upper(), reason="bounce", detail="")
    suppression.suppress(owner.email, reason="complaint", detail="")
    suppression.suppress("other@example.com", reason="bounce", detail="")

    assert suppression.trust_proved_address(owner.pk) == 1
    assert suppression.trust_proved_address(uuid4()) == 0
    assert [(address, reason) for address, reason, _ in listed()] == [
        (owner.email, "complaint"),
        ("other@example.com", "bounce"),
    ]


def test_staff_find_an_address_and_take_it_off_the_list(
    admin: Any, browser_of: BrowserOf, events: Events, drain: Drain
) -> None:
    suppression.suppress("ada@example.com", reason="bounce", detail="550 No such user")
    suppression.suppress("bob@example.com", reason="complaint", detail="")
    browser = browser_of(admin)

    page = browser.get(LIST, {"q": "ADA@"}).content.decode()
    filtered = browser.get(LIST, {"reason": "complaint"}).content.decode()
    row = SuppressedAddress.objects.get(address="ada@example.com")
    done = browser.post(LIST, {"action": "mail_again", "_selected_action": [str(row.pk)]}, follow=True)

    assert "ada@example.com" in page and "bob@example.com" not in page  # noqa: PT018  # one page
    assert "bob@example.com" in filtered and "ada@example.com" not in filtered  # noqa: PT018  # as above
    assert "1 of 1 taken off the list." in done.content.decode()
    assert listed() == [("bob@example.com", "complaint", "")]
    (event,) = events("suppression.removed")
    assert event.actor == admin.pk
    assert sent(drain).state == "sent"


def test_staff_of_a_lesser_role_takes_nothing_off_the_list(moderator: Any, browser_of: BrowserOf) -> None:
    suppression.suppress("ada@example.com", reason="bounce", detail="")
    row = SuppressedAddress.objects.get()

    browser_of(moderator).post(LIST, {"action": "mail_again", "_selected_action": [str(row.pk)]})

    assert len(listed()) == 1


def test_a_person_is_handed_out_why_they_are_mailed_no_longer(owner: Any) -> None:
    suppression.suppress(owner.email, reason="bounce", detail="550 No such user")
    suppression.suppress("other@example.com", reason="bounce", detail="")

    files = {file.name: list(file.rows or ()) for file in personal_files(owner.pk)}

    (row,) = files["notifications/suppressed_addresses.json"]
    assert (row["address"], row["reason"]) == (owner.email, "bounce")


@pytest.mark.parametrize(
    ("answer", "is_listed"),
    [
        ("550 5.1.1 No such user", True),
        ("550 5.1.2 Bad destination system", True),
        ("556 5.1.10 The domain takes no mail", True),
        ("550 5.2.1 Disabled", True),
        ("550 5.7.1 Refused by policy", False),
        ("552 5.2.2 Full", False),
        ("550 No such user here", False),
        ("450 4.1.1 Greylisted", False),
    ],
)
@pytest.mark.django_db
def test_a_refusal_of_the_address_lists_it_and_one_of_the_mail_does_not(
    answer: str, is_listed: bool, drain: Drain, smtp_sink: SmtpSink
) -> None:
    smtp_sink.answers_to_rcpt.append(answer)

    message = sent(drain)

    assert message.state == ("queued" if answer.startswith("4") else "failed")
    assert listed() == ([("ada@example.com", "bounce", answer)] if is_listed else [])


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("550 5.1.1 x", "5.1.1"),
        ("smtp; 550 #5.1.1 x", "5.1.1"),
        ("550-5.1.1.2 x", ""),
        ("from 192.5.1.1 5", ""),
        ("", ""),
    ],
)
def test_only_a_status_code_is_read_as_one(answer: str, code: str) -> None:
    assert enhanced_code(answer) == code


def test_a_bounce_by_policy_says_nothing_against_the_address(tell: Tell, drain: Drain) -> None:
    message = sent(drain)
    tell("mail.bounced", message, permanent=True, detail="550 5.7.1 Refused by policy")
    drain()

    message.refresh_from_db()
    assert (message.state, listed()) == ("bounced", [])
