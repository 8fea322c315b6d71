"""What other programs tell us: who may, what they said, and which of our handlers has worked it off."""

from datetime import timedelta
from typing import ClassVar, Final, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from core.crypto import EncryptedBytesField, EncryptedTextField
from core.models import BaseModel

STANDARD: Final = "standard"
STRIPE: Final = "stripe"
GITHUB: Final = "github"
HMAC: Final = "hmac"
TWILIO: Final = "twilio"
SNS: Final = "sns"
POSTMARK: Final = "postmark"
SENDGRID: Final = "sendgrid"
MAILGUN: Final = "mailgun"
SCHEMES: Final = {
    STANDARD: "Standard Webhooks (webhook-id, webhook-timestamp, webhook-signature)",
    STRIPE: "Stripe and its like (Stripe-Signature: t=…,v1=…)",
    GITHUB: "GitHub and its like (X-Hub-Signature-256: sha256=…)",
    HMAC: "HMAC-SHA256 of the body in a header of your choice",
    TWILIO: "Twilio and its like (X-Twilio-Signature)",
    SNS: "Amazon SNS, as SES tells by it (the secret is the topic's ARN)",
    POSTMARK: "Postmark (the secret is name:password of the address)",
    SENDGRID: "SendGrid, signed events (the secret is its verification key)",
    MAILGUN: "Mailgun (the secret is the signing key of webhooks)",
}

TEXTS: Final = "sms"
"""The source that tells what became of our text messages."""

ANSWERS_TO_TEXTS: Final = "sms.received"
"""The type of what people answer to them."""

RECEIVED: Final = "received"
HANDLED: Final = "handled"
FAILED: Final = "failed"
UNCLAIMED: Final = "unclaimed"
INBOUND_STATES: Final = (RECEIVED, HANDLED, FAILED, UNCLAIMED)


class WebhookSource(BaseModel):
    """A program that may tell us something at `/webhooks/in/{key}`, and how it proves that it is that program."""

    key = models.SlugField(max_length=50, db_index=False, help_text="Stands in the address: /api/v1/webhooks/in/<key>.")
    name = models.CharField(max_length=100)
    scheme = models.CharField(max_length=20)
    secret = EncryptedTextField()
    old_secret = EncryptedTextField(null=True, blank=True)
    signature_header = models.CharField(
        max_length=100, blank=True, default="", db_default="", help_text="Empty: the scheme's own."
    )
    event_id_header = models.CharField(
        max_length=100,
        blank=True,
        default="",
        db_default="",
        help_text="Empty: the scheme's own, else the body's `id`.",
    )
    tolerance_seconds = models.PositiveIntegerField(
        default=300, db_default=300, help_text="How old a message may be, where the scheme says when it was sent."
    )
    is_active = models.BooleanField(default=True, db_default=True)

    class Meta:
        db_table = "webhook_sources"
        constraints = [
            models.UniqueConstraint(fields=["key"], name="uq_webhook_sources_key"),
            models.CheckConstraint(condition=Q(scheme__in=list(SCHEMES)), name="ck_webhook_sources_scheme"),
            models.CheckConstraint(
                condition=Q(tolerance_seconds__gte=1, tolerance_seconds__lte=86_400),
                name="ck_webhook_sources_tolerance",
            ),
        ]

    def __str__(self) -> str:
        return self.key


_ANSWERS: Final = Q(source__scheme=TWILIO, type=ANSWERS_TO_TEXTS)


class InboundWebhookQuerySet(models.QuerySet["InboundWebhook"]):
    """Reads of what came in."""

    def past_their_time(self) -> Self:
        """Return what was worked off `INBOUND_RETENTION_DAYS` ago; what failed waits for a person as long again.

        What somebody answered to a text message could be told anew, as its signature bears no time: it stays known by
        its id, without what it said.
        """
        days = timedelta(days=settings.INBOUND_RETENTION_DAYS)
        worked_off = Q(state__in=(HANDLED, UNCLAIMED), created_at__lt=Now() - days)
        return self.filter(worked_off | Q(created_at__lt=Now() - 2 * days), Q(size__gt=0) | ~_ANSWERS)

    def answers_to_texts(self) -> Self:
        """Return what people answered to text messages."""
        return self.filter(_ANSWERS)


class InboundWebhook(BaseModel):
    """One message, as it came; the body is kept byte for byte, sealed, for it may hold anything."""

    source = models.ForeignKey(WebhookSource, models.CASCADE, related_name="messages", db_index=False)
    event_id = models.CharField(max_length=255)
    type = models.CharField(max_length=100, blank=True, default="", db_default="")
    content_type = models.CharField(max_length=200, blank=True, default="", db_default="")
    query = models.CharField(max_length=1000, blank=True, default="", db_default="")
    """What stood behind the `?` of the address: of some schemes a part of what is signed."""
    body = EncryptedBytesField()
    size = models.PositiveIntegerField()
    state = models.CharField(max_length=20, default=RECEIVED, db_default=RECEIVED)
    turn = models.PositiveIntegerField(default=1, db_default=1)
    """Which time it is worked off: a replay is another."""
    handled_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[models.Manager[Self]] = InboundWebhookQuerySet.as_manager()

    class Meta:
        db_table = "inbound_webhooks"
        constraints = [
            models.CheckConstraint(condition=Q(state__in=INBOUND_STATES), name="ck_inbound_webhooks_state"),
            models.UniqueConstraint(fields=["source", "event_id"], name="uq_inbound_webhooks_event"),
        ]
        indexes = [
            models.Index(fields=["state", "-created_at"], name="idx_inbound_webhooks_state"),
            models.Index(fields=["created_at"], name="idx_inbound_webhooks_age"),
        ]

    def __str__(self) -> str:
        return f"{self.type or 'a message'} {self.event_id}"


class InboundHandling(BaseModel):
    """The proof that one handler has worked off one message, in one turn; written with what it did."""

    message = models.ForeignKey(InboundWebhook, models.CASCADE, related_name="handlings", db_index=False)
    handler = models.CharField(max_length=200)
    turn = models.PositiveIntegerField()
    failed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "inbound_handlings"
        constraints = [models.UniqueConstraint(fields=["message", "handler", "turn"], name="uq_inbound_handlings_turn")]

    def __str__(self) -> str:
        return f"{self.handler}: {'failed' if self.failed_at else 'done'}"
