"""What keywords of a schema keep beside the records, and the function that hides what a role may not read."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import core.identifiers
import core.models.base
from core.migration_operations import KeepUpdatedAt

# Removes what `rules` hide from the role: [{"path": [...], "roles": [...]}]. What stands where the rule expects an
# object and is none may hold anything, so it goes as a whole; `null` holds nothing.
SHOWN = """
CREATE FUNCTION nook_shown(data jsonb, rules jsonb, role text, owns boolean) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    rule jsonb;
    path text[];
    kind text;
BEGIN
    IF rules IS NULL OR data IS NULL THEN
        RETURN data;
    END IF;
    FOR rule IN SELECT value FROM jsonb_array_elements(rules) LOOP
        CONTINUE WHEN (role <> 'owner' AND rule->'roles' ? role) OR (owns AND rule->'roles' ? 'owner');
        path := ARRAY(SELECT jsonb_array_elements_text(rule->'path'));
        FOR depth IN 1..cardinality(path) LOOP
            kind := jsonb_typeof(data #> path[1:depth]);
            EXIT WHEN kind IS NULL OR (kind = 'null' AND depth < cardinality(path));
            IF depth = cardinality(path) OR kind <> 'object' THEN
                data := data #- path[1:depth];
                EXIT;
            END IF;
        END LOOP;
    END LOOP;
    RETURN data;
END
$$
"""


class Migration(migrations.Migration):
    dependencies = [
        ("resources", "0012_saved_views_and_tags"),
    ]

    operations = [
        migrations.CreateModel(
            name="ResourceReference",
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
                ("path", models.TextField()),
                ("on_delete", models.CharField(max_length=10)),
            ],
            options={
                "db_table": "resource_references",
            },
        ),
        migrations.CreateModel(
            name="UniqueValue",
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
                ("path", models.TextField()),
                ("digest", models.BinaryField(max_length=32)),
            ],
            options={
                "db_table": "resource_unique_values",
            },
        ),
        migrations.AddField(
            model_name="resourcetype",
            name="field_rules",
            field=models.JSONField(editable=False, null=True),
        ),
        migrations.AddIndex(
            model_name="resourcetype",
            index=models.Index(
                condition=models.Q(("field_rules__isnull", False)),
                fields=["key"],
                name="idx_resource_types_field_rules",
            ),
        ),
        migrations.AddField(
            model_name="resourcereference",
            name="resource",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="references",
                to="resources.resource",
            ),
        ),
        migrations.AddField(
            model_name="resourcereference",
            name="target",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="referrers",
                to="resources.resource",
            ),
        ),
        migrations.AddField(
            model_name="uniquevalue",
            name="resource",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="unique_values",
                to="resources.resource",
            ),
        ),
        migrations.AddField(
            model_name="uniquevalue",
            name="type",
            field=models.ForeignKey(
                db_column="type",
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="resources.resourcetype",
                to_field="key",
            ),
        ),
        migrations.AddIndex(
            model_name="resourcereference",
            index=models.Index(fields=["target"], name="idx_references_target_id"),
        ),
        migrations.AddConstraint(
            model_name="resourcereference",
            constraint=models.UniqueConstraint(
                fields=("resource", "path", "target"), name="uq_resource_references_resource_path_target"
            ),
        ),
        migrations.AddConstraint(
            model_name="resourcereference",
            constraint=models.CheckConstraint(
                condition=models.Q(("on_delete__in", ["restrict", "set_null", "cascade"])),
                name="ck_resource_references_on_delete",
            ),
        ),
        migrations.AddConstraint(
            model_name="uniquevalue",
            constraint=models.UniqueConstraint(
                fields=("type", "path", "digest"), name="uq_resource_unique_values_value"
            ),
        ),
        migrations.AddConstraint(
            model_name="uniquevalue",
            constraint=models.UniqueConstraint(
                fields=("resource", "path"), name="uq_resource_unique_values_resource_path"
            ),
        ),
        KeepUpdatedAt("resource_unique_values"),
        KeepUpdatedAt("resource_references"),
        migrations.RunSQL(SHOWN, "DROP FUNCTION nook_shown(jsonb, jsonb, text, boolean)"),
    ]
