"""What SES, Postmark, SendGrid and Mailgun tell over `/webhooks/in/mail`, each signed as it has published it."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pytest_django import Settings

from notifications.models import InboundWebhook, WebhookSource
from notifications.services.inbound.proofs import Incoming
from notifications.services.inbound.provider_schemes import is_sendgrids, sendgrid_key
from notifications.tests.mail_steps import (
    ADDRESS,
    BOUNCED,
    EXPECTED,
    LATER,
    NO_SUCH_USER,
    POLICY,
    REFUSED_BY_POLICY,
    Drain,
    Headers,
    by_password,
    outcome,
    sent,
    source,
    tell,
)
from notifications.tests.names import lead_here
from notifications.tests.smtp import SmtpSink

# Postmark


def postmark(what: str, message_id: str) -> dict[str, Any]:
    told = {"MessageID": "883953f4-6105-42a2-a16a-77a8eac79483", "Metadata": {"message-id": message_id.strip("<>")}}
    return {
        "arrived": {**told, "RecordType": "Delivery", "Recipient": ADDRESS, "Details": "250 OK"},
        "bounced": {**told, "RecordType": "Bounce", "Type": "HardBounce", "Email": ADDRESS, "Details": NO_SUCH_USER},
        "policy": {**told, "RecordType": "Bounce", "Type": "HardBounce", "Email": ADDRESS, "Details": POLICY},
        "later": {**told, "RecordType": "Bounce", "Type": "SoftBounce", "Email": ADDRESS, "Description": "Full"},
        "unwanted": {**told, "RecordType": "SpamComplaint", "Email": ADDRESS},
        "opened": {**told, "RecordType": "Open", "Recipient": ADDRESS},
    }[what]


@pytest.mark.parametrize("what", EXPECTED)
@pytest.mark.django_db
def test_postmark_tells(what: str, drain: Drain) -> None:
    source("postmark", "nook:of-postmark")
    message = sent(drain)

    for _ in range(2):
        assert tell(postmark(what, message.message_id), by_password("nook:of-postmark")).status_code == 202
    drain()

    assert outcome(message) == EXPECTED[what]


@pytest.mark.django_db
def test_postmark_is_not_whoever_has_another_password(drain: Drain) -> None:
    source("postmark", "nook:of-postmark")
    message = sent(drain)

    answers = [tell(postmark("bounced", message.message_id), headers) for headers in ({}, by_password("nook:guessed"))]

    assert [answer.status_code for answer in answers] == [401, 401]
    assert (outcome(message), InboundWebhook.objects.count()) == (LATER, 0)


@pytest.mark.django_db
def test_a_mail_through_postmark_carries_its_name_along(
    drain: Drain, settings: Settings, smtp_sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = settings.MAIL["port"]
    settings.MAIL = {**settings.MAIL, "host": "smtp.postmarkapp.com"}
    lead_here(monkeypatch, "smtp.postmarkapp.com", port)

    message = sent(drain)

    (mail,) = smtp_sink.mails
    assert (mail["X-PM-KeepID"], mail["X-PM-Metadata-message-id"]) == ("true", message.message_id.strip("<>"))


# SendGrid


def sendgrid(what: str, message_id: str) -> list[dict[str, Any]]:
    told = {"email": ADDRESS, "timestamp": 1513299569, "smtp-id": message_id, "sg_event_id": "ZGVsaXZlcmVkLTA"}
    account = {"event": "account_status_change", "type": "compliance_suspend", "timestamp": 1513299569}
    return {
        "arrived": [{**told, "event": "processed"}, {**told, "event": "delivered", "response": "250 OK"}],
        "bounced": [account, {**told, "event": "bounce", "type": "bounce", "status": "5.1.1", "reason": NO_SUCH_USER}],
        "policy": [{**told, "event": "bounce", "type": "bounce", "status": "5.7.1", "reason": POLICY}],
        "later": [{**told, "event": "bounce", "type": "blocked", "reason": "450 Try again"}],
        "unwanted": [{**told, "event": "delivered"}, {**told, "event": "spamreport"}],
        "opened": [{**told, "event": "open"}],
        "dropped": [{**told, "event": "dropped", "reason": "Bounced Address"}],
        "not tried": [{**told, "event": "dropped", "reason": "Unsubscribed Address"}],
    }[what]


@pytest.fixture(scope="module")
def sendgrids() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def shown(key: ec.EllipticCurvePrivateKey) -> str:
    """Return the public key as SendGrid's page shows it."""
    return base64.b64encode(
        key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    ).decode()


def by_sendgrid(key: ec.EllipticCurvePrivateKey, body: bytes, *, at: float | None = None) -> Headers:
    sent_at = str(int(at or time.time()))
    signature = key.sign(sent_at.encode() + body, ec.ECDSA(hashes.SHA256()))
    return {
        "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
        "X-Twilio-Email-Event-Webhook-Timestamp": sent_at,
    }


