"""The history of a resource: one version for every write, of which the first may be the resource itself."""

from typing import Any, Self

from django.conf import settings
from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import BooleanField, F, Func

from core.models import BaseModel, StoredJSON


class Version(BaseModel):
    """What a resource was after its write number `number`: what was done, and what changed.

    `changed` lists dotted paths (`name`, `data.price`); `snapshot` is the whole state, so that one row answers.
    """

    number = models.PositiveIntegerField()
    action = models.CharField(max_length=20)
    snapshot = models.JSONField(decoder=StoredJSON)
    changed = ArrayField(models.TextField())

    class Meta:
        abstract = True


class ResourceVersion(Version):
    """A version that is written. Writers use it; whoever reads uses `ResourceHistory`.

    The first version of what its owner created is not here: until the second comes, the resource says it, and a trigger
    writes it when the second does.
    """

    resource = models.ForeignKey("resources.Resource", models.CASCADE, related_name="versions", db_index=False)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )

    class Meta:
        db_table = "resource_versions"
        constraints = [
            models.UniqueConstraint(fields=["resource", "number"], name="uq_resource_versions_resource_number")
        ]
        indexes = [models.Index(fields=["actor"], name="idx_resource_versions_actor_id")]

    def __str__(self) -> str:
        return f"{self.resource_id} version {self.number}"


class HistoryQuerySet(models.QuerySet["ResourceHistory"]):
    """Reads of versions."""

    def of(self, resources: models.QuerySet[Any]) -> Self:
        """Return the versions of the resources, whose ids lead to them: a join would read every version there is."""
        ids = ArraySubquery(resources.order_by().values("id"))
        among = Func(F("resource"), ids, template="%(expressions)s)", arg_joiner=" = ANY(", output_field=BooleanField())
        return self.filter(among)


class ResourceHistory(Version):
    """Every version of every resource, from a view: those that are written, and the first ones that are not yet."""

    resource = models.ForeignKey("resources.Resource", models.DO_NOTHING, related_name="history", db_constraint=False)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DO_NOTHING, null=True, related_name="+", db_constraint=False
    )

    objects = HistoryQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "resource_history"

    def __str__(self) -> str:
        return f"{self.resource_id} version {self.number}"
