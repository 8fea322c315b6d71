"""What was told to whom: a row per person and thing told, per message and channel, per attempt to deliver it."""

from datetime import time, timedelta
from typing import ClassVar, Final, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from core.crypto import EncryptedJSONField
from core.models import BaseModel
from core.permissions import Caller

IN_APP = "in_app"
"""The channel that is the notification's own row."""

EMAIL = "email"
SMS = "sms"
PUSH = "push"

MAX_ATTEMPTS: Final = 12
"""How often a message is offered before it is given up: about five hours, which outlast most outages."""

HELD = "held"
"""Waits until `not_before`: for the end of quiet hours, or for its turn among many."""

COLLECTING = "collecting"
"""Waits for the digest that leaves at `not_before`."""

COLLECTED = "collected"
"""Went along in the digest that `carrier` is."""

QUEUED = "queued"
SENDING = "sending"
SENT = "sent"
DELIVERED = "delivered"
BOUNCED = "bounced"
FAILED = "failed"
SUPPRESSED = "suppressed"
STATES = (HELD, COLLECTING, COLLECTED, QUEUED, SENDING, SENT, DELIVERED, BOUNCED, FAILED, SUPPRESSED)
OPEN_STATES = (QUEUED, SENDING)
WAITING_STATES = (HELD, COLLECTING)

OWN_LANE = "notifications"
BULK_LANE = "bulk"
"""The queue in which what goes to very many is delivered, so that nobody's password waits behind it."""

OFF = "off"
HOURLY = "hourly"
DAILY = "daily"
DIGESTS = (OFF, HOURLY, DAILY)

OUTCOME_SENT = "sent"
OUTCOME_DEFERRED = "deferred"
OUTCOME_REFUSED = "refused"
OUTCOME_INTERRUPTED = "interrupted"
OUTCOMES = (OUTCOME_SENT, OUTCOME_DEFERRED, OUTCOME_REFUSED, OUTCOME_INTERRUPTED)


class NotificationQuerySet(models.QuerySet["Notification"]):
    """Reads of the inbox."""

    def inbox_of(self, caller: Caller) -> Self:
        """Return what stands in the caller's inbox: the one door to it."""
        return self.filter(user_id=caller.own_id, is_in_inbox=True, archived_at=None)

    def unread(self) -> Self:
        """Return what was not read yet."""
        return self.filter(read_at=None)


class Notification(BaseModel):
    """One thing that one person is told; the row itself is the channel `in_app`.

    `context` is plain: a kind whose variables hold secrets has no notification, it is a message alone.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=100)
    context = models.JSONField(default=dict, db_default={})
    subject_type = models.CharField(max_length=100, blank=True, default="", db_default="")
    subject_id = models.CharField(max_length=64, blank=True, default="", db_default="")
    event_id = models.UUIDField(null=True, blank=True)
    dedup_key = models.CharField(max_length=200)
    is_in_inbox = models.BooleanField(default=True, db_default=True)
    """Whether the person has `in_app` on for the kind; a notification that is only mailed stands in no inbox."""
    read_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    """When the person removed it; the row stays until the purge, so that a replay of its event tells nothing again."""

    objects: ClassVar[models.Manager[Self]] = NotificationQuerySet.as_manager()

    class Meta:
        db_table = "notifications"
        constraints = [models.UniqueConstraint(fields=["user", "dedup_key"], name="uq_notifications_user_dedup_key")]
        indexes = [
            models.Index(
                fields=["user", "-created_at", "-id"],
                name="idx_notifications_inbox",
                condition=Q(is_in_inbox=True, archived_at=None),
            ),
            models.Index(
                fields=["user"],
                name="idx_notifications_unread",
                condition=Q(is_in_inbox=True, archived_at=None, read_at=None),
            ),
            models.Index(fields=["created_at"], name="idx_notifications_created_at"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} for {self.user_id}"


class NotificationPreferences(BaseModel):
    """How one person wants to be told; who has no row has every default."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    choices = models.JSONField(default=dict, db_default={})
    """`{kind: {channel: bool}}`, where it differs from the kind's default."""
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_until = models.TimeField(null=True, blank=True)
    quiet_time_zone = models.CharField(max_length=64, blank=True, default="", db_default="")
    """The zone of the quiet hours; empty: that of the profile."""
    digest = models.CharField(max_length=10, default=OFF, db_default=OFF)
    version = models.PositiveIntegerField(default=1, db_default=1, editable=False)

    class Meta:
        db_table = "notification_preferences"
        verbose_name_plural = "notification preferences"
        constraints = [
            models.CheckConstraint(condition=Q(digest__in=DIGESTS), name="ck_notification_preferences_digest"),
            models.CheckConstraint(
                condition=Q(quiet_from=None, quiet_until=None)
                | (Q(quiet_from__isnull=False, quiet_until__isnull=False) & ~Q(quiet_from=F("quiet_until"))),
                name="ck_notification_preferences_quiet_hours",
            ),
        ]

    def __str__(self) -> str:
        return f"preferences of {self.user_id}"

    @property
    def quiet_hours(self) -> tuple[time, time] | None:
        """Return when they begin and end, on the clock of their zone."""
        if self.quiet_from is None or self.quiet_until is None:
            return None
        return self.quiet_from, self.quiet_until


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
    text is made from `context`, which may hold links with secrets and so is encrypted; that of a
    notification's message is the notification's.
    """

    notification = models.ForeignKey(
        Notification, models.CASCADE, null=True, blank=True, related_name="messages", db_index=False
    )
    carrier = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="carried", db_index=False)
    """The digest in which this one went along."""
    kind = models.CharField(max_length=100)
    channel = models.CharField(max_length=20, default=EMAIL, db_default=EMAIL)
    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="+", db_index=False
    )
    address = models.CharField(max_length=2048)
    locale = models.CharField(max_length=35, default="en", db_default="en")
    context = EncryptedJSONField(null=True)
    lane = models.CharField(max_length=20, default=OWN_LANE, db_default=OWN_LANE)
    """The queue in which it is delivered."""
    not_before = models.DateTimeField(null=True, blank=True)
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
            models.CheckConstraint(condition=~Q(channel=""), name="ck_messages_channel"),
            models.CheckConstraint(
                condition=~Q(state__in=WAITING_STATES) | Q(not_before__isnull=False), name="ck_messages_waiting"
            ),
            models.CheckConstraint(
                condition=Q(context__isnull=False) | Q(notification__isnull=False), name="ck_messages_context"
            ),
            models.UniqueConstraint(
                fields=["notification", "channel"],
                condition=Q(notification__isnull=False),
                name="uq_messages_notification_channel",
            ),
            models.UniqueConstraint(fields=["message_id"], name="uq_messages_message_id"),
            models.UniqueConstraint(fields=["dedup_key"], name="uq_messages_dedup_key"),
        ]
        indexes = [
            models.Index(fields=["recipient", "-created_at"], name="idx_messages_recipient_id"),
            models.Index(fields=["state", "-created_at"], name="idx_messages_state"),
            models.Index(fields=["address"], name="idx_messages_address"),
            models.Index(fields=["created_at"], name="idx_messages_sms", condition=Q(channel=SMS)),
            models.Index(fields=["not_before"], name="idx_messages_waiting", condition=Q(state__in=WAITING_STATES)),
            models.Index(fields=["carrier"], name="idx_messages_carrier_id", condition=Q(carrier__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.address}"

    @property
    def first_attempt_at_hand(self) -> int:
        """Return the number of the first attempt since it was sent, or sent again: what was before is another story."""
        return self.attempt_count - (MAX_ATTEMPTS - self.attempts_left) + 1


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
