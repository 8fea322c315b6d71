"""Every operation of the API, taken from the routes, and a stage on which each of them can be called."""

import re
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from django.db import transaction
from django.utils import timezone

from accounts.api.credentials import CREDENTIAL_EXAMPLE, NEW_CREDENTIAL_EXAMPLE
from accounts.models import Passkey, Role, User
from accounts.tests.factories import (
    PASSWORD,
    access_token_of,
    create_api_token_of,
    create_connection,
    create_session,
    create_user,
)
from config.tests.cast import ApiClient
from core.api.routes import api_routes
from core.jobs import create_job
from core.permissions import SYSTEM, Caller
from notifications.api.devices import REGISTRATION_EXAMPLE
from notifications.models import Device, Notification, WebhookDelivery, WebhookEndpoint, WebhookSource
from notifications.services import News, notify, webhooks
from notifications.unsubscribe_links import Subscription, token_of
from resources.access import Level
from resources.models import Comment, SavedView
from resources.services.sharing import MadeShare, NewLink, NewShare, create_share
from resources.services.types import NewType, create_type
from resources.tests.factories import attach, create_file

PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")


@dataclass(frozen=True)
class Operation:
    """A method on a path template (`/api/v1/users/{user_id}`)."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def operations() -> list[Operation]:
    """Return every operation that a view has a handler for, the schema included."""
    return [
        Operation(method, PARAMETER.sub(r"{\1}", route.path))
        for route in api_routes()
        if route.view is not None and hasattr(route.view, "access")
        for method in route.methods
    ]


def areas(*methods: str) -> dict[str, list[Operation]]:
    """Return the operations (of these methods, else all) by area: setting a stage costs more than a request."""
    found: dict[str, list[Operation]] = {}
    for operation in operations():
        if not methods or operation.method in methods:
            found.setdefault(_area(operation.path), []).append(operation)
    return found


def _area(path: str) -> str:
    """Return `users` for /api/v1/users/…, and `auth login` below /auth, which has most of the operations."""
    steps = path.removeprefix("/api/v1").split("/")[1:]
    return " ".join(steps[:2]) if steps[0] == "auth" else steps[0]


LOOSE_FILE = UUID("019a9c1e-5f00-7c4e-9d1b-2f6f3f0c8a01")
"""A file of the target's that no resource has."""

