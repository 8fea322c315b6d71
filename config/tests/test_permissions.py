"""Who may do what: one table over every operation of the API. A new operation without a row fails here.

The columns are the status that each person gets. Target is the user whom the path and the resource are about,
stranger is a user who has nothing to do with them.
"""

from typing import Any

import pytest

from accounts.models import User
from accounts.tests.factories import PASSWORD, access_token_of, create_session, create_user
from config.tests.cast import ApiClient
from config.tests.operations import PARAMETER, Operation, Stage, operations, undone
from config.tests.personas import WITHOUT_ACCESS, api_token_of, state, unenrolled
from core.api.access import ANY_TOKEN, Access
from core.api.routes import api_routes
from core.permissions import ADMIN, PERMISSIONS

pytestmark = pytest.mark.django_db

PLACE = r"{\1}"
PEOPLE = ("anonymous", "target", "stranger", "moderator", "admin")

MATRIX: dict[str, tuple[int, int, int, int, int]] = {
    # The API itself
    "GET /api": (200, 200, 200, 200, 200),
    "GET /api/v1/schema": (200, 200, 200, 200, 200),
    "GET /api/v1/events/stream": (401, 200, 200, 200, 200),
    "GET /api/v1/audit": (401, 403, 403, 403, 200),
    "GET /api/v1/users/me/activity": (401, 200, 200, 200, 200),
    "GET /api/v1/resources/{resource_id}/events": (404, 200, 404, 200, 200),
    # Becoming a user, signing in and out: open, or about oneself
    "POST /api/v1/auth/register": (201, 201, 201, 201, 201),
    "POST /api/v1/auth/verify-email": (400, 400, 400, 400, 400),
    "POST /api/v1/auth/resend-verification": (202, 202, 202, 202, 202),
    "POST /api/v1/auth/restore-account": (400, 400, 400, 400, 400),
    "POST /api/v1/auth/login": (200, 200, 200, 200, 200),
    "GET /api/v1/auth/mfa": (401, 200, 200, 200, 200),
    "POST /api/v1/auth/mfa/totp": (401, 200, 200, 200, 200),
    "POST /api/v1/auth/mfa/totp/confirm": (401, 409, 409, 409, 409),
    "DELETE /api/v1/auth/mfa/totp": (401, 404, 404, 404, 404),
    "POST /api/v1/auth/mfa/recovery-codes": (401, 200, 409, 409, 409),
    "POST /api/v1/auth/mfa/verify": (401, 401, 401, 401, 401),
    "POST /api/v1/auth/refresh-token": (401, 401, 401, 401, 401),
    "POST /api/v1/auth/logout": (401, 204, 204, 204, 204),
    "POST /api/v1/auth/logout-all": (401, 204, 204, 204, 204),
    "POST /api/v1/auth/reauthenticate": (401, 400, 200, 200, 200),
    "POST /api/v1/auth/reauthenticate/options": (401, 200, 404, 404, 404),
    "GET /api/v1/auth/verify": (401, 204, 204, 204, 204),
    "POST /api/v1/auth/passkeys/login/options": (200, 200, 200, 200, 200),
    "POST /api/v1/auth/passkeys/login": (401, 401, 401, 401, 401),
    "POST /api/v1/auth/mfa/passkeys/options": (401, 200, 200, 200, 200),
    "POST /api/v1/auth/mfa/passkeys": (401, 400, 400, 400, 400),
    "PATCH /api/v1/auth/mfa/passkeys/{passkey_id}": (401, 200, 404, 404, 404),
    "DELETE /api/v1/auth/mfa/passkeys/{passkey_id}": (401, 204, 404, 404, 404),
    "GET /api/v1/auth/sessions": (401, 200, 200, 200, 200),
    "DELETE /api/v1/auth/sessions/{session_id}": (401, 204, 404, 404, 404),
    "GET /api/v1/auth/api-tokens": (401, 200, 200, 200, 200),
    "POST /api/v1/auth/api-tokens": (401, 201, 201, 201, 201),
    "DELETE /api/v1/auth/api-tokens/{token_id}": (401, 204, 404, 404, 404),
    "POST /api/v1/auth/forgot-password": (202, 202, 202, 202, 202),
    "POST /api/v1/auth/reset-password": (400, 400, 400, 400, 400),
    "POST /api/v1/auth/change-password": (401, 200, 200, 200, 200),
    "POST /api/v1/auth/change-email": (401, 202, 202, 202, 202),
    # Signing in with a provider: the connection is the target's
    "GET /api/v1/auth/oauth/providers": (200, 200, 200, 200, 200),
    "POST /api/v1/auth/oauth/{provider}/authorize": (200, 200, 200, 200, 200),
    "POST /api/v1/auth/oauth/{provider}/callback": (400, 400, 400, 400, 400),
    "GET /api/v1/auth/oauth/connections": (401, 200, 200, 200, 200),
    "DELETE /api/v1/auth/oauth/connections/{connection_id}": (401, 204, 404, 404, 404),
    # Users
    "GET /api/v1/users": (401, 403, 403, 200, 200),
    "POST /api/v1/users": (401, 403, 403, 201, 201),
    "GET /api/v1/users/me": (401, 200, 200, 200, 200),
    "GET /api/v1/users/{user_id}": (401, 200, 200, 200, 200),
    "PUT /api/v1/users/{user_id}": (401, 200, 403, 200, 200),
    "PATCH /api/v1/users/{user_id}": (401, 200, 403, 200, 200),
    "DELETE /api/v1/users/{user_id}": (401, 403, 403, 403, 204),
    "POST /api/v1/users/{user_id}/restore": (401, 403, 403, 403, 404),
    # Roles
    "GET /api/v1/roles": (401, 403, 403, 200, 200),
    "POST /api/v1/roles": (401, 403, 403, 403, 201),
    "GET /api/v1/roles/{role_id}": (401, 403, 403, 200, 200),
    "PUT /api/v1/roles/{role_id}": (401, 403, 403, 403, 200),
    "PATCH /api/v1/roles/{role_id}": (401, 403, 403, 403, 200),
    "DELETE /api/v1/roles/{role_id}": (401, 403, 403, 403, 204),
    "GET /api/v1/permissions": (401, 200, 200, 200, 200),
    # Oneself
    "GET /api/v1/profile": (401, 200, 200, 200, 200),
    "PUT /api/v1/profile": (401, 200, 200, 200, 200),
    "PATCH /api/v1/profile": (401, 200, 200, 200, 200),
    "DELETE /api/v1/profile": (401, 204, 204, 204, 409),
    "POST /api/v1/profile/avatar": (401, 200, 200, 200, 200),
    "DELETE /api/v1/profile/avatar": (401, 204, 204, 204, 204),
    "POST /api/v1/profile/phone/confirm": (401, 401, 401, 401, 401),
    "POST /api/v1/profile/phone/resend": (401, 409, 409, 409, 409),
    "POST /api/v1/profile/export": (401, 202, 202, 202, 202),
    # Imports and exports: of what one sees oneself
    "POST /api/v1/imports": (401, 202, 202, 202, 202),
    "POST /api/v1/exports": (401, 202, 202, 202, 202),
    "POST /api/v1/reports": (401, 202, 202, 202, 202),
    # Jobs
    "GET /api/v1/jobs": (401, 200, 200, 200, 200),
    # Notifications: everybody's are their own
    "GET /api/v1/notifications": (401, 200, 200, 200, 200),
    "GET /api/v1/notifications/unread-count": (401, 200, 200, 200, 200),
    "POST /api/v1/notifications/read-all": (401, 200, 200, 200, 200),
    "GET /api/v1/notifications/preferences": (401, 200, 200, 200, 200),
    "PUT /api/v1/notifications/preferences": (401, 200, 200, 200, 200),
    "POST /api/v1/notifications/send": (401, 403, 403, 403, 202),
    "GET /api/v1/unsubscribe/{subscription}": (200, 200, 200, 200, 200),
    "POST /api/v1/unsubscribe/{subscription}": (200, 200, 200, 200, 200),
    "GET /api/v1/notifications/{notification_id}": (401, 200, 404, 404, 404),
    "DELETE /api/v1/notifications/{notification_id}": (401, 204, 404, 404, 404),
    "POST /api/v1/notifications/{notification_id}/read": (401, 200, 404, 404, 404),
    "POST /api/v1/notifications/{notification_id}/unread": (401, 200, 404, 404, 404),
    "GET /api/v1/notifications/{notification_id}/deliveries": (401, 200, 404, 404, 404),
    "GET /api/v1/jobs/{job_id}": (401, 200, 404, 404, 200),
    "POST /api/v1/jobs/{job_id}/cancel": (401, 200, 404, 404, 200),
    # Resources: the target's is private, so a stranger does not learn that it is there
    "GET /api/v1/resources": (200, 200, 200, 200, 200),
    "POST /api/v1/resources": (401, 201, 201, 201, 201),
    "GET /api/v1/resources/aggregate": (200, 200, 200, 200, 200),
    "GET /api/v1/resources/trash": (401, 200, 200, 200, 200),
    "GET /api/v1/resources/{resource_id}": (404, 200, 404, 200, 200),
    "PUT /api/v1/resources/{resource_id}": (401, 200, 404, 200, 200),
    "PATCH /api/v1/resources/{resource_id}": (401, 200, 404, 200, 200),
    "DELETE /api/v1/resources/{resource_id}": (401, 204, 404, 403, 204),
    "POST /api/v1/resources/{resource_id}/restore": (401, 404, 404, 404, 404),
    "GET /api/v1/resources/{resource_id}/versions": (404, 200, 404, 200, 200),
    "GET /api/v1/resources/{resource_id}/versions/{number}": (404, 200, 404, 200, 200),
    "GET /api/v1/resources/{resource_id}/versions/{a}/diff/{b}": (404, 200, 404, 200, 200),
    "POST /api/v1/resources/{resource_id}/revert": (401, 200, 404, 200, 200),
    "GET /api/v1/resources/{resource_id}/transitions": (401, 200, 404, 200, 200),
    "POST /api/v1/resources/{resource_id}/transitions/{name}": (401, 200, 404, 403, 200),
    "POST /api/v1/resources/bulk": (401, 200, 404, 200, 200),
    # An external id is each caller's own, so a stranger makes a resource of theirs
    "PUT /api/v1/resources/by-external/{type}/{external_id}": (401, 200, 201, 201, 201),
    "POST /api/v1/resources/{resource_id}/transfer": (401, 200, 404, 403, 200),
    # Files: the target's is attached to that resource; a file that is attached is not deleted
    "POST /api/v1/files": (401, 201, 201, 201, 201),
    "POST /api/v1/files/presign": (401, 201, 201, 201, 201),
    "POST /api/v1/files/{file_id}/complete": (401, 200, 404, 403, 403),
    "GET /api/v1/files/{file_id}": (404, 200, 404, 200, 200),
    "DELETE /api/v1/files/{file_id}": (401, 409, 404, 403, 409),
    "GET /api/v1/files/{file_id}/content": (404, 302, 404, 302, 302),
    "GET /api/v1/files/{file_id}/image": (404, 302, 404, 302, 302),
    "GET /api/v1/files/{file_id}/versions": (404, 200, 404, 200, 200),
    "POST /api/v1/files/{file_id}/versions": (401, 201, 404, 403, 403),
    "POST /api/v1/resources/{resource_id}/files": (401, 201, 404, 400, 403),
    "DELETE /api/v1/resources/{resource_id}/files/{file_id}": (401, 204, 404, 204, 204),
    # Comments: the target's, on the target's resource; a moderator reads it and may write to it
    "GET /api/v1/resources/{resource_id}/comments": (404, 200, 404, 200, 200),
    "POST /api/v1/resources/{resource_id}/comments": (401, 201, 404, 201, 201),
    "GET /api/v1/resources/{resource_id}/comments/{comment_id}": (404, 200, 404, 200, 200),
    "PATCH /api/v1/resources/{resource_id}/comments/{comment_id}": (401, 200, 404, 403, 403),
    "DELETE /api/v1/resources/{resource_id}/comments/{comment_id}": (401, 204, 404, 403, 204),
    # Tags of what one may read; saved views: the target's is private
    "GET /api/v1/tags": (200, 200, 200, 200, 200),
    "GET /api/v1/saved-views": (401, 200, 200, 200, 200),
    "POST /api/v1/saved-views": (401, 201, 201, 201, 201),
    "GET /api/v1/saved-views/{view_id}": (401, 200, 404, 404, 404),
    "PUT /api/v1/saved-views/{view_id}": (401, 200, 404, 404, 404),
    "PATCH /api/v1/saved-views/{view_id}": (401, 200, 404, 404, 404),
    "DELETE /api/v1/saved-views/{view_id}": (401, 204, 404, 404, 404),
    # Following is for whoever may read
    "PUT /api/v1/resources/{resource_id}/watch": (401, 204, 404, 204, 204),
    "DELETE /api/v1/resources/{resource_id}/watch": (401, 204, 404, 204, 204),
    "GET /api/v1/resources/{resource_id}/shares": (401, 200, 404, 403, 200),
    "POST /api/v1/resources/{resource_id}/shares": (401, 201, 404, 403, 201),
    "PATCH /api/v1/resources/{resource_id}/shares/{share_id}": (401, 200, 404, 403, 200),
    "DELETE /api/v1/resources/{resource_id}/shares/{share_id}": (401, 204, 404, 403, 204),
    "GET /api/v1/resources/{resource_id}/access": (404, 200, 404, 200, 200),
    # A link opens to whoever has it; this one asks for its password
    "GET /api/v1/shared/{token}": (401, 401, 401, 401, 401),
    "POST /api/v1/shared/{token}": (200, 200, 200, 200, 200),
    # Webhooks: the target's
    "GET /api/v1/devices": (401, 200, 200, 200, 200),
    "POST /api/v1/devices": (401, 201, 201, 201, 201),
    "GET /api/v1/devices/web-push-key": (200, 200, 200, 200, 200),
    "DELETE /api/v1/devices/{device_id}": (401, 204, 404, 404, 404),
    "GET /api/v1/webhooks": (401, 200, 200, 200, 200),
    "POST /api/v1/webhooks": (401, 201, 201, 201, 201),
    "GET /api/v1/webhooks/{webhook_id}": (401, 200, 404, 404, 404),
    "PUT /api/v1/webhooks/{webhook_id}": (401, 200, 404, 404, 404),
    "PATCH /api/v1/webhooks/{webhook_id}": (401, 200, 404, 404, 404),
    "DELETE /api/v1/webhooks/{webhook_id}": (401, 204, 404, 404, 404),
    "POST /api/v1/webhooks/{webhook_id}/rotate-secret": (401, 200, 404, 404, 404),
    "POST /api/v1/webhooks/{webhook_id}/test": (401, 202, 404, 404, 404),
    "GET /api/v1/webhooks/{webhook_id}/deliveries": (401, 200, 404, 404, 404),
    "POST /api/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver": (401, 202, 404, 404, 404),
    # What other programs tell: the signature lets them in, and these have none
    "POST /api/v1/webhooks/in/{source}": (401, 401, 401, 401, 401),
    # Types: everyone sees what there is, administrators make them
    "GET /api/v1/resource-types": (401, 200, 200, 200, 200),
    "POST /api/v1/resource-types": (401, 403, 403, 403, 201),
    "GET /api/v1/resource-types/{key}": (401, 200, 200, 200, 200),
    "PUT /api/v1/resource-types/{key}": (401, 403, 403, 403, 200),
    "PATCH /api/v1/resource-types/{key}": (401, 403, 403, 403, 200),
    "DELETE /api/v1/resource-types/{key}": (401, 403, 403, 403, 204),
    "GET /api/v1/resource-types/{key}/versions": (401, 200, 200, 200, 200),
}
# These are there for people whose token serves no longer, so they never look at one.
BLIND_TO_TOKENS = frozenset(
    {
        "POST /api/v1/auth/register",
        "POST /api/v1/auth/verify-email",
        "POST /api/v1/auth/resend-verification",
        "POST /api/v1/auth/restore-account",
        "GET /api/v1/auth/oauth/providers",
        "POST /api/v1/auth/login",
        "POST /api/v1/auth/mfa/verify",
        "POST /api/v1/auth/passkeys/login/options",
        "POST /api/v1/auth/passkeys/login",
        "POST /api/v1/auth/refresh-token",
        "POST /api/v1/auth/forgot-password",
        "POST /api/v1/auth/reset-password",
        "POST /api/v1/webhooks/in/{source}",
    }
)
# What no personal access token may call. Everything under /auth/ is so by itself.
NOT_FOR_TOKENS = frozenset(
    {
        "GET /api/v1/users/me/activity",
        "PUT /api/v1/profile",
        "PATCH /api/v1/profile",
        "DELETE /api/v1/profile",
        "POST /api/v1/profile/avatar",
        "DELETE /api/v1/profile/avatar",
        "POST /api/v1/profile/phone/confirm",
        "POST /api/v1/profile/phone/resend",
        "POST /api/v1/profile/export",
        # A device goes on being told when the token that registered it has long ended.
        "GET /api/v1/devices",
        "POST /api/v1/devices",
        "DELETE /api/v1/devices/{device_id}",
        # An inbox holds words of all that happens to a person.
        "GET /api/v1/notifications",
        "GET /api/v1/notifications/unread-count",
        "GET /api/v1/notifications/preferences",
        "PUT /api/v1/notifications/preferences",
        "POST /api/v1/notifications/read-all",
        "GET /api/v1/notifications/{notification_id}",
        "DELETE /api/v1/notifications/{notification_id}",
        "POST /api/v1/notifications/{notification_id}/read",
        "POST /api/v1/notifications/{notification_id}/unread",
        "GET /api/v1/notifications/{notification_id}/deliveries",
    }
    # A webhook goes on telling when the token that made it has long ended.
    | {name for name in MATRIX if "/api/v1/webhooks" in name}
)
# A token sees the jobs that it started, and no other: this one was started in a session.
OF_THE_TOKEN_ITSELF = frozenset({"GET /api/v1/jobs/{job_id}", "POST /api/v1/jobs/{job_id}/cancel"})
# What only reads, though it is a POST.
READING_POSTS = frozenset({"POST /api/v1/exports", "POST /api/v1/reports"})
# All that answers a session whose role demands two-factor sign-in and that has proved one factor only.
BEFORE_ENROLLMENT = frozenset(
    {
        "GET /api/v1/users/me",
        "GET /api/v1/auth/mfa",
        "POST /api/v1/auth/mfa/totp",
        "POST /api/v1/auth/mfa/totp/confirm",
        "DELETE /api/v1/auth/mfa/totp",
        "POST /api/v1/auth/mfa/recovery-codes",
        "POST /api/v1/auth/mfa/passkeys/options",
        "POST /api/v1/auth/mfa/passkeys",
        "PATCH /api/v1/auth/mfa/passkeys/{passkey_id}",
        "DELETE /api/v1/auth/mfa/passkeys/{passkey_id}",
        "POST /api/v1/auth/reauthenticate",
        "POST /api/v1/auth/reauthenticate/options",
        "POST /api/v1/auth/logout",
        "POST /api/v1/auth/logout-all",
    }
)


