"""What the tests of users share: where users are, and how changes of them are refused."""

from typing import Any

from accounts.models import User
from accounts.tests.answers import refusal

PATH = "/api/v1/users"
FIELDS = [
    "id",
    "email",
    "name",
    "role",
    "is_active",
    "email_verified",
    "avatar",
    "locale",
    "time_zone",
    "mfa_enabled",
    "last_login_at",
    "created_at",
    "updated_at",
]
LAST_ADMIN = refusal(409, "CONFLICT", "There has to be an administrator who can sign in; this is the last one.")
HOLDS_MORE = refusal(403, "PERMISSION_DENIED", "This account (or role) holds more than you do.")
TAKEN = refusal(
    409,
    "CONFLICT",
    "The present state does not allow this.",
    ("email", "unique", "This address belongs to an account already."),
)


def of(user: User) -> str:
    return f"{PATH}/{user.pk}"


def admin_only(*fields: str) -> dict[str, Any]:
    details = [(field, "admin_only", "Only an administrator may set this.") for field in fields]
    return refusal(403, "PERMISSION_DENIED", "You may not do this.", *details)
