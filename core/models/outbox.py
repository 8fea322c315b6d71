"""The outbox: work that a transaction promised, until a worker has kept the promise."""

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models.functions import Now

from core.models.base import TimestampedModel


class OutboxRow(TimestampedModel):
    """One task to run; the row is removed when the task has succeeded.

    `due_at` is the one clock of a row, the time at which the relay has to look at it (again):
    when it may first be sent; once sent, when it counts as lost; while it runs, when the worker
    that holds it (`leased_by`) counts as dead.
    """

    id = models.BigAutoField(primary_key=True)
    task = models.CharField(max_length=200)
    queue = models.CharField(max_length=50)
    kwargs = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    request_id = models.CharField(max_length=128, default="", db_default="", blank=True)
    traceparent = models.CharField(max_length=128, default="", db_default="", blank=True)
    due_at = models.DateTimeField(db_default=Now())
    dispatched_at = models.DateTimeField(null=True, blank=True)
    sends = models.PositiveIntegerField(default=0, db_default=0)
    runs = models.PositiveIntegerField(default=0, db_default=0)
    attempts = models.PositiveIntegerField(default=0, db_default=0)
    leased_by = models.UUIDField(null=True, blank=True)
    last_error = models.TextField(default="", db_default="", blank=True)

    class Meta:
        db_table = "outbox"
        verbose_name = "outbox row"
        indexes = [models.Index(fields=["due_at", "id"], name="idx_outbox_due")]

    def __str__(self) -> str:
        return f"{self.task} #{self.pk}"


class DeadLetter(TimestampedModel):
    """A task that was given up: it failed too often, or killed its workers; staff retry or discard it."""

    id = models.BigAutoField(primary_key=True)
    outbox_id = models.BigIntegerField(unique=True)
    task = models.CharField(max_length=200)
    queue = models.CharField(max_length=50)
    kwargs = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    request_id = models.CharField(max_length=128, default="", db_default="", blank=True)
    traceparent = models.CharField(max_length=128, default="", db_default="", blank=True)
    attempts = models.PositiveIntegerField()
    reason = models.CharField(max_length=500)
    traceback = models.TextField(default="", db_default="", blank=True)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "dead_letters"
        indexes = [models.Index(fields=["last_at"], name="idx_dead_letters_last")]

    def __str__(self) -> str:
        return f"{self.task} #{self.outbox_id}"
