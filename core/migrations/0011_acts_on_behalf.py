"""Find what was done in somebody's place by whose place it was: few rows, so the index is a small one."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("core", "0010_jobs_of_tokens")]

    operations = [
        migrations.RunSQL(
            "CREATE INDEX idx_events_on_behalf_of_seq ON events (on_behalf_of, seq) WHERE on_behalf_of IS NOT NULL",
            "DROP INDEX idx_events_on_behalf_of_seq",
        )
    ]