@pytest.fixture
def stage(settings: Any) -> Stage:
    settings.RATE_LIMIT_SCALE = 1000
    return Stage()


def call(client: ApiClient, stage: Stage, operation: Operation) -> Any:
    return client.generic(operation.method, stage.path(operation), *stage.content(operation))


def test_every_operation_has_a_row() -> None:
    assert {str(operation) for operation in operations()} == MATRIX.keys()


def answers(stage: Stage, operation: Operation, tokens: dict[str, str | None]) -> dict[str, tuple[int, str]]:
    """Return status and code that each holder of a token gets; a refusal has changed nothing and sent nothing."""
    found = {}
    before = state()
    for name, token in tokens.items():
        client = ApiClient(token, raise_request_exception=False)
        with undone():
            response = call(client, stage, operation)
            code = response.json()["error"]["code"] if response.status_code >= 400 else ""
            found[name] = (response.status_code, code)
            assert response.status_code < 400 or state() == before, name
    return found


@pytest.mark.parametrize("operation", operations(), ids=str)
def test_each_person_gets_what_the_table_says(
    stage: Stage, stranger: User, moderator: User, admin: User, operation: Operation
) -> None:
    people: list[User | None] = [None, stage.target, stranger, moderator, admin]
    tokens = {
        name: None if user is None else access_token_of(create_session(user))
        for name, user in zip(PEOPLE, people, strict=True)
    }

    found = answers(stage, operation, tokens)

    statuses = {name: status for name, (status, _) in found.items()}
    assert statuses == dict(zip(PEOPLE, MATRIX[str(operation)], strict=True))


