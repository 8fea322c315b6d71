"""What every table of ours has: a UUIDv7 key and two times, all with database defaults."""

from django.db import models
from django.db.models.functions import Now

from core.identifiers import uuid7


class DatabaseUuid7(models.Func):
    """`nook_uuid7()`: the SQL twin of `core.identifiers.uuid7`, so that a raw INSERT works too."""

    function = "nook_uuid7"
    output_field = models.UUIDField()


class TimestampedModel(models.Model):
    """`created_at` and `updated_at`; a trigger keeps `updated_at` right for raw SQL too (`KeepUpdatedAt`)."""

    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        abstract = True


class BaseModel(TimestampedModel):
    """The base of our tables: UUIDv7 primary key made in Python, with a database default beside it."""

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=DatabaseUuid7(), editable=False)

    class Meta:
        abstract = True
