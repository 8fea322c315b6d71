"""Comments: what people say to one another about a resource."""

from typing import Final

from django.conf import settings
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Length
from django.db.models.lookups import LessThanOrEqual

from core.models import BaseModel

MAX_BODY: Final = 10_000
"""Characters in one comment."""


class Comment(BaseModel):
    """One comment. A deleted one stays without its words, so that a conversation does not close over a gap."""

    resource = models.ForeignKey("resources.Resource", models.CASCADE, related_name="comments", db_index=False)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    body = models.TextField(blank=True)
    edited_at = models.DateTimeField(null=True, blank=True, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    version = models.PositiveIntegerField(default=1, db_default=1, editable=False)

    class Meta:
        db_table = "comments"
        constraints = [
            models.CheckConstraint(
                condition=Q(deleted_at__isnull=True) ^ Q(body=""), name="ck_comments_deleted_have_no_words"
            ),
            models.CheckConstraint(
                condition=LessThanOrEqual(Length("body"), Value(MAX_BODY)), name="ck_comments_body_length"
            ),
        ]
        indexes = [
            models.Index(F("resource"), F("created_at"), F("id"), name="idx_comments_resource_id"),
            models.Index(F("author"), name="idx_comments_author_id"),
        ]

    def __str__(self) -> str:
        return self.body[:60]
