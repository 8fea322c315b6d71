"""What tests of mail providers do again and again."""

import base64
import json
from collections.abc import Callable
from typing import Any

from django.test import Client

from notifications import services
from notifications.models import Message, SuppressedAddress, WebhookSource

Drain = Callable[..., int]
Headers = dict[str, str]
ADDRESS = "ada@example.com"
NO_SUCH_USER = "550 5.1.1 No such user"
POLICY = "550 5.7.1 Message refused by policy"


def tell(body: Any, headers: Headers, content_type: str = "application/json") -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Client().post("/api/v1/webhooks/in/mail", content, content_type, headers=headers)


def source(scheme: str, secret: str) -> WebhookSource:
    return WebhookSource.objects.create(key="mail", name="Mail", scheme=scheme, secret=secret)


def sent(drain: Drain) -> Message:
    message = services.send("account.welcome", address=ADDRESS)
    drain()
    return message


def outcome(message: Message) -> "Outcome":
    message.refresh_from_db()
    return message.state, list(SuppressedAddress.objects.values_list("address", "reason"))


Outcome = tuple[str, list[tuple[str, str]]]
ARRIVED: Outcome = ("delivered", [])
BOUNCED: Outcome = ("bounced", [(ADDRESS, "bounce")])
REFUSED_BY_POLICY: Outcome = ("bounced", [])
LATER: Outcome = ("sent", [])
UNWANTED: Outcome = ("delivered", [(ADDRESS, "complaint")])

EXPECTED = {
    "arrived": ARRIVED,
    "bounced": BOUNCED,
    "policy": REFUSED_BY_POLICY,
    "later": LATER,
    "unwanted": UNWANTED,
    "opened": LATER,
}


def by_password(secret: str) -> Headers:
    return {"Authorization": f"Basic {base64.b64encode(secret.encode()).decode()}"}
