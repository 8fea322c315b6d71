"""The rows that keywords of a schema keep beside the records: unique values, and references between resources."""

from typing import Final

from django.db import models

from core.models import BaseModel
from resources.models.records import Resource
from resources.models.types import ResourceType

DIGEST_BYTES: Final = 32


class UniqueValue(BaseModel):
    """A value that one live resource of a type has at a path with `x-unique`, as a digest; the index does the rest."""

    type = models.ForeignKey(
        ResourceType, models.CASCADE, to_field="key", db_column="type", db_index=False, related_name="+"
    )
    path = models.TextField()
    digest = models.BinaryField(max_length=DIGEST_BYTES)
    resource = models.ForeignKey(Resource, models.CASCADE, related_name="unique_values", db_index=False)

    class Meta:
        db_table = "resource_unique_values"
        constraints = [
            models.UniqueConstraint(fields=["type", "path", "digest"], name="uq_resource_unique_values_value"),
            models.UniqueConstraint(fields=["resource", "path"], name="uq_resource_unique_values_resource_path"),
        ]

    def __str__(self) -> str:
        return f"{self.path} of {self.resource_id}"


class ResourceReference(BaseModel):
    """A resource refers to another at a path with `x-ref`; `on_delete` is what its type says happens then."""

    resource = models.ForeignKey(Resource, models.CASCADE, related_name="references", db_index=False)
    path = models.TextField()
    target = models.ForeignKey(Resource, models.CASCADE, related_name="referrers", db_index=False)
    on_delete = models.CharField(max_length=10)

    class Meta:
        db_table = "resource_references"
        constraints = [
            models.UniqueConstraint(
                fields=["resource", "path", "target"], name="uq_resource_references_resource_path_target"
            ),
            models.CheckConstraint(
                condition=models.Q(on_delete__in=["restrict", "set_null", "cascade"]),
                name="ck_resource_references_on_delete",
            ),
        ]
        indexes = [models.Index(fields=["target"], name="idx_references_target_id")]

    def __str__(self) -> str:
        return f"{self.resource_id} at {self.path}: {self.target_id}"
