"""What of a type's records has yet to follow its schema, and words of a record by the schema of now."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import core.identifiers
import core.models.base
from core.migration_operations import KeepUpdatedAt

# The same words as the trigger writes. It costs next to nothing to the planner, since it is called while a type's rows
# follow a schema that closed a value, and never else: a plan that feared it would be a worse one all the time.
ANEW = """
CREATE FUNCTION nook_search_anew(type text, name text, description text, tags text[], data jsonb) RETURNS tsvector
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1 AS $$
BEGIN
    RETURN nook_search_of(type, name, description, tags, data);
END
$$;
-- A word that is not to be there (`!`) was looked for in the vector too: that a record is missing would tell of it.
CREATE FUNCTION nook_finds_anew(
    query tsquery, type text, name text, description text, tags text[], data jsonb
) RETURNS boolean LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1 AS $$
BEGIN
    RETURN strpos(query::text, '!') = 0 AND nook_search_of(type, name, description, tags, data) @@ query;
END
$$
"""
GONE = """
DROP FUNCTION nook_finds_anew(tsquery, text, text, text, text[], jsonb);
DROP FUNCTION nook_search_anew(text, text, text, text[], jsonb)
"""


class Migration(migrations.Migration):
    dependencies = [
        ("resources", "0019_dry_run_keys"),
    ]

    operations = [
        migrations.CreateModel(
            name="SchemaFollowing",
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
                ("work", models.CharField(max_length=10)),
                ("schema_version", models.PositiveIntegerField()),
                ("is_closing", models.BooleanField(db_default=False, default=False)),
                (
                    "type",
                    models.ForeignKey(
                        db_column="type",
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="followings",
                        to="resources.resourcetype",
                        to_field="key",
                    ),
                ),
            ],
            options={
                "db_table": "schema_followings",
                "constraints": [
                    models.UniqueConstraint(fields=("type", "work"), name="uq_schema_followings_type_work"),
                    models.CheckConstraint(
                        condition=models.Q(("work__in", ["search", "values"])), name="ck_schema_followings_work"
                    ),
                ],
            },
        ),
        KeepUpdatedAt("schema_followings"),
        migrations.RunSQL(ANEW, GONE),
    ]