# A body that each operation takes, so that refusals are not those of the body.
BODIES: dict[str, dict[str, Any]] = {
    "POST /api/v1/auth/register": {"email": "new@example.com", "password": PASSWORD, "name": "New"},
    "POST /api/v1/auth/verify-email": {"token": "nkv_unknown"},
    "POST /api/v1/auth/resend-verification": {"email": "new@example.com"},
    "POST /api/v1/auth/restore-account": {"token": "nkm_unknown"},
    "POST /api/v1/auth/forgot-password": {"email": "new@example.com"},
    "POST /api/v1/auth/reset-password": {"token": "nkp_unknown", "password": PASSWORD},
    "POST /api/v1/auth/login": {"email": "target@example.com", "password": PASSWORD},
    "POST /api/v1/auth/mfa/verify": {"mfa_token": "nkc_unknown", "method": "totp", "code": "000000"},
    "POST /api/v1/auth/mfa/totp/confirm": {"code": "000000"},
    "POST /api/v1/auth/refresh-token": {"refresh_token": "nkr_unknown"},
    "POST /api/v1/auth/passkeys/login": {"credential": CREDENTIAL_EXAMPLE},
    "POST /api/v1/auth/mfa/passkeys": {"name": "New", "credential": NEW_CREDENTIAL_EXAMPLE},
    "PATCH /api/v1/auth/mfa/passkeys/{passkey_id}": {"name": "Changed"},
    "POST /api/v1/auth/reauthenticate": {"password": PASSWORD},
    "POST /api/v1/auth/change-password": {"current_password": PASSWORD, "new_password": f"{PASSWORD}-2"},
    "POST /api/v1/auth/api-tokens": {"name": "Script", "scopes": ["read:resource"]},
    "POST /api/v1/auth/change-email": {"email": "changed@example.com"},
    "POST /api/v1/auth/oauth/{provider}/authorize": {"redirect_uri": "https://app.example/oauth/callback"},
    "POST /api/v1/auth/oauth/{provider}/callback": {"code": "unknown", "state": "nks_unknown"},
    "POST /api/v1/users": {"email": "new@example.com", "name": "New", "password": PASSWORD},
    "PUT /api/v1/users/{user_id}": {
        "email": "target@example.com",
        "name": "Changed",
        "role": "user",
        "is_active": True,
        "email_verified": True,
        "locale": "en",
        "time_zone": "UTC",
    },
    "PATCH /api/v1/users/{user_id}": {"name": "Changed"},
    "POST /api/v1/roles": {"name": "editor", "permissions": ["read:resource"]},
    "PUT /api/v1/roles/{role_id}": {"name": "changed", "permissions": []},
    "PATCH /api/v1/roles/{role_id}": {"description": "Changed"},
    "PUT /api/v1/profile": {"name": "Changed", "bio": "", "locale": "en", "time_zone": "UTC"},
    "PATCH /api/v1/profile": {"name": "Changed"},
    "POST /api/v1/profile/phone/confirm": {"code": "123456"},
    "POST /api/v1/resources": {"name": "New"},
    "PUT /api/v1/resources/{resource_id}": {"name": "Changed"},
    "PATCH /api/v1/resources/{resource_id}": {"name": "Changed"},
    "PUT /api/v1/resources/by-external/{type}/{external_id}": {"name": "Changed"},
    "POST /api/v1/resources/{resource_id}/revert": {"version": 1},
    "POST /api/v1/files/presign": {"filename": "a.txt", "content_type": "text/plain", "size": 5},
    "POST /api/v1/files/{file_id}/versions/presign": {"filename": "b.txt", "content_type": "text/plain", "size": 5},
    "POST /api/v1/resources/{resource_id}/files": {"file": str(LOOSE_FILE)},
    "POST /api/v1/resources/{resource_id}/comments": {"body": "New"},
    "PATCH /api/v1/resources/{resource_id}/comments/{comment_id}": {"body": "Changed"},
    "POST /api/v1/resources/{resource_id}/shares": {"role": "moderator", "access": "viewer"},
    "PATCH /api/v1/resources/{resource_id}/shares/{share_id}": {"access": "viewer"},
    "POST /api/v1/shared/{token}": {"password": "open sesame"},
    "POST /api/v1/exports": {"format": "csv"},
    "POST /api/v1/devices": REGISTRATION_EXAMPLE,
    "POST /api/v1/reports": {"kind": "resources", "period": "2026-10"},
    "POST /api/v1/webhooks": {"url": "https://hooks.example.com/nook", "events": ["resource.*"]},
    "PUT /api/v1/webhooks/{webhook_id}": {"url": "https://hooks.example.com/new", "events": ["*"]},
    "PATCH /api/v1/webhooks/{webhook_id}": {"events": ["file.created"]},
    "POST /api/v1/saved-views": {"name": "New", "filters": {"tag": ["a"]}},
    "PUT /api/v1/saved-views/{view_id}": {"name": "Changed", "filters": {}},
    "PATCH /api/v1/saved-views/{view_id}": {"name": "Changed"},
    "PUT /api/v1/notifications/preferences": {"digest": "daily"},
    "POST /api/v1/notifications/send": {
        "kind": "system.broadcast",
        "to": {"all": True},
        "data": {"title": "News", "text": "All is well."},
    },
    "POST /api/v1/resource-types": {"key": "new", "name": "New"},
    "PUT /api/v1/resource-types/{key}": {"name": "Changed"},
    "PATCH /api/v1/resource-types/{key}": {"name": "Changed"},
}


BOUNDARY = "the-boundary"
PICTURE = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
_UPLOADED_PICTURE = (
    b'--the-boundary\r\nContent-Disposition: form-data; name="file"; filename="me.png"\r\n'
    b"Content-Type: image/png\r\n\r\n" + PICTURE + b"\r\n--the-boundary--\r\n"
)
_UPLOADED_ROWS = (
    b'--the-boundary\r\nContent-Disposition: form-data; name="type"\r\n\r\nitem\r\n'
    b'--the-boundary\r\nContent-Disposition: form-data; name="file"; filename="rows.csv"\r\n\r\n'
    b"name\r\nNew\r\n\r\n--the-boundary--\r\n"
)
UPLOADS: dict[str, bytes] = {
    "POST /api/v1/imports": _UPLOADED_ROWS,
    "POST /api/v1/profile/avatar": _UPLOADED_PICTURE,
    "POST /api/v1/files": _UPLOADED_PICTURE,
    "POST /api/v1/files/{file_id}/versions": _UPLOADED_PICTURE,
}
"""Bodies of operations that take a file."""


LETTERS_WAY: dict[str, Any] = {
    "initial": "draft",
    "states": ["draft", "sent"],
    "transitions": [{"name": "send", "from": ["draft"], "to": "sent", "allow": ["owner"]}],
}

LETTER: dict[str, Any] = {"type": "letter", "name": "Target", "data": {"a": 1}, "external_id": "target/1"}


