"""Jobs: work too long for one request."""

import django.core.serializers.json
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import core.identifiers
import core.models.base
from core.migration_operations import KeepUpdatedAt


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0007_vacuum_outbox_early"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Job",
            fields=[
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                (
                    "updated_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                (
                    "id",
                    models.UUIDField(
                        db_default=core.models.base.DatabaseUuid7(),
                        default=core.identifiers.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("kind", models.CharField(max_length=100)),
                ("state", models.CharField(db_default="queued", default="queued", max_length=20)),
                (
                    "parameters",
                    models.JSONField(
                        db_default={}, default=dict, encoder=django.core.serializers.json.DjangoJSONEncoder
                    ),
                ),
                (
                    "checkpoint",
                    models.JSONField(
                        db_default={}, default=dict, encoder=django.core.serializers.json.DjangoJSONEncoder
                    ),
                ),
                ("total", models.PositiveBigIntegerField(blank=True, null=True)),
                ("done", models.PositiveBigIntegerField(db_default=0, default=0)),
                ("failed", models.PositiveBigIntegerField(db_default=0, default=0)),
                ("result", models.CharField(blank=True, db_default="", default="", max_length=255)),
                ("result_name", models.CharField(blank=True, db_default="", default="", max_length=255)),
                ("result_type", models.CharField(blank=True, db_default="", default="", max_length=100)),
                ("files_until", models.DateTimeField(blank=True, null=True)),
                ("error_code", models.CharField(blank=True, db_default="", default="", max_length=50)),
                ("error", models.CharField(blank=True, db_default="", default="", max_length=500)),
                ("single_key", models.CharField(blank=True, max_length=100, null=True)),
                ("admitted", models.BooleanField(db_default=False, default=False)),
                ("turn", models.PositiveIntegerField(db_default=0, default=0)),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("request_id", models.CharField(blank=True, db_default="", default="", max_length=128)),
                ("version", models.PositiveIntegerField(db_default=1, default=1, editable=False)),
                (
                    "owner",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "jobs",
                "indexes": [
                    models.Index(fields=["owner", "-created_at", "-id"], name="idx_jobs_owner_id"),
                    models.Index(fields=["state", "-created_at"], name="idx_jobs_state"),
                    models.Index(
                        condition=models.Q(("files_until__isnull", False)),
                        fields=["files_until"],
                        name="idx_jobs_files",
                    ),
                    models.Index(fields=["finished_at"], name="idx_jobs_finished"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ("queued", "running", "succeeded", "failed", "cancelled"))),
                        name="ck_jobs_state",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ("queued", "running"))),
                        fields=("kind", "single_key"),
                        name="uq_jobs_single",
                    ),
                ],
            },
        ),
        KeepUpdatedAt("jobs"),
    ]
