"""Pictures that were made of files."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import core.identifiers
import core.models.base
from core.migration_operations import KeepUpdatedAt


class Migration(migrations.Migration):
    dependencies = [
        ("resources", "0013_keywords"),
    ]

    operations = [
        migrations.CreateModel(
            name="FileVariant",
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
                ("form", models.CharField(max_length=60)),
                ("key", models.CharField(blank=True, db_default="", default="", max_length=100)),
                ("size", models.BigIntegerField(db_default=0, default=0)),
                ("problem", models.CharField(blank=True, db_default="", default="", max_length=40)),
                ("busy_until", models.DateTimeField(blank=True, null=True)),
                (
                    "version",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="variants",
                        to="resources.fileversion",
                    ),
                ),
            ],
            options={
                "db_table": "file_variants",
                "constraints": [
                    models.UniqueConstraint(fields=("version", "form"), name="uq_file_variants_version_form"),
                    models.UniqueConstraint(
                        condition=models.Q(("key", ""), _negated=True), fields=("key",), name="uq_file_variants_key"
                    ),
                ],
            },
        ),
        KeepUpdatedAt("file_variants"),
    ]
