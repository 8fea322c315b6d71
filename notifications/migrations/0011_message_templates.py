"""What messages say where staff have changed it, with the versions of it."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import core.identifiers
import core.models.base
from core.migration_operations import KeepUpdatedAt


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0010_alerts"),
    ]

    operations = [
        migrations.CreateModel(
            name="MessageTemplate",
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
                ("subject", models.CharField(blank=True, db_default="", default="", max_length=200)),
                ("text", models.TextField(blank=True, db_default="", default="")),
                ("html", models.TextField(blank=True, db_default="", default="")),
                ("is_active", models.BooleanField(db_default=True, default=True)),
                ("edited_by", models.UUIDField(blank=True, editable=False, null=True)),
                ("kind", models.CharField(max_length=100)),
                ("channel", models.CharField(max_length=20)),
                ("locale", models.CharField(blank=True, db_default="", default="", max_length=35)),
                ("version", models.PositiveIntegerField(db_default=1, default=1, editable=False)),
                ("failed_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("failure", models.CharField(blank=True, db_default="", default="", editable=False, max_length=500)),
            ],
            options={
                "db_table": "message_templates",
                "constraints": [
                    models.UniqueConstraint(fields=("kind", "channel", "locale"), name="uq_message_templates_place"),
                    models.CheckConstraint(
                        condition=models.Q(("locale__regex", "^([a-z]{2,3}(-[a-z0-9]{2,8})*)?$")),
                        name="ck_message_templates_locale",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="MessageTemplateVersion",
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
                ("subject", models.CharField(blank=True, db_default="", default="", max_length=200)),
                ("text", models.TextField(blank=True, db_default="", default="")),
                ("html", models.TextField(blank=True, db_default="", default="")),
                ("is_active", models.BooleanField(db_default=True, default=True)),
                ("edited_by", models.UUIDField(blank=True, editable=False, null=True)),
                ("number", models.PositiveIntegerField()),
                ("action", models.CharField(max_length=10)),
                (
                    "template",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="versions",
                        to="notifications.messagetemplate",
                    ),
                ),
            ],
            options={
                "db_table": "message_template_versions",
                "constraints": [
                    models.UniqueConstraint(fields=("template", "number"), name="uq_message_template_versions_number"),
                    models.CheckConstraint(
                        condition=models.Q(("action__in", ("created", "updated", "restored"))),
                        name="ck_message_template_versions_action",
                    ),
                ],
            },
        ),
        KeepUpdatedAt("message_templates"),
        KeepUpdatedAt("message_template_versions"),
    ]
