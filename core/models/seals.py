"""The seal of the event log: a hash chain over its rows, in the order in which they were sealed."""

from django.db import models
from django.db.models.functions import Now


class EventSeal(models.Model):
    """The link of one event: `hash` = SHA-256 of the link before and of `row_hash`, the SHA-256 of the event's content.

    Append-only like the log. The two hashes are apart so that the chain can still be followed when
    old months of events have been archived away.
    """

    position = models.BigIntegerField(primary_key=True)
    event_seq = models.BigIntegerField(unique=True)
    occurred_at = models.DateTimeField()
    row_hash = models.BinaryField()
    hash = models.BinaryField()
    sealed_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "event_seals"
        managed = False

    def __str__(self) -> str:
        return f"seal {self.position}"
