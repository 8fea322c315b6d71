"""Watches: who follows a resource, and so hears of what becomes of it."""

from django.conf import settings
from django.db import models

from core.models import BaseModel


class Watch(BaseModel):
    """Somebody follows a resource. It says who wants to hear, not who may: that is asked each time."""

    resource = models.ForeignKey("resources.Resource", models.CASCADE, related_name="watches", db_index=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_index=False)

    class Meta:
        db_table = "watches"
        verbose_name_plural = "watches"
        constraints = [models.UniqueConstraint(fields=["resource", "user"], name="uq_watches_resource_user")]
        indexes = [models.Index(fields=["user"], name="idx_watches_user_id")]

    def __str__(self) -> str:
        return f"{self.resource_id} by {self.user_id}"
