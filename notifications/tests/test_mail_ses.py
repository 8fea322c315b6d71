"""What SES tells over SNS and `/webhooks/in/mail`, and the handshake before it."""

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from pytest_django import Settings

from core.permissions import SYSTEM
from notifications import services
from notifications.models import InboundWebhook, SuppressedAddress
from notifications.tests.mail_steps import (
    ADDRESS,
    EXPECTED,
    LATER,
    NO_SUCH_USER,
    POLICY,
    Drain,
    by_password,
    outcome,
    sent,
    source,
    tell,
)
from notifications.tests.smtp import SmtpSink
from notifications.tests.sns import HOST, TOPIC, Sns

FIRST_ID = "0000014a-f896-4c07-b698-2a3c8e3b4d2c"


def ses(what: str, message_id: str) -> dict[str, Any]:
    mail = {
        "messageId": FIRST_ID,
        "destination": [ADDRESS],
        "headers": [{"name": "From", "value": "nook@example.com"}, {"name": "Message-ID", "value": message_id}],
    }
    person = {"emailAddress": f"Ada <{ADDRESS}>"}
    bounced = {**person, "action": "failed", "status": "5.1.1", "diagnosticCode": f"smtp; {NO_SUCH_USER}"}
    report = {
        "arrived": {"notificationType": "Delivery", "delivery": {"recipients": [ADDRESS], "smtpResponse": "250 OK"}},
        "bounced": {
            "notificationType": "Bounce",
            "bounce": {"bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": [bounced]},
        },
        "policy": {
            "eventType": "Bounce",
            "bounce": {
                "bounceType": "Permanent",
                "bouncedRecipients": [{**person, "status": "5.7.1", "diagnosticCode": POLICY}],
            },
        },
        "later": {"eventType": "Bounce", "bounce": {"bounceType": "Transient", "bouncedRecipients": [person]}},
        "unwanted": {
            "notificationType": "Complaint",
            "complaint": {"complainedRecipients": [person], "complaintFeedbackType": "abuse"},
        },
        "opened": {"eventType": "Open", "open": {}},
    }[what]
    return {"Type": "Notification", "Message": json.dumps({**report, "mail": mail})}


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("what", EXPECTED)
@pytest.mark.django_db
def test_ses_tells(what: str, version: str, drain: Drain, sns: Sns) -> None:
    source("sns", TOPIC)
    message = sent(drain)
    told = sns.signed(ses(what, message.message_id), version=version)

    first = tell(told, {}, "text/plain; charset=UTF-8")
    again = tell(told, {}, "text/plain; charset=UTF-8")
    drain()

    assert (first.status_code, again.json()["data"]["duplicate"]) == (202, True)
    assert outcome(message) == EXPECTED[what]
    assert sns.asked == ["/SimpleNotificationService-0123abcd.pem"]


@pytest.mark.django_db
def test_what_ses_tells_of_a_mail_of_before_it_was_sent_again_settles_nothing(
    drain: Drain, sns: Sns, smtp_sink: SmtpSink
) -> None:
    source("sns", TOPIC)
    smtp_sink.answers_to_data.extend([f"250 Ok {FIRST_ID}", "250 Ok 0000014a-of-the-second"])
    message = sent(drain)
    services.resend(message_ids=[message.pk], actor=SYSTEM)
    drain()

    tell(sns.signed(ses("bounced", message.message_id)), {}, "text/plain; charset=UTF-8")
    drain()

    assert outcome(message) == ("sent", [(ADDRESS, "bounce")])
    first, second = message.attempts.order_by("number").values_list("answer", flat=True)
    assert (first.partition("; ")[2], second) == (
        f"mail.bounced: 5.1.1 smtp; {NO_SUCH_USER}",
        "250 Ok 0000014a-of-the-second",
    )

    told = {**ses("arrived", message.message_id), "MessageId": "another"}
    told["Message"] = told["Message"].replace(FIRST_ID, "0000014a-of-the-second")
    tell(sns.signed(told), {}, "text/plain; charset=UTF-8")
    drain()
    assert outcome(message)[0] == "delivered"


