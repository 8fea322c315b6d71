"""Access reviews: who looked at what somebody may do, when, and what they found."""

from django.conf import settings
from django.db import models

from accounts.models.users import User
from core.models import BaseModel


class AccessReview(BaseModel):
    """The mark that somebody's access was looked at; `created_at` is when."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="access_reviews", db_index=False)
    reviewed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    note = models.CharField(max_length=500, blank=True, default="", db_default="")

    class Meta:
        db_table = "access_reviews"
        indexes = [
            models.Index(fields=["user", "-created_at"], name="idx_access_reviews_user_id"),
            models.Index(fields=["created_at"], name="idx_access_reviews_created"),
        ]

    def __str__(self) -> str:
        return f"{self.user} on {self.created_at:%d %B %Y}"


class AccessOfUser(User):
    """A user, on the page where their access is reviewed."""

    class Meta:
        proxy = True
        verbose_name = "access review"
