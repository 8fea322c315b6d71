"""Files with their versions, and what they are attached to."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import core.identifiers
import core.models.base
from core.migration_operations import KeepUpdatedAt


class Migration(migrations.Migration):
    dependencies = [
        ("resources", "0005_type_versions"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="File",
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
                ("version", models.PositiveIntegerField(db_default=1, default=1, editable=False)),
                (
                    "unattached_since",
                    models.DateTimeField(
                        blank=True, db_default=django.db.models.functions.datetime.Now(), editable=False, null=True
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="files", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "db_table": "files",
            },
        ),
        migrations.CreateModel(
            name="FileVersion",
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
                ("number", models.PositiveIntegerField()),
                ("name", models.CharField(max_length=255)),
                ("content_type", models.CharField(max_length=255)),
                ("size", models.BigIntegerField()),
                ("sha256", models.CharField(blank=True, default="", max_length=64)),
                ("width", models.PositiveIntegerField(blank=True, null=True)),
                ("height", models.PositiveIntegerField(blank=True, null=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "Pending: not uploaded yet"),
                            ("quarantined", "Quarantined: not scanned yet"),
                            ("ready", "Ready"),
                            ("rejected", "Rejected: refused, and its content removed"),
                        ],
                        max_length=11,
                    ),
                ),
                ("problem", models.CharField(blank=True, db_default="", default="", max_length=255)),
                ("key", models.CharField(max_length=100)),
                (
                    "file",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="versions",
                        to="resources.file",
                    ),
                ),
            ],
            options={
                "verbose_name": "file",
                "db_table": "file_versions",
            },
        ),
        migrations.CreateModel(
            name="ResourceFile",
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
                ("slot", models.CharField(blank=True, db_default="", default="", max_length=50)),
                (
                    "file",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="attachments", to="resources.file"
                    ),
                ),
                (
                    "resource",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="attachments",
                        to="resources.resource",
                    ),
                ),
            ],
            options={
                "db_table": "resource_files",
            },
        ),
        migrations.AddIndex(
            model_name="file",
            index=models.Index(
                condition=models.Q(("unattached_since__isnull", False)),
                fields=["unattached_since"],
                name="idx_files_unattached_since",
            ),
        ),
        migrations.AddConstraint(
            model_name="file",
            constraint=models.CheckConstraint(condition=models.Q(("version__gte", 1)), name="ck_files_version"),
        ),
        migrations.AddConstraint(
            model_name="fileversion",
            constraint=models.UniqueConstraint(fields=("file", "number"), name="uq_file_versions_file_number"),
        ),
        migrations.AddConstraint(
            model_name="fileversion",
            constraint=models.UniqueConstraint(fields=("key",), name="uq_file_versions_key"),
        ),
        migrations.AddConstraint(
            model_name="fileversion",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["pending", "quarantined", "ready", "rejected"])),
                name="ck_file_versions_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="fileversion",
            constraint=models.CheckConstraint(condition=models.Q(("size__gte", 1)), name="ck_file_versions_size"),
        ),
        migrations.AddConstraint(
            model_name="resourcefile",
            constraint=models.UniqueConstraint(fields=("resource", "file"), name="uq_resource_files_resource_file"),
        ),
        migrations.AddConstraint(
            model_name="resourcefile",
            constraint=models.UniqueConstraint(
                condition=models.Q(("slot", ""), _negated=True),
                fields=("resource", "slot"),
                name="uq_resource_files_resource_slot",
            ),
        ),
        KeepUpdatedAt("files"),
        KeepUpdatedAt("file_versions"),
        KeepUpdatedAt("resource_files"),
    ]
