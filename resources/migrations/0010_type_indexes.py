"""Indexes over values of `data`: which there should be, and how a value is taken out of the JSON to be compared."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import core.identifiers
import core.models.base
from core.migration_operations import KeepUpdatedAt

# Of another JSON type than the schema says (a change by force leaves such rows), a value counts as absent. None of
# these may ever raise: an index stands on them, and would refuse the row.
VALUES = """
CREATE FUNCTION nook_text(value jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN jsonb_typeof(value) = 'string' THEN value #>> '{}' END
$$;
CREATE FUNCTION nook_number(value jsonb) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN jsonb_typeof(value) = 'number' THEN value::numeric END
$$;
CREATE FUNCTION nook_flag(value jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN jsonb_typeof(value) = 'boolean' THEN value::boolean END
$$;
CREATE FUNCTION nook_time(value jsonb) RETURNS timestamptz LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    spelt text := CASE WHEN jsonb_typeof(value) = 'string' THEN value #>> '{}' END;
    parts text[] := regexp_match(spelt, '^(\\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])[Tt]'
        '([01]\\d|2[0-3]):[0-5]\\d:([0-5]\\d|60)(\\.\\d{1,30})?([Zz]|[+-](0\\d|1[0-5]):[0-5]\\d)$');
    month date;
BEGIN
    IF parts IS NULL OR parts[1] = '0000' THEN
        RETURN NULL;
    END IF;
    month := make_date(parts[1]::int, parts[2]::int, 1);
    IF month + (parts[3]::int - 1) >= month + interval '1 month' THEN
        RETURN NULL;
    END IF;
    -- ISO 8601 with an offset means the same in every session, so the function is immutable indeed.
    RETURN spelt::timestamptz;
END
$$
"""
DROP_VALUES = (
    "DROP FUNCTION nook_text(jsonb); DROP FUNCTION nook_number(jsonb); "
    "DROP FUNCTION nook_flag(jsonb); DROP FUNCTION nook_time(jsonb)"
)


class Migration(migrations.Migration):
    dependencies = [("resources", "0009_watches")]

    operations = [
        migrations.RunSQL(VALUES, DROP_VALUES),
        migrations.CreateModel(
            name="TypeIndex",
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
                (
                    "path",
                    django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None),
                ),
                ("measure", models.CharField(max_length=10)),
                (
                    "state",
                    models.CharField(
                        choices=[("building", "Building"), ("ready", "Ready"), ("failed", "Failed")],
                        db_default="building",
                        default="building",
                        max_length=10,
                    ),
                ),
                ("error", models.CharField(blank=True, db_default="", default="", max_length=500)),
                (
                    "type",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="indexes",
                        to="resources.resourcetype",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "type indexes",
                "db_table": "type_indexes",
                "constraints": [
                    models.UniqueConstraint(fields=("type", "path"), name="uq_type_indexes_type_path"),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["building", "ready", "failed"])),
                        name="ck_type_indexes_state",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("measure__in", ("text", "number", "time", "flag"))),
                        name="ck_type_indexes_measure",
                    ),
                ],
            },
        ),
        KeepUpdatedAt("type_indexes"),
    ]
