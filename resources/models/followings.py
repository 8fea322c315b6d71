"""That the records of a type have yet to follow its schema: a row from the change on until all of them have."""

from typing import Final

from django.db import models
from django.db.models import Q

from core.models import BaseModel
from resources.models.types import ResourceType

SEARCH: Final = "search"
"""The vectors of full text."""

VALUES: Final = "values"
"""Sealed values, and the rows beside the records: unique values and references."""

SHARES: Final = "shares"
"""What shares keep of their records' values."""


class SchemaFollowing(BaseModel):
    """What of a type's records is as another schema had it; a job ends it, and an hourly look finds it a new job."""

    type = models.ForeignKey(
        ResourceType, models.CASCADE, to_field="key", db_column="type", db_index=False, related_name="followings"
    )
    work = models.CharField(max_length=10)
    schema_version = models.PositiveIntegerField()
    """The version of the schema from which on they have to be looked at."""

    is_closing = models.BooleanField(default=False, db_default=False)
    """Whether a value was closed that the vectors may still hold: until then a search looks at the record itself."""

    class Meta:
        db_table = "schema_followings"
        constraints = [
            models.UniqueConstraint(fields=["type", "work"], name="uq_schema_followings_type_work"),
            models.CheckConstraint(condition=Q(work__in=[SEARCH, SHARES, VALUES]), name="ck_schema_followings_work"),
        ]

    def __str__(self) -> str:
        return f"{self.work} since schema {self.schema_version}"