class Stage:
    """A target user with a session, a role and a type that nobody uses, a private letter and files.

    The letter has two versions and a file; one file more is apart.
    """

    def __init__(self) -> None:
        self.target = create_user(email="target@example.com", name="Tara Target")
        self.session = create_session(self.target)
        self.connection = create_connection(self.target)
        self.role = Role.objects.create(name="unused", permissions=[])
        self.team = Role.objects.create(name="team", permissions=[])
        self.kind = create_type(actor=SYSTEM, new=NewType("unused", "Unused"))
        self.passkey = Passkey.objects.create(
            user=self.target,
            name="Target's",
            credential_id="dGFyZ2V0",
            public_key=b"-",
            user_handle="dGFyZ2V0",
            aaguid=self.target.pk,
        )
        create_type(actor=SYSTEM, new=NewType(LETTER["type"], "Letter", workflow=LETTERS_WAY))
        owner = self.client(self.target)
        body = owner.post("/api/v1/resources", LETTER).json()
        owner.patch(f"/api/v1/resources/{body['data']['id']}", {"name": "Target again"})
        heir = create_user(email="heir@example.com", name="Hera Heir")
        self.bodies = {
            **BODIES,
            "POST /api/v1/resources/{resource_id}/transfer": {"owner": str(heir.pk)},
            "POST /api/v1/resources/bulk": {
                "operations": [
                    {"op": "create", "name": "New"},
                    {"op": "update", "id": body["data"]["id"], "name": "New"},
                ]
            },
        }
        create_file(self.target, pk=LOOSE_FILE)
        file = create_file(self.target, PICTURE, "me.png")
        attach(file, body["data"]["id"])
        remark = {"resource_id": body["data"]["id"], "author": self.target, "body": "Target's remark"}
        webhook = self._webhook()
        self.values = {
            "device_id": str(self._device().pk),
            "webhook_id": str(webhook.pk),
            "source": self._source().key,
            "delivery_id": str(WebhookDelivery.objects.get(endpoint=webhook).pk),
            "user_id": str(self.target.pk),
            "session_id": str(self.session.pk),
            "token_id": str(create_api_token_of(self.target)[0].pk),
            "provider": "github",
            "connection_id": str(self.connection.pk),
            "passkey_id": str(self.passkey.pk),
            "role_id": str(self.role.pk),
            "resource_id": body["data"]["id"],
            "file_id": str(file.pk),
            "comment_id": str(Comment.objects.create(**remark).pk),
            "share_id": str(self._share(body["data"]["id"], {"role": self.team.name}).row.pk),
            "token": self._share(body["data"]["id"], {"link": NewLink(password="open sesame")}).secret,
            "view_id": str(SavedView.objects.create(owner=self.target, name="Target's", filters={}).pk),
            "number": "1",
            "a": "1",
            "b": "2",
            "name": "send",
            "type": LETTER["type"],
            "external_id": LETTER["external_id"],
            "key": self.kind.key,
            "notification_id": str(self._told().pk),
            "subscription": token_of(Subscription(self.target.pk, "system.broadcast", "email")),
            "job_id": str(create_job("profile.export", actor=Caller.of(self.target)).pk),
        }

    def _share(self, resource_id: str, receiver: dict[str, Any]) -> MadeShare:
        new = NewShare(Level.VIEWER, **receiver)
        return create_share(actor=Caller.of(self.target), resource_id=UUID(resource_id), new=new)

    def _device(self) -> Device:
        return Device.objects.create(
            user=self.target,
            platform="apns",
            address={"token": "cd" * 32},
            address_digest=b"c" * 32,
            last_registered_at=timezone.now(),
        )

    def _webhook(self) -> WebhookEndpoint:
        """Return an endpoint of the target's that was sent something once and asks for what does not happen here."""
        actor = Caller.of(self.target)
        made = webhooks.create_endpoint(actor=actor, url="https://hooks.example.com/nook", events=["threat.*"])
        WebhookDelivery.objects.create(
            endpoint=made.row, event_id=self.target.pk, event_type="resource.created", body="{}", state="delivered"
        )
        return made.row

    def _told(self) -> Notification:
        """Tell the target something, and return their row."""
        notify(News("system.broadcast", {"title": "News", "text": "All is well."}), to=[self.target.pk])
        return Notification.objects.get(user=self.target)

    def _source(self) -> WebhookSource:
        """Return a program that may tell something; nothing that is sent here bears its signature."""
        return WebhookSource.objects.create(key="shop", name="Shop", scheme="hmac", secret="of-the-shop")

    def path(self, operation: Operation) -> str:
        """Return the operation's path with what stands on the stage."""
        return operation.path.format_map(self.values)

    def body(self, operation: Operation) -> dict[str, Any]:
        """Return a body that the operation takes."""
        return self.bodies.get(str(operation), {})

    def content(self, operation: Operation) -> tuple[bytes, str]:
        """Return such a body as it is sent, and its type."""
        if str(operation) in UPLOADS:
            return UPLOADS[str(operation)], f"multipart/form-data; boundary={BOUNDARY}"
        return orjson.dumps(self.body(operation)), "application/json"

    def client(self, user: User) -> ApiClient:
        """Return a client in a new session of the user that gets a 500 as an answer, not as an exception."""
        return ApiClient(access_token_of(create_session(user)), raise_request_exception=False)


@contextmanager
def undone() -> Iterator[None]:
    """Take back what the block wrote."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