@pytest.mark.parametrize(
    "wrong",
    [
        {"TopicArn": TOPIC + "-of-another"},
        {"Message": "{}"},
        {"Signature": base64.b64encode(b"x" * 256).decode()},
        {"Signature": "no base64"},
        {"SignatureVersion": "3"},
        {"Type": "Other"},
        {"Timestamp": "2020-01-01T00:00:00.000Z"},
        {"SigningCertURL": f"https://{HOST}.evil.example/SimpleNotificationService-0123abcd.pem"},
        {"SigningCertURL": f"http://{HOST}/SimpleNotificationService-0123abcd.pem"},
        {"SigningCertURL": f"https://user@{HOST}/SimpleNotificationService-0123abcd.pem"},
        {"SigningCertURL": f"https://{HOST}:444/SimpleNotificationService-0123abcd.pem"},
        {"SigningCertURL": f"https://{HOST}/../x.pem"},
        {"SigningCertURL": "https://s3.amazonaws.com/SimpleNotificationService-0123abcd.pem"},
        {"SigningCertURL": "https://sns.s3-us-west-2.amazonaws.com/SimpleNotificationService-0123abcd.pem"},
        {"SigningCertURL": "https://sns.eu-west-2.amazonaws.com/SimpleNotificationService-0123abcd.pem"},
        {"SigningCertURL": None},
    ],
    ids=str,
)
@pytest.mark.django_db
def test_what_sns_has_not_signed_changes_nothing(wrong: dict[str, Any], drain: Drain, sns: Sns) -> None:
    source("sns", TOPIC)
    message = sent(drain)

    answer = tell({**sns.signed(ses("bounced", message.message_id)), **wrong}, {})
    drain()

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "INVALID_SIGNATURE")
    assert (outcome(message), InboundWebhook.objects.count()) == (LATER, 0)
    assert not any(path != "/SimpleNotificationService-0123abcd.pem" for path in sns.asked)


def handshake(url: str) -> dict[str, Any]:
    return {"Type": "SubscriptionConfirmation", "Token": "2336412f37", "Message": "Confirm", "SubscribeURL": url}


@pytest.mark.django_db
def test_the_handshake_of_a_topic_is_answered_at_sns_and_nowhere_else(drain: Drain, sns: Sns) -> None:
    source("sns", TOPIC)
    path = f"/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37"
    good, bad = (
        sns.signed(handshake(f"https://{HOST}{path}")),
        sns.signed({**handshake(f"https://127.0.0.1:{sns.server_port}/"), "MessageId": "another"}),
    )

    assert [tell(told, {}).status_code for told in (good, bad)] == [202, 202]
    drain(ahead=timedelta(days=3))

    assert sns.asked == ["/SimpleNotificationService-0123abcd.pem", path]
    assert dict(InboundWebhook.objects.values_list("event_id", "state")) == {
        good["MessageId"]: "handled",
        "another": "failed",
    }


@pytest.mark.django_db
def test_a_host_of_sns_that_leads_into_our_own_network_is_not_asked(drain: Drain, sns: Sns, settings: Settings) -> None:
    settings.OUTBOUND_ALLOWED_HOSTS = []
    source("sns", TOPIC)
    message = sent(drain)

    answer = tell(sns.signed(ses("bounced", message.message_id)), {})

    # SNS offers a message again after a 503, and not after a 401.
    assert (answer.status_code, answer["Retry-After"], sns.asked) == (503, "5", [])
    assert (outcome(message), InboundWebhook.objects.count()) == (LATER, 0)


@pytest.mark.parametrize(
    ("scheme", "body"),
    [("sns", {"Type": "Notification", "Message": "[]"}), ("postmark", {"RecordType": "Bounce"})],
)
@pytest.mark.django_db
def test_another_form_fails_for_staff_to_see(scheme: str, body: dict[str, Any], drain: Drain, sns: Sns) -> None:
    source(scheme, TOPIC if scheme == "sns" else "nook:of-postmark")
    headers = {} if scheme == "sns" else by_password("nook:of-postmark")

    assert tell(sns.signed(body) if scheme == "sns" else body, headers).status_code == 202
    drain(ahead=timedelta(days=3))

    assert (InboundWebhook.objects.get().state, SuppressedAddress.objects.count()) == ("failed", 0)
