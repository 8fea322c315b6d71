"""What a dry run of an import would have taken so far, so that a later step knows a repeat."""

from django.db import models


class DryRunKey(models.Model):
    """An external id or unique value that a row of a dry run would take, as a digest; it goes when the run ends.

    `slot` is a digest of which row's value it is, and at which path: a later row of the same resource lets go of it.
    """

    pk = models.CompositePrimaryKey("job_id", "digest")
    job_id = models.UUIDField()
    digest = models.BinaryField()
    slot = models.BinaryField()

    class Meta:
        db_table = "dry_run_keys"
        indexes = [models.Index(fields=["job_id", "slot"], name="idx_dry_run_keys_slot")]

    def __str__(self) -> str:
        return str(self.job_id)
