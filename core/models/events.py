"""The event log: what happened, who did it, from where. Append-only; the database itself refuses anything else."""

from datetime import datetime
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now

from core.identifiers import uuid7
from core.models.base import DatabaseUuid7
from core.models.decoding import StoredJSON

# A visible row whose transaction id lies in the future was restored from another cluster: it is settled too.
_SETTLED = (
    '("events"."xid" < pg_snapshot_xmin(pg_current_snapshot())'
    ' OR "events"."xid" >= pg_snapshot_xmax(pg_current_snapshot()))'
)


# Numbers follow the clock but for what was long under way: a number is given when a row is written, its time is that
# of the transaction's begin. So the numbers around a moment, give or take an hour, bound what lies on one side of it,
# and every index, all of which end in the number, is read in that range alone; the time itself is still compared.
_LAST_BEFORE = (
    "coalesce((SELECT max(seq) FROM events WHERE occurred_at >= %s AND occurred_at < %s::timestamptz"
    " + interval '1 hour'), 9223372036854775807)"
)
_FIRST_AFTER = (
    "coalesce((SELECT min(seq) FROM events WHERE occurred_at < %s AND occurred_at >= %s::timestamptz"
    " - interval '1 hour'), 0)"
)


class NextEventNumber(models.Func):
    """`nextval('events_seq')`: the database's default of `events.seq`."""

    template = "nextval('events_seq')"
    output_field = models.BigIntegerField()

    def __init__(self) -> None:
        super().__init__()


class EventQuerySet(models.QuerySet["Event"]):
    """Reads of the log."""

    def settled(self) -> Self:
        """Return the rows before which none can appear any more.

        A sequence number is given when a row is written and seen when its transaction commits, so a
        reader that remembers the highest number it saw would skip a row that commits late. Readers
        with a position take only rows of transactions that are older than every running one.
        """
        return self.alias(is_settled=RawSQL(_SETTLED, (), models.BooleanField())).filter(  # noqa: S611  # a constant
            is_settled=True
        )

    def between(self, after: datetime | None, before: datetime | None) -> Self:
        """Return the rows after and before these moments (None: no bound), reading no more of the log than that.

        A row whose transaction was under way for more than an hour may be missed at the edges.
        """
        found = self
        number = models.BigIntegerField()
        if after is not None:
            first = RawSQL(_FIRST_AFTER, (after, after), number)  # noqa: S611  # a constant
            found = found.filter(occurred_at__gt=after, seq__gte=first)
        if before is not None:
            last = RawSQL(_LAST_BEFORE, (before, before), number)  # noqa: S611  # as above
            found = found.filter(occurred_at__lt=before, seq__lte=last)
        return found

    def of_type(self, *types: str) -> Self:
        """Return the rows of the given types; `user.*` means every type of that family, `*` every type."""
        if "*" in types:
            return self.all()
        wanted = models.Q()
        for type_ in types:
            wanted |= models.Q(type__startswith=type_[:-1]) if type_.endswith(".*") else models.Q(type=type_)
        return self.filter(wanted)


class Event(models.Model):
    """One thing that happened.

    The table is made by migration, not by Django: it is partitioned by month of `occurred_at`, and
    has no foreign keys, because a log outlives what it tells about.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=DatabaseUuid7(), editable=False)
    seq = models.BigIntegerField(db_default=NextEventNumber(), editable=False)
    type = models.CharField(max_length=100)
    actor = models.UUIDField(null=True)
    on_behalf_of = models.UUIDField(null=True)
    subject_type = models.CharField(max_length=50, default="", blank=True)
    subject_id = models.CharField(max_length=64, default="", blank=True)
    payload = models.JSONField(default=dict, encoder=DjangoJSONEncoder, decoder=StoredJSON)
    audience = ArrayField(models.UUIDField(), default=list)
    request_id = models.CharField(max_length=128, default="", blank=True)
    trace_id = models.CharField(max_length=128, default="", blank=True)
    ip = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=512, default="", blank=True)
    occurred_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = EventQuerySet.as_manager()

    class Meta:
        db_table = "events"
        managed = False

    def __str__(self) -> str:
        return f"{self.type} #{self.seq}"


class EventDelivery(models.Model):
    """The proof that one subscriber has handled one event; written in the transaction of its effect."""

    id = models.BigAutoField(primary_key=True)
    event_id = models.UUIDField()
    subscriber = models.CharField(max_length=100)
    handled_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "event_deliveries"
        verbose_name_plural = "event deliveries"
        constraints = [
            models.UniqueConstraint(fields=["event_id", "subscriber"], name="uq_event_deliveries_event_subscriber")
        ]
        indexes = [models.Index(fields=["handled_at"], name="idx_event_deliveries_handled")]

    def __str__(self) -> str:
        return f"{self.subscriber} of {self.event_id}"
