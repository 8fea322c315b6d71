"""The inbox and the preferences; messages that wait, and those that tell of a notification."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import core.crypto.fields
import core.identifiers
import core.models.base
from core.migration_operations import KeepUpdatedAt


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0004_webhooks"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Notification",
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
                ("context", models.JSONField(db_default={}, default=dict)),
                ("subject_type", models.CharField(blank=True, db_default="", default="", max_length=100)),
                ("subject_id", models.CharField(blank=True, db_default="", default="", max_length=64)),
                ("event_id", models.UUIDField(blank=True, null=True)),
                ("dedup_key", models.CharField(max_length=200)),
                ("is_in_inbox", models.BooleanField(db_default=True, default=True)),
                ("read_at", models.DateTimeField(blank=True, null=True)),
                ("archived_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "db_table": "notifications",
            },
        ),
        migrations.CreateModel(
            name="NotificationPreferences",
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
                ("choices", models.JSONField(db_default={}, default=dict)),
                ("quiet_from", models.TimeField(blank=True, null=True)),
                ("quiet_until", models.TimeField(blank=True, null=True)),
                ("quiet_time_zone", models.CharField(blank=True, db_default="", default="", max_length=64)),
                ("digest", models.CharField(db_default="off", default="off", max_length=10)),
                ("version", models.PositiveIntegerField(db_default=1, default=1, editable=False)),
            ],
            options={
                "verbose_name_plural": "notification preferences",
                "db_table": "notification_preferences",
            },
        ),
        migrations.RemoveConstraint(
            model_name="message",
            name="ck_messages_state",
        ),
        migrations.RemoveConstraint(
            model_name="message",
            name="ck_messages_channel",
        ),
        migrations.AddField(
            model_name="message",
            name="carrier",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="carried",
                to="notifications.message",
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="lane",
            field=models.CharField(db_default="notifications", default="notifications", max_length=20),
        ),
        migrations.AddField(
            model_name="message",
            name="not_before",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="message",
            name="context",
            field=core.crypto.fields.EncryptedJSONField(null=True),
        ),
        migrations.AddField(
            model_name="notification",
            name="user",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="notification",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="messages",
                to="notifications.notification",
            ),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                condition=models.Q(("state__in", ("held", "collecting"))),
                fields=["not_before"],
                name="idx_messages_waiting",
            ),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                condition=models.Q(("carrier__isnull", False)), fields=["carrier"], name="idx_messages_carrier_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        (
                            "held",
                            "collecting",
                            "collected",
                            "queued",
                            "sending",
                            "sent",
                            "delivered",
                            "bounced",
                            "failed",
                            "suppressed",
                        ),
                    )
                ),
                name="ck_messages_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.CheckConstraint(
                condition=models.Q(("channel", ""), _negated=True), name="ck_messages_channel"
            ),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state__in", ("held", "collecting")), _negated=True),
                    ("not_before__isnull", False),
                    _connector="OR",
                ),
                name="ck_messages_waiting",
            ),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.CheckConstraint(
                condition=models.Q(("context__isnull", False), ("notification__isnull", False), _connector="OR"),
                name="ck_messages_context",
            ),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.UniqueConstraint(
                condition=models.Q(("notification__isnull", False)),
                fields=("notification", "channel"),
                name="uq_messages_notification_channel",
            ),
        ),
        migrations.AddField(
            model_name="notificationpreferences",
            name="user",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(
                condition=models.Q(("archived_at", None), ("is_in_inbox", True)),
                fields=["user", "-created_at", "-id"],
                name="idx_notifications_inbox",
            ),
        ),
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(
                condition=models.Q(("archived_at", None), ("is_in_inbox", True), ("read_at", None)),
                fields=["user"],
                name="idx_notifications_unread",
            ),
        ),
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(fields=["created_at"], name="idx_notifications_created_at"),
        ),
        migrations.AddConstraint(
            model_name="notification",
            constraint=models.UniqueConstraint(fields=("user", "dedup_key"), name="uq_notifications_user_dedup_key"),
        ),
        migrations.AddConstraint(
            model_name="notificationpreferences",
            constraint=models.CheckConstraint(
                condition=models.Q(("digest__in", ("off", "hourly", "daily"))),
                name="ck_notification_preferences_digest",
            ),
        ),
        migrations.AddConstraint(
            model_name="notificationpreferences",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("quiet_from", None), ("quiet_until", None)),
                    models.Q(
                        ("quiet_from__isnull", False),
                        ("quiet_until__isnull", False),
                        models.Q(("quiet_from", models.F("quiet_until")), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="ck_notification_preferences_quiet_hours",
            ),
        ),
        KeepUpdatedAt("notifications"),
        KeepUpdatedAt("notification_preferences"),
    ]
