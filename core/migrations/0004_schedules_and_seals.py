"""The runs of schedules, and the seal of the event log."""

import django.db.models.functions.datetime
from django.db import migrations, models

from core.migration_operations import KeepUpdatedAt

SEALS = """
CREATE TABLE event_seals (
    position bigint PRIMARY KEY,
    xid xid8 NOT NULL,
    event_seq bigint NOT NULL CONSTRAINT uq_event_seals_event UNIQUE,
    occurred_at timestamptz NOT NULL,
    row_hash bytea NOT NULL,
    hash bytea NOT NULL,
    sealed_at timestamptz NOT NULL DEFAULT now()
);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON event_seals
    FOR EACH ROW EXECUTE FUNCTION nook_refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON event_seals
    FOR EACH STATEMENT EXECUTE FUNCTION nook_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0003_idempotency_keys"),
    ]

    operations = [
        migrations.RunSQL(SEALS, "DROP TABLE event_seals"),
        migrations.CreateModel(
            name="EventSeal",
            fields=[
                ("position", models.BigIntegerField(primary_key=True, serialize=False)),
                ("event_seq", models.BigIntegerField(unique=True)),
                ("occurred_at", models.DateTimeField()),
                ("row_hash", models.BinaryField()),
                ("hash", models.BinaryField()),
                ("sealed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "db_table": "event_seals",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="ScheduleRun",
            fields=[
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                (
                    "updated_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=100)),
                ("due_at", models.DateTimeField()),
                ("outcome", models.CharField(db_default="planned", default="planned", max_length=20)),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("error", models.CharField(blank=True, db_default="", default="", max_length=500)),
            ],
            options={
                "db_table": "schedule_runs",
                "indexes": [models.Index(fields=["due_at"], name="idx_schedule_runs_due")],
                "constraints": [models.UniqueConstraint(fields=("name", "due_at"), name="uq_schedule_runs_name_due")],
            },
        ),
        KeepUpdatedAt("schedule_runs"),
    ]