@pytest.mark.parametrize("what", [*EXPECTED, "dropped", "not tried"])
@pytest.mark.django_db
def test_sendgrid_tells(what: str, drain: Drain, sendgrids: ec.EllipticCurvePrivateKey) -> None:
    source("sendgrid", shown(sendgrids))
    message = sent(drain)
    body = json.dumps(sendgrid(what, message.message_id)).encode()

    assert tell(body, by_sendgrid(sendgrids, body)).status_code == 202
    drain()

    assert outcome(message) == (EXPECTED | {"dropped": BOUNCED, "not tried": REFUSED_BY_POLICY})[what]


@pytest.mark.django_db
def test_sendgrid_is_not_whoever_has_another_key_or_is_late(
    drain: Drain, sendgrids: ec.EllipticCurvePrivateKey
) -> None:
    source("sendgrid", shown(sendgrids))
    message = sent(drain)
    body = json.dumps(sendgrid("bounced", message.message_id)).encode()
    signed = by_sendgrid(sendgrids, body)

    answers = [
        tell(body, by_sendgrid(ec.generate_private_key(ec.SECP256R1()), body)),
        tell(body, by_sendgrid(sendgrids, body, at=time.time() - 301)),
        tell(body + b" ", signed),
        tell(body, {**signed, "X-Twilio-Email-Event-Webhook-Signature": "no base64"}),
        tell(body, {}),
    ]

    assert [answer.status_code for answer in answers] == [401] * 5
    assert (outcome(message), InboundWebhook.objects.count()) == (LATER, 0)


def test_sendgrid_is_read_as_its_own_library_has_it() -> None:
    key = (
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEDr2LjtURuePQzplybdC+u4CwrqDqBaWjcMMsTbhdbcwHBcepxo7yAQGhHPTnlvFYPAZFceEu"
        "/1FwCM/QmGUhA=="
    )
    headers = {
        "x-twilio-email-event-webhook-signature": (
            "MEUCIQCtIHJeH93Y+qpYeWrySphQgpNGNr/U+UyUlBkU6n7RAwIgJTz2C+8a8xonZGi6BpSzoQsbVRamr2nlxFDWYNH2j/0="
        ),
        "x-twilio-email-event-webhook-timestamp": "1588788367",
    }
    body = b'{"category":"example_payload","event":"test_event","message_id":"message_id"}'
    long_ago = WebhookSource(scheme="sendgrid", tolerance_seconds=int(time.time()))

    assert is_sendgrids(long_ago, key, Incoming(headers, body))
    assert not is_sendgrids(long_ago, key, Incoming(headers, body.replace(b"test", b"tost")))
    assert sendgrid_key(f"-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----") == sendgrid_key(key)


# Mailgun


def mailgun(what: str, message_id: str, *, key: str = "key-1", token: str = "t" * 50, at: float = 0) -> dict[str, Any]:
    sent_at = str(int(at or time.time()))
    signature = hmac.new(key.encode(), f"{sent_at}{token}".encode(), hashlib.sha256).hexdigest()
    told = {"recipient": ADDRESS, "message": {"headers": {"message-id": message_id.strip("<>")}}}
    events: dict[str, dict[str, Any]] = {
        "arrived": {"event": "delivered", "delivery-status": {"code": 250, "message": "OK"}},
        "bounced": {
            "event": "failed",
            "severity": "permanent",
            "delivery-status": {"code": 550, "message": "5.1.1 No such user"},
        },
        "policy": {"event": "failed", "severity": "permanent", "delivery-status": {"code": 550, "message": "5.7.1 No"}},
        "later": {"event": "failed", "severity": "temporary", "reason": "generic"},
        "unwanted": {"event": "complained"},
        "opened": {"event": "opened"},
    }
    proof = {"timestamp": sent_at, "token": token, "signature": signature}
    return {"signature": proof, "event-data": {**told, **events[what]}}


@pytest.mark.parametrize("what", EXPECTED)
@pytest.mark.django_db
def test_mailgun_tells(what: str, drain: Drain) -> None:
    source("mailgun", "key-1")
    message = sent(drain)

    assert tell(mailgun(what, message.message_id), {}).status_code == 202
    drain()

    assert outcome(message) == EXPECTED[what]


@pytest.mark.django_db
def test_a_proof_of_mailgun_serves_once_and_for_five_minutes(drain: Drain) -> None:
    source("mailgun", "key-1")
    message = sent(drain)
    taken = tell(mailgun("opened", message.message_id), {})
    again = tell(mailgun("bounced", message.message_id), {})
    refused = [
        tell(mailgun("bounced", message.message_id, key="key-2"), {}),
        tell(mailgun("bounced", message.message_id, at=time.time() - 301), {}),
        tell({"event-data": {}}, {}),
        tell({"signature": "none"}, {}),
    ]
    drain()

    assert (taken.status_code, again.json()["data"]["duplicate"]) == (202, True)
    assert [answer.status_code for answer in refused] == [401] * 4
    assert outcome(message) == LATER
