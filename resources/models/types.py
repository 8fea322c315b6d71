"""Resource types: what the `data` of a resource may hold and which states it passes through."""

from typing import Final

from django.db import models
from django.db.models import Q

from core.models import BaseModel, StoredJSON
from resources.visibility import Visibility

ITEM: Final = "item"
"""The type that is always there: any JSON object, no workflow."""


class ResourceType(BaseModel):
    """A kind of resource. `key` never changes: resources point at it, so that a list needs no join."""

    key = models.CharField(max_length=50, unique=True)
    name = models.CharField(max_length=100)
    description = models.CharField(max_length=2000, blank=True, default="", db_default="")
    icon = models.CharField(max_length=50, blank=True, default="", db_default="")
    schema = models.JSONField(default=dict, db_default={}, decoder=StoredJSON)
    schema_version = models.PositiveIntegerField(default=1, db_default=1)
    field_rules = models.JSONField(null=True, editable=False)
    """`x-read` of the present schema as `[{"path": […], "roles": […]}]`, so that a read hides by SQL alone; null for
    none, which is what most types and deployments have."""

    search_plan = models.JSONField(null=True, editable=False)
    """What `x-search`, `x-read` and `x-encrypted` mean for full text; the trigger that writes the vectors reads it."""

    share_plan = models.JSONField(null=True, editable=False)
    """Which values of `data` stand with the shares too, `{"since": 3, "paths": [[…]]}`: what `x-index` names and nobody
    may be kept from reading. `since` is the schema version that first said so; null where there are none."""

    workflow = models.JSONField(null=True, blank=True)
    default_visibility = models.CharField(
        max_length=10, default=Visibility.PRIVATE, db_default=Visibility.PRIVATE.value
    )
    comments = models.BooleanField(default=True, db_default=True)
    trash_days = models.PositiveIntegerField(default=30, db_default=30)
    version = models.PositiveIntegerField(default=1, db_default=1, editable=False)

    class Meta:
        db_table = "resource_types"
        constraints = [
            models.CheckConstraint(condition=Q(key__regex=r"^[a-z][a-z0-9_-]{0,49}$"), name="ck_resource_types_key"),
            models.CheckConstraint(
                condition=Q(default_visibility__in=Visibility.values), name="ck_resource_types_default_visibility"
            ),
            models.CheckConstraint(condition=Q(trash_days__gte=1), name="ck_resource_types_trash_days"),
        ]
        indexes = [
            models.Index(fields=["key"], condition=Q(field_rules__isnull=False), name="idx_resource_types_field_rules")
        ]

    def __str__(self) -> str:
        return self.name


class ResourceTypeVersion(BaseModel):
    """A schema that a type had or has; it is never changed, so what was compiled from it may be kept."""

    type = models.ForeignKey(ResourceType, models.CASCADE, related_name="versions", db_index=False)
    number = models.PositiveIntegerField()
    schema = models.JSONField(decoder=StoredJSON)

    class Meta:
        db_table = "resource_type_versions"
        constraints = [models.UniqueConstraint(fields=["type", "number"], name="uq_resource_type_versions_type_number")]

    def __str__(self) -> str:
        return f"{self.type_id} version {self.number}"