@pytest.mark.parametrize("operation", operations(), ids=str)
def test_whoever_s_credentials_serve_no_longer_gets_nothing(stage: Stage, operation: Operation) -> None:
    name = str(operation)
    found = answers(stage, operation, {holder: token() for holder, (_, token) in WITHOUT_ACCESS.items()})

    if name in BLIND_TO_TOKENS:
        assert {status for status, _ in found.values()} == {MATRIX[name][0]}
    else:
        assert found == {holder: (401, code) for holder, (code, _) in WITHOUT_ACCESS.items()}


@pytest.mark.parametrize("operation", operations(), ids=str)
def test_a_personal_access_token_opens_what_its_scopes_name(stage: Stage, admin: User, operation: Operation) -> None:
    own_things = ["read:resource", "write:resource", "delete:resource"]
    holders = {
        "read-only": (4, api_token_of(admin, *(name for name in PERMISSIONS if name.startswith("read:")))),
        "everything": (4, api_token_of(admin, ADMIN)),
        "own things": (1, api_token_of(stage.target, *own_things)),
    }

    found = answers(stage, operation, {name: token for name, (_, token) in holders.items()})

    name, scope = str(operation), scope_of(operation)
    let_in = {
        "read-only": (operation.method == "GET" or name in READING_POSTS or scope is ANY_TOKEN) and scope is not None,
        "everything": scope is not None,
        "own things": scope in {ANY_TOKEN, *own_things},
    }
    for holder, (column, _) in holders.items():
        blind = MATRIX[name][0] if name in BLIND_TO_TOKENS else 403
        inside = 404 if name in OF_THE_TOKEN_ITSELF else MATRIX[name][column]
        assert found[holder][0] == (inside if let_in[holder] else blind), holder


