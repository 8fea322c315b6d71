"""Vacuum the outbox by the number of its dead rows: it is small and every row of it dies."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("core", "0006_relay_polls")]
    operations = [
        migrations.RunSQL(
            "ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000)",
            "ALTER TABLE outbox RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold)",
        ),
    ]
