"""When it last changed how resources look beside their versions: names, roles, shares, comments and rules."""

from typing import Final

from django.db import models

from core.models import BaseModel

LOOKS: Final = "looks"
"""A person was renamed or got another role; a role permits something else; a type hides something else."""

SHARES: Final = "shares"
COMMENTS: Final = "comments"


class AppearanceChange(BaseModel):
    """One such change: `subject` is the id of a person or a resource, the name of a role, or the key of a type.

    Triggers write the rows.
    Rows are added and never changed, so that nobody waits for anybody; a sweep keeps the newest of each subject.
    """

    subject = models.TextField()
    part = models.CharField(max_length=10)
    changed_at = models.DateTimeField()

    class Meta:
        db_table = "appearance_changes"
        indexes = [models.Index(fields=["subject", "changed_at"], name="idx_appearance_changes_subject")]

    def __str__(self) -> str:
        return f"{self.part} of {self.subject}"
