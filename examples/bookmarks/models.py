"""What people want to find again."""

from typing import Self

from django.conf import settings
from django.db import models

from core.models import BaseModel
from core.permissions import Caller


class BookmarkQuerySet(models.QuerySet["Bookmark"]):
    def visible_to(self, caller: Caller) -> Self:
        """Return the caller's own bookmarks: the one door to them."""
        return self.filter(owner_id=caller.id)


class Bookmark(BaseModel):
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    url = models.URLField(max_length=2000)

    objects = BookmarkQuerySet.as_manager()

    class Meta:
        db_table = "bookmarks"
        constraints = [models.UniqueConstraint(fields=["owner", "url"], name="uq_bookmarks_owner_url")]

    def __str__(self) -> str:
        return self.url
