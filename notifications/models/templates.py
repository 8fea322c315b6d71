"""What staff let messages say instead of the files: per kind, channel and language, with every earlier wording."""

from typing import ClassVar, Final, Self

from django.db import models
from django.db.models import Q

from core.models import BaseModel

MOST_SUBJECT: Final = 200

CREATED = "created"
UPDATED = "updated"
RESTORED = "restored"


class Wording(models.Model):
    """What is said, in the parts that its channel has."""

    subject = models.CharField(max_length=MOST_SUBJECT, blank=True, default="", db_default="")
    text = models.TextField(blank=True, default="", db_default="")
    html = models.TextField(blank=True, default="", db_default="")
    is_active = models.BooleanField(default=True, db_default=True)
    edited_by = models.UUIDField(null=True, blank=True, editable=False)
    """Who wrote it, as the event log names people; null: the system."""

    class Meta:
        abstract = True


class MessageTemplate(Wording, BaseModel):
    """The wording that stands before the file's, as long as it is active and can be filled in.

    `locale` is a language tag in small letters, or empty: for everybody whose language has no wording of its own.
    """

    kind = models.CharField(max_length=100)
    channel = models.CharField(max_length=20)
    locale = models.CharField(max_length=35, blank=True, default="", db_default="")
    version = models.PositiveIntegerField(default=1, db_default=1, editable=False)
    failed_at = models.DateTimeField(null=True, blank=True, editable=False)
    """When a message had to be written from the file, because this version of the wording could not be filled in."""
    failure = models.CharField(max_length=500, blank=True, default="", db_default="", editable=False)

    objects: ClassVar[models.Manager[Self]]

    class Meta:
        db_table = "message_templates"
        constraints = [
            models.UniqueConstraint(fields=["kind", "channel", "locale"], name="uq_message_templates_place"),
            models.CheckConstraint(
                condition=Q(locale__regex=r"^([a-z]{2,3}(-[a-z0-9]{2,8})*)?$"), name="ck_message_templates_locale"
            ),
        ]

    def __str__(self) -> str:
        return ".".join(part for part in (self.kind, self.channel, self.locale) if part)


class MessageTemplateVersion(Wording, BaseModel):
    """A wording that a template had or has; never changed."""

    template = models.ForeignKey(MessageTemplate, models.CASCADE, related_name="versions", db_index=False)
    number = models.PositiveIntegerField()
    action = models.CharField(max_length=10)

    class Meta:
        db_table = "message_template_versions"
        constraints = [
            models.UniqueConstraint(fields=["template", "number"], name="uq_message_template_versions_number"),
            models.CheckConstraint(
                condition=Q(action__in=(CREATED, UPDATED, RESTORED)), name="ck_message_template_versions_action"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.template} version {self.number}"
