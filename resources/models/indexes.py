"""The indexes over values of `data` that types ask for with `x-index`, and how far each is."""

from typing import Any, Final

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from core.models import BaseModel
from resources.models.types import ResourceType


class IndexState(models.TextChoices):
    """How far an index is; only a ready one serves filters and sorts of a type with many resources."""

    BUILDING = "building", "Building"
    READY = "ready", "Ready"
    FAILED = "failed", "Failed"


MEASURES: Final = ("text", "number", "time", "flag")
"""In how many ways values are compared; see `resources.data_values`."""


class TypeIndex(BaseModel):
    """What a type's schema wants indexed. The rows say what there should be; a job makes the database agree."""

    type = models.ForeignKey(ResourceType, models.CASCADE, related_name="indexes", db_index=False)
    path = ArrayField(models.TextField())
    measure = models.CharField(max_length=10)
    state = models.CharField(
        max_length=10, choices=IndexState.choices, default=IndexState.BUILDING, db_default=IndexState.BUILDING.value
    )
    error = models.CharField(max_length=500, blank=True, default="", db_default="")

    class Meta:
        db_table = "type_indexes"
        verbose_name_plural = "type indexes"
        constraints = [
            models.UniqueConstraint(fields=["type", "path"], name="uq_type_indexes_type_path"),
            models.CheckConstraint(condition=Q(state__in=IndexState.values), name="ck_type_indexes_state"),
            models.CheckConstraint(condition=Q(measure__in=MEASURES), name="ck_type_indexes_measure"),
        ]

    def __str__(self) -> str:
        return self.dotted

    @property
    def dotted(self) -> str:
        """Return the path as queries name it."""
        names: list[Any] = ["data", *self.path]
        return ".".join(names)
