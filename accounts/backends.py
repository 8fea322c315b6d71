"""How Django's own machinery (the admin) asks who may what: the role's permissions, nothing else."""

from typing import Any, Final
from uuid import UUID

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db import models

from accounts.models import User
from core.permissions import ADMIN

_GRANTS: Final[dict[str, frozenset[str]]] = {
    "read:user": frozenset(
        {
            "accounts.view_user",
            "accounts.view_session",
            "accounts.view_apitoken",
            "accounts.view_connection",
            "accounts.view_passkey",
        }
    ),
    "write:user": frozenset({"accounts.add_user", "accounts.change_user"}),
    "delete:user": frozenset({"accounts.delete_user"}),
    "read:role": frozenset({"accounts.view_role"}),
    "read:resource": frozenset({"resources.view_resource", "resources.view_resourcetype", "resources.view_comment"}),
    "write:resource": frozenset({"resources.change_resource"}),
    "delete:resource": frozenset({"resources.delete_resource"}),
    "read:audit": frozenset(
        {"core.view_event", "accounts.view_accessofuser", "accounts.view_impersonation", "accounts.view_threat"}
    ),
    "send:notification": frozenset({"notifications.view_message", "notifications.view_notification"}),
}
"""What each permission of ours opens in the admin; the models not named here are for `admin` alone."""


class RoleBackend(BaseBackend):
    """Answers Django's permission questions from the user's role."""

    def get_user(self, user_id: UUID) -> User | None:
        """Return the live, enabled user of an admin session."""
        return User.objects.select_related("role").filter(pk=user_id, is_active=True).first()

    def get_all_permissions(
        self, user_obj: AbstractBaseUser | AnonymousUser, obj: models.Model | None = None
    ) -> set[str]:
        if not isinstance(user_obj, User) or not user_obj.is_active:
            return set()
        held = _GRANTS if ADMIN in user_obj.permission_set else user_obj.permission_set
        return {name for permission in held for name in _GRANTS.get(permission, ())}

    def has_perm(self, user_obj: Any, perm: str, obj: models.Model | None = None) -> bool:
        if isinstance(user_obj, User) and user_obj.is_active and ADMIN in user_obj.permission_set:
            return True
        return perm in self.get_all_permissions(user_obj, obj)
