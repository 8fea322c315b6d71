"""A role is a name and one JSON list of permission strings; every user has exactly one."""

from django.db import models

from core.models import TimestampedModel


class Role(TimestampedModel):
    """A named set of permissions from `core.permissions.PERMISSIONS`."""

    id = models.AutoField(primary_key=True)
    name = models.CharField(max_length=50, unique=True)
    description = models.CharField(max_length=500, blank=True, default="", db_default="")
    permissions = models.JSONField(default=list, db_default=[])
    require_mfa = models.BooleanField(default=False, db_default=False)

    class Meta:
        db_table = "roles"

    def __str__(self) -> str:
        return self.name
