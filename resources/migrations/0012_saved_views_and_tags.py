"""Parameters of lists under a name, and the tags in use, which a trigger copies from the rows that have them."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import core.identifiers
import core.models.base
from core.migration_operations import KeepUpdatedAt

# Row by row and only where something that the copy holds has changed: most writes of a resource leave its tags alone.
KEEP_TAGS = """
CREATE FUNCTION nook_keep_resource_tags() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM resource_tags WHERE resource_id = OLD.id;
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.deleted_at IS NULL THEN
        INSERT INTO resource_tags (resource_id, key, tag, owner_id, visibility, type)
        SELECT NEW.id, lower(one.tag), one.tag, NEW.owner_id, NEW.visibility, NEW.type
        FROM (SELECT DISTINCT unnest(NEW.tags) AS tag) AS one;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER keep_tags_of_new AFTER INSERT ON resources
    FOR EACH ROW WHEN (NEW.tags <> '{}') EXECUTE FUNCTION nook_keep_resource_tags();
CREATE TRIGGER keep_tags_of_changed AFTER UPDATE OF tags, owner_id, visibility, type, deleted_at ON resources
    FOR EACH ROW
    WHEN ((OLD.tags <> '{}' OR NEW.tags <> '{}')
          AND (OLD.tags, OLD.owner_id, OLD.visibility, OLD.type, OLD.deleted_at IS NULL)
              IS DISTINCT FROM (NEW.tags, NEW.owner_id, NEW.visibility, NEW.type, NEW.deleted_at IS NULL))
    EXECUTE FUNCTION nook_keep_resource_tags();
CREATE TRIGGER keep_tags_of_gone AFTER DELETE ON resources
    FOR EACH ROW WHEN (OLD.tags <> '{}') EXECUTE FUNCTION nook_keep_resource_tags();
"""
DROP_KEEP_TAGS = """
DROP TRIGGER keep_tags_of_new ON resources;
DROP TRIGGER keep_tags_of_changed ON resources;
DROP TRIGGER keep_tags_of_gone ON resources;
DROP FUNCTION nook_keep_resource_tags();
"""
# In the transaction that makes the triggers, which keeps writers out: no row falls between copy and trigger.
COPY_TAGS = """
INSERT INTO resource_tags (resource_id, key, tag, owner_id, visibility, type)
SELECT DISTINCT resources.id, lower(one.tag), one.tag, owner_id, visibility, type
FROM resources CROSS JOIN LATERAL unnest(tags) AS one (tag)
WHERE deleted_at IS NULL
"""


class Migration(migrations.Migration):
    dependencies = [
        ("resources", "0011_unfinished_files"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ResourceTag",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "resource_id", "tag", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("resource_id", models.UUIDField()),
                ("key", models.CharField(db_collation="C", max_length=100)),
                ("tag", models.CharField(db_collation="C", max_length=50)),
                ("owner_id", models.UUIDField()),
                ("visibility", models.CharField(max_length=10)),
                ("type", models.CharField(max_length=50)),
            ],
            options={
                "db_table": "resource_tags",
                "indexes": [
                    models.Index(fields=["key", "tag"], name="idx_resource_tags_key"),
                    models.Index(fields=["owner_id", "key", "tag"], name="idx_resource_tags_owner"),
                    models.Index(fields=["type", "key", "tag"], name="idx_resource_tags_type"),
                    models.Index(
                        condition=models.Q(("visibility", "private"), _negated=True),
                        fields=["visibility", "key", "tag"],
                        name="idx_resource_tags_visibility",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SavedView",
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
                ("name", models.CharField(max_length=100)),
                ("filters", models.JSONField(blank=True, db_default={}, default=dict)),
                ("shared", models.BooleanField(db_default=False, default=False)),
                ("version", models.PositiveIntegerField(db_default=1, default=1, editable=False)),
                (
                    "owner",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "saved_views",
                "indexes": [
                    models.Index(
                        condition=models.Q(("shared", True)), fields=["name", "id"], name="idx_saved_views_shared"
                    )
                ],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("name", ""), _negated=True), name="ck_saved_views_name"),
                    models.CheckConstraint(condition=models.Q(("version__gte", 1)), name="ck_saved_views_version"),
                    models.UniqueConstraint(fields=("owner", "name"), name="uq_saved_views_owner_name"),
                ],
            },
        ),
        KeepUpdatedAt("saved_views"),
        migrations.RunSQL(KEEP_TAGS, DROP_KEEP_TAGS),
        migrations.RunSQL(COPY_TAGS, migrations.RunSQL.noop),
    ]