@pytest.mark.parametrize("operation", operations(), ids=str)
def test_who_has_to_enrol_a_second_factor_does_that_and_nothing_else(stage: Stage, operation: Operation) -> None:
    name = str(operation)

    ((status, code),) = answers(stage, operation, {"has to enrol": unenrolled()}).values()

    if name in BLIND_TO_TOKENS:
        assert status == MATRIX[name][0]
    elif name in BEFORE_ENROLLMENT:
        assert status == MATRIX[name][4]
    else:
        assert (status, code) == (403, "MFA_ENROLLMENT_REQUIRED")


def scope_of(operation: Operation) -> object:
    """Return what the operation declares; None where it is not for tokens."""
    name = str(operation)
    return None if name in NOT_FOR_TOKENS or "/api/v1/auth/" in name else declared_scopes()[name]


def test_operations_that_are_open_to_anyone_are_these() -> None:
    opened = {
        f"{method} {route.path}"
        for route in api_routes()
        if route.view is not None and hasattr(route.view, "access")
        for method, access in route.view.access.items()
        if access is Access.PUBLIC
    }

    assert opened == {
        "GET /api",
        "GET /api/v1/schema",
        "POST /api/v1/auth/oauth/<slug:provider>/authorize",
        "POST /api/v1/auth/oauth/<slug:provider>/callback",
        "GET /api/v1/resources",
        "GET /api/v1/resources/<uuid:resource_id>",
        "GET /api/v1/tags",
        "GET /api/v1/resources/<uuid:resource_id>/events",
        "GET /api/v1/resources/<uuid:resource_id>/comments",
        "GET /api/v1/resources/<uuid:resource_id>/comments/<uuid:comment_id>",
        "GET /api/v1/resources/<uuid:resource_id>/versions",
        "GET /api/v1/files/<uuid:file_id>",
        "GET /api/v1/files/<uuid:file_id>/content",
        "GET /api/v1/files/<uuid:file_id>/versions",
        "GET /api/v1/resources/<uuid:resource_id>/access",
        "GET /api/v1/shared/<slug:token>",
        "POST /api/v1/shared/<slug:token>",
        "GET /api/v1/unsubscribe/<str:subscription>",
        "POST /api/v1/unsubscribe/<str:subscription>",
        "POST /api/v1/webhooks/in/<slug:source>",
        "GET /api/v1/resources/<uuid:resource_id>/versions/<int:number>",
        "GET /api/v1/resources/<uuid:resource_id>/versions/<int:a>/diff/<int:b>",
    } | {name for name in BLIND_TO_TOKENS if "{" not in name}
    assert (
        opened
        == {
            "GET /api",
            "GET /api/v1/schema",
            "POST /api/v1/auth/oauth/<slug:provider>/authorize",
            "POST /api/v1/auth/oauth/<slug:provider>/callback",
            "GET /api/v1/resources",
            "GET /api/v1/resources/<uuid:resource_id>",
            "GET /api/v1/resources/aggregate",
            "GET /api/v1/files/<uuid:file_id>/image",
            "GET /api/v1/devices/web-push-key",
            "GET /api/v1/tags",
            "GET /api/v1/resources/<uuid:resource_id>/events",
            "GET /api/v1/resources/<uuid:resource_id>/comments",
            "GET /api/v1/resources/<uuid:resource_id>/comments/<uuid:comment_id>",
            "GET /api/v1/resources/<uuid:resource_id>/versions",
            "GET /api/v1/files/<uuid:file_id>",
            "GET /api/v1/files/<uuid:file_id>/content",
            "GET /api/v1/files/<uuid:file_id>/versions",
            "GET /api/v1/resources/<uuid:resource_id>/access",
            "GET /api/v1/shared/<slug:token>",
            "POST /api/v1/shared/<slug:token>",
            "GET /api/v1/unsubscribe/<str:subscription>",
            "POST /api/v1/unsubscribe/<str:subscription>",
            "GET /api/v1/resources/<uuid:resource_id>/versions/<int:number>",
            "GET /api/v1/resources/<uuid:resource_id>/versions/<int:a>/diff/<int:b>",
        }
        | BLIND_TO_TOKENS
    )


