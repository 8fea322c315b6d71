"""Where events are sent to outside: endpoints, what each was sent, and how every try went."""

from datetime import timedelta
from typing import ClassVar, Final, Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from core.crypto import EncryptedTextField
from core.event_types import patterns_of
from core.models import BaseModel
from core.permissions import Caller

RETRY_SECONDS: Final = (5, 60, 300, 1800, 7200, 14_400, 21_600, 36_000)
"""The waits after the failed attempts: eight retries over some 23 hours."""

ATTEMPTS_IN_A_ROUND: Final = len(RETRY_SECONDS) + 1

NEVER_SENT: Final = "webhook."

QUEUED = "queued"
SENDING = "sending"
DELIVERED = "delivered"
FAILED = "failed"
SUPPRESSED = "suppressed"
DELIVERY_STATES = (QUEUED, SENDING, DELIVERED, FAILED, SUPPRESSED)
OPEN_DELIVERY_STATES = (QUEUED, SENDING)

ANSWERED = "answered"
REFUSED = "refused"
UNREACHABLE = "unreachable"
INTERRUPTED = "interrupted"
ATTEMPT_OUTCOMES = (ANSWERED, REFUSED, UNREACHABLE, INTERRUPTED)


class WebhookEndpointQuerySet(models.QuerySet["WebhookEndpoint"]):
    """Reads of endpoints."""

    def visible_to(self, caller: Caller) -> Self:
        """Return the caller's own endpoints: the one door to them."""
        return self.filter(owner_id=caller.own_id)

    def listening_to(self, type_: str) -> Self:
        """Return the endpoints that are switched on and ask for events of this type; none for those of webhooks.

        An endpoint that fails would be told of its failures, and fail at that.
        """
        if type_.startswith(NEVER_SENT):
            return self.none()
        return self.filter(is_active=True, events__overlap=patterns_of(type_))


class WebhookEndpoint(BaseModel):
    """An address that events are sent to, for somebody who may read them.

    `failing_since` stands from the first failure to the next success. While `paused_until` lies ahead the circuit
    is open: nothing is sent, and nothing counts as an attempt.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_index=False)
    url = models.CharField(max_length=2048)
    events = ArrayField(models.CharField(max_length=100))
    is_active = models.BooleanField(default=True, db_default=True)
    version = models.PositiveIntegerField(default=1, db_default=1, editable=False)
    secret = EncryptedTextField()
    previous_secret = EncryptedTextField(null=True, blank=True)
    previous_secret_until = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveIntegerField(default=0, db_default=0)
    failing_since = models.DateTimeField(null=True, blank=True)
    paused_until = models.DateTimeField(null=True, blank=True)
    last_success_at = models.DateTimeField(null=True, blank=True)
    disabled_at = models.DateTimeField(null=True, blank=True)
    disabled_reason = models.CharField(max_length=200, blank=True, default="", db_default="")

    objects: ClassVar[models.Manager[Self]] = WebhookEndpointQuerySet.as_manager()

    class Meta:
        db_table = "webhook_endpoints"
        constraints = [
            models.CheckConstraint(condition=~Q(events=[]), name="ck_webhook_endpoints_events"),
            models.CheckConstraint(
                condition=Q(previous_secret__isnull=True) | Q(previous_secret_until__isnull=False),
                name="ck_webhook_endpoints_previous_secret",
            ),
        ]
        indexes = [
            models.Index(fields=["owner", "-created_at"], name="idx_webhook_endpoints_owner_id"),
            GinIndex(fields=["events"], name="idx_webhook_endpoints_events", condition=Q(is_active=True)),
        ]

    def __str__(self) -> str:
        # Without the query, which often holds the receiver's own key.
        return self.url.partition("?")[0]


class WebhookDeliveryQuerySet(models.QuerySet["WebhookDelivery"]):
    """Reads of deliveries."""

    def open(self) -> Self:
        """Return what is still to be delivered."""
        return self.filter(state__in=OPEN_DELIVERY_STATES)

    def past_their_time(self) -> Self:
        """Return what was done with `WEBHOOK_RETENTION_DAYS` ago."""
        old = Now() - timedelta(days=settings.WEBHOOK_RETENTION_DAYS)
        return self.filter(created_at__lt=old).exclude(state__in=OPEN_DELIVERY_STATES)


class WebhookDelivery(BaseModel):
    """One event for one endpoint, whatever it takes to get it there.

    `next_attempt_at` is the one clock of a row: when it is to be tried (again), and while it is being sent, when
    the worker that sends it counts as dead.
    """

    endpoint = models.ForeignKey(WebhookEndpoint, models.CASCADE, related_name="deliveries", db_index=False)
    event_id = models.UUIDField()
    event_type = models.CharField(max_length=100)
    body = models.TextField()
    state = models.CharField(max_length=20, default=QUEUED, db_default=QUEUED)
    attempt_count = models.PositiveSmallIntegerField(default=0, db_default=0)
    attempts_left = models.PositiveSmallIntegerField(default=ATTEMPTS_IN_A_ROUND, db_default=ATTEMPTS_IN_A_ROUND)
    next_attempt_at = models.DateTimeField(db_default=Now(), null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[models.Manager[Self]] = WebhookDeliveryQuerySet.as_manager()

    class Meta:
        db_table = "webhook_deliveries"
        verbose_name_plural = "webhook deliveries"
        constraints = [
            models.CheckConstraint(condition=Q(state__in=DELIVERY_STATES), name="ck_webhook_deliveries_state"),
            models.CheckConstraint(
                condition=Q(next_attempt_at__isnull=False) | ~Q(state__in=OPEN_DELIVERY_STATES),
                name="ck_webhook_deliveries_next_attempt",
            ),
            models.UniqueConstraint(fields=["endpoint", "event_id"], name="uq_webhook_deliveries_event"),
        ]
        indexes = [
            models.Index(fields=["endpoint", "-created_at"], name="idx_webhook_deliveries_latest"),
            models.Index(
                fields=["endpoint", "next_attempt_at"],
                name="idx_webhook_deliveries_lane",
                condition=Q(state__in=OPEN_DELIVERY_STATES),
            ),
            models.Index(fields=["next_attempt_at"], name="idx_webhook_deliveries_sending", condition=Q(state=SENDING)),
            models.Index(fields=["created_at"], name="idx_webhook_deliveries_age"),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.webhook_id}"

    @property
    def webhook_id(self) -> str:
        """Return the id by which a receiver knows a message that it has had: the same on every try."""
        return f"msg_{self.event_id.hex}"


class WebhookAttempt(BaseModel):
    """One try: what was answered, how long it took."""

    delivery = models.ForeignKey(WebhookDelivery, models.CASCADE, related_name="attempts", db_index=False)
    number = models.PositiveSmallIntegerField()
    started_at = models.DateTimeField(null=True, blank=True)
    milliseconds = models.PositiveIntegerField(null=True, blank=True)
    outcome = models.CharField(max_length=20)
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    answer = models.CharField(max_length=1000, blank=True, default="", db_default="")
    """The start of the body, or what went wrong."""
    next_attempt_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "webhook_attempts"
        constraints = [
            models.CheckConstraint(condition=Q(outcome__in=ATTEMPT_OUTCOMES), name="ck_webhook_attempts_outcome"),
            models.UniqueConstraint(fields=["delivery", "number"], name="uq_webhook_attempts_number"),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number}: {self.status or self.outcome}"
