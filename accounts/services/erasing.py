"""The end of an account: what is left is a row without a person, under the same id."""

from typing import Final

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.utils.crypto import get_random_string

from accounts.models import Role, User
from accounts.models.roles import DEFAULT_ROLE
from core.personal_data import Erasure

DELETED_NAME: Final = "Deleted user"


def blank_user(erasure: Erasure) -> None:
    """Write nobody over the account's row: other people's things go on pointing at it."""
    erasure.blank(
        User.all_objects.filter(pk=erasure.user_id),
        email=f"deleted-{erasure.user_id}@deleted.invalid",
        name=DELETED_NAME,
        password=UNUSABLE_PASSWORD_PREFIX + get_random_string(40),
        role=Role.objects.get(name=DEFAULT_ROLE),
        is_active=False,
        email_verified=False,
        bio="",
        avatar=None,
        phone=None,
        phone_verified=False,
        locale="en",
        time_zone="UTC",
        last_login_at=None,
    )
