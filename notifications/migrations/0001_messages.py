"""The messages and the attempts to deliver them."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import core.crypto.fields
import core.identifiers
import core.models.base
from core.migration_operations import KeepUpdatedAt


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("core", "0001_ground"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Message",
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
                ("channel", models.CharField(db_default="email", default="email", max_length=20)),
                ("address", models.CharField(max_length=2048)),
                ("locale", models.CharField(db_default="en", default="en", max_length=35)),
                ("context", core.crypto.fields.EncryptedJSONField()),
                ("state", models.CharField(db_default="queued", default="queued", max_length=20)),
                ("attempt_count", models.PositiveSmallIntegerField(db_default=0, default=0)),
                ("attempts_left", models.PositiveSmallIntegerField(db_default=8, default=8)),
                ("claimed_at", models.DateTimeField(blank=True, null=True)),
                ("next_try_at", models.DateTimeField(blank=True, null=True)),
                ("sent_at", models.DateTimeField(blank=True, null=True)),
                ("message_id", models.CharField(max_length=255)),
                ("dedup_key", models.CharField(blank=True, max_length=200, null=True)),
                (
                    "recipient",
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
                "db_table": "messages",
            },
        ),
        migrations.CreateModel(
            name="MessageAttempt",
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
                ("number", models.PositiveSmallIntegerField()),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("outcome", models.CharField(blank=True, db_default="", default="", max_length=20)),
                ("answer", models.CharField(blank=True, db_default="", default="", max_length=1000)),
                ("next_try_at", models.DateTimeField(blank=True, null=True)),
                (
                    "message",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="attempts",
                        to="notifications.message",
                    ),
                ),
            ],
            options={
                "db_table": "message_attempts",
            },
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(fields=["recipient", "-created_at"], name="idx_messages_recipient_id"),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(fields=["state", "-created_at"], name="idx_messages_state"),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(fields=["address"], name="idx_messages_address"),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ("queued", "sending", "sent", "delivered", "bounced", "failed", "suppressed"))
                ),
                name="ck_messages_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.UniqueConstraint(fields=("message_id",), name="uq_messages_message_id"),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.UniqueConstraint(fields=("dedup_key",), name="uq_messages_dedup_key"),
        ),
        migrations.AddConstraint(
            model_name="messageattempt",
            constraint=models.CheckConstraint(
                condition=models.Q(("outcome__in", ("", "sent", "deferred", "refused", "interrupted"))),
                name="ck_message_attempts_outcome",
            ),
        ),
        migrations.AddConstraint(
            model_name="messageattempt",
            constraint=models.UniqueConstraint(fields=("message", "number"), name="uq_message_attempts_number"),
        ),
        KeepUpdatedAt("messages"),
        KeepUpdatedAt("message_attempts"),
    ]