def declared_scopes() -> dict[str, object]:
    return {
        f"{method} {PARAMETER.sub(PLACE, route.path)}": getattr(route.view, "token_scopes", {}).get(method)
        for route in api_routes()
        if hasattr(route.view, "access")
        for method in route.methods
    }


def test_every_operation_says_which_scope_lets_a_token_in_or_is_not_for_tokens() -> None:
    undeclared = {name for name, scope in declared_scopes().items() if scope is None}

    assert undeclared == NOT_FOR_TOKENS | {name for name in MATRIX if "/api/v1/auth/" in name}


def test_a_scope_is_a_permission_and_names_what_the_method_does() -> None:
    verbs = {"GET": ("read:",), "DELETE": ("delete:", ADMIN), "": ("write:", "delete:", "send:", ADMIN)}

    wrong = {
        name: scope
        for name, scope in declared_scopes().items()
        if isinstance(scope, str)
        and name not in READING_POSTS
        and not (scope in PERMISSIONS and scope.startswith(verbs.get(name.partition(" ")[0], verbs[""])))
    }

    assert wrong == {}


def test_who_has_not_confirmed_their_address_gets_no_token(anonymous: ApiClient, db: None) -> None:
    create_user(email="new@example.com", email_verified=False)
    before = state()

    response = anonymous.post("/api/v1/auth/login", {"email": "new@example.com", "password": PASSWORD})

    assert response.status_code == 403
    assert response.json()["error"]["code"] == "EMAIL_NOT_VERIFIED"
    assert state() == before
