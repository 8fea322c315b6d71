"""Messages of Amazon SNS, by which SES tells what became of mails: their signature, and the handshake before them.

Anybody may have a topic whose messages are signed just as well, so the topic is what a source is registered with, and
is looked at before anything is fetched. The certificate comes from the topic's own host of SNS alone, through the
guarded way out: a pattern of hosts would let in a bucket named `sns` (`sns.s3-us-west-2.amazonaws.com`).
"""

import base64
import binascii
import re
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature as NotSigned
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509 import load_pem_x509_certificate

from core.breaker import CircuitOpen
from core.cache import cached
from core.errors import ServiceUnavailable
from core.http_client import RequestFailed, request
from notifications.models.inbound import WebhookSource
from notifications.services.inbound.proofs import Incoming, Told, any_equal, digest_of, is_recent, text_of

TOPIC: Final = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):sns:(?P<region>[a-z0-9-]+):\d{12}:[A-Za-z0-9_.-]{1,256}", re.ASCII
)
HANDSHAKE: Final = "sns.SubscriptionConfirmation"

_CHINA: Final = "aws-cn"
_CERTIFICATE: Final = re.compile(r"/SimpleNotificationService-[A-Za-z0-9]{1,64}\.pem", re.ASCII)
_SIGNED: Final = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_HASHES: Final = {"1": hashes.SHA1, "2": hashes.SHA256}
_SECONDS: Final = 3.0
_WINDOW: Final = 86_400
"""SNS offers a message again under its first time, for an hour unless its topic says otherwise; a second one is known
by its id."""


def is_snss(source: WebhookSource, secret: str, incoming: Incoming) -> bool:
    """Amazon SNS: RSA over the fields that its kind of message signs; the secret is the ARN of the topic."""
    facts = incoming.facts
    is_of_topic = any_equal([str(facts.get("TopicArn", ""))], secret)
    if not is_of_topic or not is_recent(_seconds(facts.get("Timestamp")), max(source.tolerance_seconds, _WINDOW)):
        return False
    digest = _HASHES.get(str(facts.get("SignatureVersion")))
    key = _key(str(facts.get("SigningCertURL", "")), topic=secret)
    if digest is None or key is None:
        return False
    try:
        signature = base64.b64decode(str(facts.get("Signature", "")), validate=True)
        key.verify(signature, _signed_text(facts).encode(), padding.PKCS1v15(), digest())
    except (NotSigned, binascii.Error):
        return False
    return True


def sns_tells(incoming: Incoming) -> Told:
    named = text_of(incoming.facts.get("MessageId"), 255)
    return Told(named or digest_of(incoming.body), text_of(f"sns.{incoming.facts.get('Type', '')}"))


def confirm_subscription(told: Any) -> None:
    """Answer the handshake, so that the topic's messages come; raises `RequestFailed`, or `ValueError`."""
    url = str(told["SubscribeURL"])
    if not is_of_sns(url, topic=str(told.get("TopicArn", ""))):
        raise ValueError("a subscription is confirmed at the topic's host of Amazon SNS alone")
    answer = request("GET", url, timeout=_SECONDS * 3)
    if not answer.ok:
        raise RequestFailed(f"Amazon SNS answered {answer.status}.")


def is_of_sns(url: str, *, topic: str) -> bool:
    """Return whether the address is one of Amazon SNS where the topic lies, over TLS, at its usual port."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    is_plain = parts.username is None and port in (None, 443)
    return parts.scheme == "https" and is_plain and parts.hostname == _host_of(topic)


def _host_of(topic: str) -> str:
    arn = TOPIC.fullmatch(topic)
    if arn is None:
        return ""
    return f"sns.{arn['region']}.amazonaws.com{'.cn' if arn['partition'] == _CHINA else ''}"


def _key(url: str, *, topic: str) -> rsa.RSAPublicKey | None:
    """Return the key of the certificate at this address, nothing where it is not SNS's.

    Raises `ServiceUnavailable` where it cannot be had at the moment: of that SNS offers the message again, of a no it
    does not.
    """
    if not is_of_sns(url, topic=topic) or _CERTIFICATE.fullmatch(urlsplit(url).path) is None:
        return None
    try:
        certificate = load_pem_x509_certificate(str(cached("providers", f"sns:{url}", lambda: _fetched(url))).encode())
    except ValueError:
        return None
    except (RequestFailed, CircuitOpen) as error:
        raise ServiceUnavailable from error
    key = certificate.public_key()
    return key if isinstance(key, rsa.RSAPublicKey) else None


def _fetched(url: str) -> str:
    answer = request("GET", url, timeout=_SECONDS, max_bytes=65_536)
    if not answer.ok:
        raise RequestFailed(f"Amazon SNS answered {answer.status}.")
    load_pem_x509_certificate(answer.body)
    return answer.body.decode("ascii")


def _signed_text(facts: dict[str, Any]) -> str:
    names = _SIGNED.get(str(facts.get("Type")), ())
    return "".join(f"{name}\n{facts[name]}\n" for name in names if facts.get(name) is not None)


def _seconds(timestamp: Any) -> str:
    try:
        return str(int(datetime.fromisoformat(str(timestamp)).timestamp()))
    except ValueError:
        return ""
