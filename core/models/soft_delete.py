"""Soft delete: a row that is gone for everyone and can come back, with all that went with it.

One delete is one `delete_op`; one restore brings back exactly the rows of that operation (the cohort).
"""

from datetime import timedelta
from typing import ClassVar, Self, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

ModelType = TypeVar("ModelType", bound=models.Model, covariant=True)


class SoftDeleteQuerySet(models.QuerySet[ModelType]):
    """Reads by state, and the two writes that belong to the bin."""

    def alive(self) -> Self:
        """Return the rows that are not in the bin."""
        return self.filter(deleted_at__isnull=True)

    def dead(self) -> Self:
        """Return the rows in the bin."""
        return self.filter(deleted_at__isnull=False)

    def move_to_bin(self, *, operation: UUID, by: UUID | None) -> int:
        """Mark the live rows of this set as deleted by one operation; return how many."""
        return self.alive().update(deleted_at=Now(), deleted_by_id=by, delete_op=operation)

    def past_the_bin(self) -> Self:
        """Return the rows that have lain in the bin long enough; a model whose rows differ in that says so here."""
        return self.filter(deleted_at__lt=Now() - timedelta(days=settings.BIN_RETENTION_DAYS))

    def restore_cohort(self, operation: UUID) -> int:
        """Bring back the rows that `operation` deleted; return how many."""
        return self.filter(delete_op=operation).update(deleted_at=None, deleted_by=None, delete_op=None)


class AliveManager(models.Manager[ModelType]):
    """The default manager: hides what is in the bin."""

    def get_queryset(self) -> SoftDeleteQuerySet[ModelType]:
        return SoftDeleteQuerySet(self.model, using=self._db).alive()


class SoftDeleteModel(models.Model):
    """`objects` hides deleted rows, `all_objects` shows them; unique constraints have to be partial."""

    leaves_the_bin_by_purge: ClassVar[bool] = True
    """Whether `core.purge` removes what has lain in the bin for long; false where something else ends its time."""

    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    deleted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    delete_op = models.UUIDField(null=True, blank=True, editable=False)

    objects: ClassVar[models.Manager[Self]] = AliveManager()
    all_objects: ClassVar[models.Manager[Self]] = SoftDeleteQuerySet.as_manager()

    class Meta:
        abstract = True
