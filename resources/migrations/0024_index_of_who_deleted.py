"""The index of who deleted a resource: of those that somebody did, where it held a null for each of the others."""

import django.db.models.deletion
from django.conf import settings
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

DELETED_BY = models.ForeignKey(
    blank=True,
    db_index=False,
    editable=False,
    null=True,
    on_delete=django.db.models.deletion.SET_NULL,
    related_name="+",
    to=settings.AUTH_USER_MODEL,
)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("resources", "0023_appearances"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL("SET statement_timeout = 0", "RESET statement_timeout"),
        AddIndexConcurrently(
            "resource",
            models.Index(
                condition=models.Q(("deleted_by__isnull", False)),
                fields=["deleted_by"],
                name="idx_resources_deleted_by_id",
            ),
        ),
        # AlterField would check the foreign key of every row anew.
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.AlterField("resource", "deleted_by", DELETED_BY)],
            database_operations=[
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY IF EXISTS resources_deleted_by_id_4fd516da",
                    "CREATE INDEX CONCURRENTLY resources_deleted_by_id_4fd516da ON resources (deleted_by_id)",
                )
            ],
        ),
        migrations.RunSQL("RESET statement_timeout", "SET statement_timeout = 0"),
    ]
