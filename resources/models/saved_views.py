"""Saved views: the parameters of a list under a name."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from core.models import BaseModel
from core.permissions import Caller


class SavedViewQuerySet(models.QuerySet["SavedView"]):
    """Reads of views; `visible_to` is the one door."""

    def visible_to(self, caller: Caller) -> Self:
        """Return the caller's own views, and those that somebody shows to everyone who is signed in."""
        if caller.is_anonymous:
            return self.none()
        return self.filter(Q(owner_id=caller.id) | Q(shared=True))


class SavedView(BaseModel):
    """Parameters of `GET /resources`. They say what to look for; what is found is what the caller may read."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(max_length=100)
    filters = models.JSONField(default=dict, db_default={}, blank=True)
    shared = models.BooleanField(default=False, db_default=False)
    version = models.PositiveIntegerField(default=1, db_default=1, editable=False)

    objects = SavedViewQuerySet.as_manager()

    class Meta:
        db_table = "saved_views"
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="ck_saved_views_name"),
            models.CheckConstraint(condition=Q(version__gte=1), name="ck_saved_views_version"),
            models.UniqueConstraint(fields=["owner", "name"], name="uq_saved_views_owner_name"),
        ]
        indexes = [models.Index(fields=["name", "id"], condition=Q(shared=True), name="idx_saved_views_shared")]

    def __str__(self) -> str:
        return self.name
