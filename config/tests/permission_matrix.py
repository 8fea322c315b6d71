"""Who may do what, as a table over every operation of the API.

The columns are the status that each person gets. Target is the user whom the path and the resource are about,
stranger is a user who has nothing to do with them.
"""

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
    # Devices and webhooks: the target's
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
