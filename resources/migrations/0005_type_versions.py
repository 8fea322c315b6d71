"""Every schema that a type has had, so that a record can be judged by the one it was written under."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import core.identifiers
import core.models.base
from core.migration_operations import KeepUpdatedAt

KEEP_PRESENT = """
INSERT INTO resource_type_versions (type_id, number, schema)
SELECT id, schema_version, schema FROM resource_types
"""


class Migration(migrations.Migration):
    dependencies = [("resources", "0004_shares_keep_their_role")]

    operations = [
        migrations.AddField(
            model_name="resourcetype",
            name="version",
            field=models.PositiveIntegerField(db_default=1, default=1, editable=False),
        ),
        migrations.CreateModel(
            name="ResourceTypeVersion",
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
                ("schema", models.JSONField()),
                (
                    "type",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="versions",
                        to="resources.resourcetype",
                    ),
                ),
            ],
            options={
                "db_table": "resource_type_versions",
                "constraints": [
                    models.UniqueConstraint(fields=("type", "number"), name="uq_resource_type_versions_type_number")
                ],
            },
        ),
        KeepUpdatedAt("resource_type_versions"),
        migrations.RunSQL(KEEP_PRESENT, migrations.RunSQL.noop),
    ]
