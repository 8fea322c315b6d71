"""What was told to whom: a row per message and channel, a row per attempt to deliver it."""

from datetime import timedelta
from typing import ClassVar, Final, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from core.crypto import EncryptedJSONField
from core.models import BaseModel
from notifications.webhook_models import WebhookAttempt, WebhookDelivery, WebhookEndpoint

__all__ = ["Message", "MessageAttempt", "WebhookAttempt", "WebhookDelivery", "WebhookEndpoint"]

EMAIL = "email"
SMS = "sms"
CHANNELS = (EMAIL, SMS)

MAX_ATTEMPTS: Final = 12
"""How often a message is offered before it is given up: about five hours, which outlast most outages."""

QUEUED = "queued"
SENDING = "sending"
SENT = "sent"
DELIVERED = "delivered"
BOUNCED = "bounced"
FAILED = "failed"
SUPPRESSED = "suppressed"
STATES = (QUEUED, SENDING, SENT, DELIVERED, BOUNCED, FAILED, SUPPRESSED)
OPEN_STATES = (QUEUED, SENDING)

OUTCOME_SENT = "sent"
OUTCOME_DEFERRED = "deferred"
OUTCOME_REFUSED = "refused"
OUTCOME_INTERRUPTED = "interrupted"
OUTCOMES = (OUTCOME_SENT, OUTCOME_DEFERRED, OUTCOME_REFUSED, OUTCOME_INTERRUPTED)


class MessageQuerySet(models.QuerySet["Message"]):
    """Reads by state."""

    def open(self) -> Self:
        """Return the messages that are still to be delivered."""
        return self.filter(state__in=OPEN_STATES)

    def texts_of_the_last_day(self) -> Self:
        """Return the text messages of the last 24 hours, whatever became of them."""
        return self.filter(channel=SMS, created_at__gt=Now() - timedelta(days=1))

    def failed(self) -> Self:
        """Return the messages that were given up."""
        return self.filter(state__in=(FAILED, BOUNCED))


class Message(BaseModel):
    """One message to one address over one channel.

    The row is written in the transaction of what it tells about; a worker delivers it later. The
    text is made from `context`, which may hold links with secrets and so is encrypted.
    """

    kind = models.CharField(max_length=100)
    channel = models.CharField(max_length=20, default=EMAIL, db_default=EMAIL)
    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="+", db_index=False
    )
    address = models.CharField(max_length=2048)
    locale = models.CharField(max_length=35, default="en", db_default="en")
    context = EncryptedJSONField()
    state = models.CharField(max_length=20, default=QUEUED, db_default=QUEUED)
    attempt_count = models.PositiveSmallIntegerField(default=0, db_default=0)
    attempts_left = models.PositiveSmallIntegerField(default=MAX_ATTEMPTS, db_default=MAX_ATTEMPTS)
    claimed_at = models.DateTimeField(null=True, blank=True)
    next_try_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    message_id = models.CharField(max_length=255)
    dedup_key = models.CharField(max_length=200, null=True, blank=True)

    objects: ClassVar[models.Manager[Self]] = MessageQuerySet.as_manager()

    class Meta:
        db_table = "messages"
        constraints = [
            models.CheckConstraint(condition=Q(state__in=STATES), name="ck_messages_state"),
            models.CheckConstraint(condition=Q(channel__in=CHANNELS), name="ck_messages_channel"),
            models.UniqueConstraint(fields=["message_id"], name="uq_messages_message_id"),
            models.UniqueConstraint(fields=["dedup_key"], name="uq_messages_dedup_key"),
        ]
        indexes = [
            models.Index(fields=["recipient", "-created_at"], name="idx_messages_recipient_id"),
            models.Index(fields=["state", "-created_at"], name="idx_messages_state"),
            models.Index(fields=["address"], name="idx_messages_address"),
            models.Index(fields=["created_at"], name="idx_messages_sms", condition=Q(channel=SMS)),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.address}"


class MessageAttempt(BaseModel):
    """One try to deliver a message: what the other side answered, and when we try again."""

    message = models.ForeignKey(Message, models.CASCADE, related_name="attempts", db_index=False)
    number = models.PositiveSmallIntegerField()
    finished_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=20, blank=True, default="", db_default="")
    answer = models.CharField(max_length=1000, blank=True, default="", db_default="")
    next_try_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "message_attempts"
        constraints = [
            models.CheckConstraint(condition=Q(outcome__in=("", *OUTCOMES)), name="ck_message_attempts_outcome"),
            models.UniqueConstraint(fields=["message", "number"], name="uq_message_attempts_number"),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number}: {self.outcome or 'under way'}"
