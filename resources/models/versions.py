"""The history of a resource: one row for every write."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from core.models import BaseModel, StoredJSON


class ResourceVersion(BaseModel):
    """What a resource was after its write number `number`: who wrote it, when, and what changed.

    `changed` lists dotted paths (`name`, `data.price`); `snapshot` is the whole state, so that one row answers.
    """

    resource = models.ForeignKey("resources.Resource", models.CASCADE, related_name="versions", db_index=False)
    number = models.PositiveIntegerField()
    action = models.CharField(max_length=20)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    snapshot = models.JSONField(decoder=StoredJSON)
    changed = ArrayField(models.TextField())

    class Meta:
        db_table = "resource_versions"
        constraints = [
            models.UniqueConstraint(fields=["resource", "number"], name="uq_resource_versions_resource_number")
        ]
        indexes = [models.Index(fields=["actor"], name="idx_resource_versions_actor_id")]

    def __str__(self) -> str:
        return f"{self.resource_id} version {self.number}"
