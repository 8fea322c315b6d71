"""A role is a name and one JSON list of permission strings; every user has exactly one."""

from typing import Final

from django.conf import settings
from django.db import models
from django.db.models.lookups import Exact

from core.models import TimestampedModel

DEFAULT_ROLE: Final = "user"
ADMIN_ROLE: Final = "admin"


def demands_mfa(name: str, is_marked: bool) -> bool:
    """Return whether a role demands two-factor sign-in: by its mark, or by the operator's MFA_REQUIRED_ROLES."""
    return is_marked or name in settings.MFA_REQUIRED_ROLES


class JsonType(models.Func):
    """`jsonb_typeof(value)`."""

    function = "jsonb_typeof"
    output_field = models.CharField()


class DefaultRole(models.Func):
    """`nook_default_role()`: the id of the role `user`, so that a raw INSERT of a user works too."""

    function = "nook_default_role"
    output_field = models.IntegerField()


class Role(TimestampedModel):
    """A named set of permissions from `core.permissions.PERMISSIONS`."""

    id = models.AutoField(primary_key=True)
    name = models.CharField(max_length=50, unique=True)
    description = models.CharField(max_length=500, blank=True, default="", db_default="")
    permissions = models.JSONField(default=list, db_default=[])
    require_mfa = models.BooleanField(default=False, db_default=False)
    version = models.PositiveIntegerField(default=1, db_default=1, editable=False)

    class Meta:
        db_table = "roles"
        constraints = [
            models.CheckConstraint(
                name="ck_roles_permissions_array",
                condition=Exact(JsonType("permissions"), models.Value("array")),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def demands_mfa(self) -> bool:
        """Return whether who has this role has to sign in with a second factor."""
        return demands_mfa(self.name, self.require_mfa)

    @property
    def permission_set(self) -> frozenset[str]:
        return frozenset(self.permissions)
