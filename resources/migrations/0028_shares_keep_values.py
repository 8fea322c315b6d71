"""A share keeps the status and the indexed values of its resource, so that an aggregate over shares reads no resource.

Nothing here takes long, whatever the number of shares. Those that are there get their copies from a job, which the
hourly look promises; until then each is answered by its resource.
"""

from collections.abc import Iterator
from typing import Any, Final

import orjson
from django.db import migrations, models

# A text as far as an index holds it; no list and no object, which no index compares. More than a page of eight shares
# has room for is not copied: each write of a record writes up to a thousand of them.
KEPT = """
CREATE FUNCTION nook_share_data(data jsonb, plan jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    entry jsonb;
    path text[];
    value jsonb;
    kept jsonb := '{}';
BEGIN
    IF plan IS NULL THEN
        RETURN NULL;
    END IF;
    FOR place IN 0 .. jsonb_array_length(plan -> 'paths') - 1 LOOP
        entry := plan -> 'paths' -> place;
        path := ARRAY[entry ->> 0];
        FOR depth IN 1 .. jsonb_array_length(entry) - 1 LOOP
            path := path || (entry ->> depth);
        END LOOP;
        value := data #> path;
        IF jsonb_typeof(value) = 'string' THEN
            value := to_jsonb(left(value #>> '{}', 300));
        END IF;
        IF jsonb_typeof(value) IN ('string', 'number', 'boolean') THEN
            FOR depth IN 1 .. cardinality(path) - 1 LOOP
                IF kept #> path[:depth] IS NULL THEN
                    kept := jsonb_set(kept, path[:depth], '{}');
                END IF;
            END LOOP;
            kept := jsonb_set(kept, path, value);
        END IF;
    END LOOP;
    RETURN CASE WHEN pg_column_size(kept) <= 1000 THEN kept END;
END
$$
"""
# The shares as they are once the row is written: whoever makes one meanwhile waits for the row. Most records have none,
# and a write of what no share keeps writes none.
TELLS = """
CREATE OR REPLACE FUNCTION nook_resource_tells_shares() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    plan jsonb;
    kept jsonb;
BEGIN
    IF NOT EXISTS (SELECT FROM shares WHERE resource_id = NEW.id) THEN
        RETURN NULL;
    END IF;
    plan := (SELECT share_plan FROM resource_types WHERE key = NEW.type);
    kept := nook_share_data(NEW.data, plan);
    IF kept IS NOT DISTINCT FROM nook_share_data(OLD.data, plan)
        AND (OLD.owner_id, OLD.type, OLD.visibility, OLD.created_at, OLD.deleted_at, OLD.status)
            IS NOT DISTINCT FROM
            (NEW.owner_id, NEW.type, NEW.visibility, NEW.created_at, NEW.deleted_at, NEW.status) THEN
        RETURN NULL;
    END IF;
    UPDATE shares
    SET resource_owner_id = NEW.owner_id, resource_type = NEW.type, resource_visibility = NEW.visibility,
        resource_created_at = NEW.created_at, resource_in_bin = NEW.deleted_at IS NOT NULL,
        resource_status = NEW.status, resource_data = kept,
        resource_data_since = CASE WHEN kept IS NOT NULL THEN (plan ->> 'since')::int END
    WHERE resource_id = NEW.id;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER tell_shares
    AFTER UPDATE OF owner_id, type, visibility, created_at, deleted_at, status, data ON resources FOR EACH ROW
    WHEN ((OLD.owner_id, OLD.type, OLD.visibility, OLD.created_at, OLD.deleted_at, OLD.status, OLD.data)
          IS DISTINCT FROM
          (NEW.owner_id, NEW.type, NEW.visibility, NEW.created_at, NEW.deleted_at, NEW.status, NEW.data))
    EXECUTE FUNCTION nook_resource_tells_shares()
"""
TELLS_LESS = """
CREATE OR REPLACE FUNCTION nook_resource_tells_shares() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE shares SET resource_id = resource_id WHERE resource_id = NEW.id;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER tell_shares
    AFTER UPDATE OF owner_id, type, visibility, created_at, deleted_at ON resources FOR EACH ROW
    WHEN ((OLD.owner_id, OLD.type, OLD.visibility, OLD.created_at, OLD.deleted_at)
          IS DISTINCT FROM (NEW.owner_id, NEW.type, NEW.visibility, NEW.created_at, NEW.deleted_at))
    EXECUTE FUNCTION nook_resource_tells_shares()
"""
# A new share takes all of it from its resource, FOR SHARE as before; so does one of which somebody writes these columns
# by hand. What the resource tells (a trigger within a trigger) is written as it is told.
TAKES = """
CREATE OR REPLACE FUNCTION nook_share_takes_from_resource() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    plan jsonb;
    whole jsonb;
BEGIN
    SELECT owner_id, type, visibility, created_at, deleted_at IS NOT NULL, status, data
    INTO NEW.resource_owner_id, NEW.resource_type, NEW.resource_visibility, NEW.resource_created_at,
         NEW.resource_in_bin, NEW.resource_status, whole
    FROM resources WHERE id = NEW.resource_id FOR SHARE;
    plan := (SELECT share_plan FROM resource_types WHERE key = NEW.resource_type);
    NEW.resource_data := nook_share_data(whole, plan);
    NEW.resource_data_since := CASE WHEN NEW.resource_data IS NOT NULL THEN (plan ->> 'since')::int END;
    RETURN NEW;
END
$$;
CREATE OR REPLACE TRIGGER take_from_resource BEFORE INSERT ON shares
    FOR EACH ROW EXECUTE FUNCTION nook_share_takes_from_resource();
CREATE TRIGGER take_from_resource_again
    BEFORE UPDATE OF resource_id, resource_owner_id, resource_type, resource_visibility, resource_created_at,
                     resource_in_bin, resource_status, resource_data, resource_data_since ON shares
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION nook_share_takes_from_resource();
-- What the resource tells is no change of the share. (Triggers fire by name: before `take_from_resource_again`.)
CREATE OR REPLACE TRIGGER keep_updated_at BEFORE UPDATE ON shares FOR EACH ROW
    WHEN (pg_trigger_depth() = 0 AND OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION nook_keep_updated_at()
"""
TAKES_LESS = """
CREATE OR REPLACE FUNCTION nook_share_takes_from_resource() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT owner_id, type, visibility, created_at, deleted_at IS NOT NULL
    INTO NEW.resource_owner_id, NEW.resource_type, NEW.resource_visibility, NEW.resource_created_at, NEW.resource_in_bin
    FROM resources WHERE id = NEW.resource_id FOR SHARE;
    RETURN NEW;
END
$$;
DROP TRIGGER take_from_resource_again ON shares;
CREATE OR REPLACE TRIGGER take_from_resource
    BEFORE INSERT OR UPDATE OF resource_id, resource_owner_id, resource_type, resource_visibility, resource_created_at,
                               resource_in_bin ON shares
    FOR EACH ROW EXECUTE FUNCTION nook_share_takes_from_resource();
CREATE OR REPLACE TRIGGER keep_updated_at BEFORE UPDATE ON shares FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION nook_keep_updated_at()
"""
# A schema that changes meanwhile keeps no plan: its shares are answered by their resources.
PLAN: Final = "UPDATE resource_types SET share_plan = %s::jsonb WHERE id = %s AND schema_version = %s"
FOLLOW: Final = """
INSERT INTO schema_followings (type, work, schema_version)
SELECT key, 'shares', schema_version FROM resource_types WHERE key IN (SELECT DISTINCT resource_type FROM shares)
ON CONFLICT DO NOTHING
"""
DO_NOT_FOLLOW: Final = "DELETE FROM schema_followings WHERE work = 'shares'"


def properties(schema: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Yield every property that `properties` lead to, with its path."""
    children = schema.get("properties") if isinstance(schema, dict) else None
    for name, child in children.items() if isinstance(children, dict) else ():
        if isinstance(child, dict):
            yield (*path, name), child
            yield from properties(child, (*path, name))


def paths_to_keep(schema: Any) -> list[tuple[str, ...]]:
    """Return the paths with an index that nobody may be kept from reading."""
    found = list(properties(schema))
    closed = [path for path, child in found if child.get("x-encrypted") or "x-read" in child]
    indexed = [path for path, child in found if child.get("x-index")]
    return [path for path in indexed if not any(path[: len(one)] == one for one in closed)]


def plan(apps: Any, schema_editor: Any) -> None:
    """Say of each type which values its shares keep from now on, and that those which are there have yet to follow."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT id, schema_version, schema::text FROM resource_types")
        for type_id, since, schema in cursor.fetchall():
            paths = paths_to_keep(orjson.loads(schema))
            if paths:
                text = orjson.dumps({"since": since, "paths": paths}).decode()
                cursor.execute(PLAN, [text, type_id, since])
        cursor.execute(FOLLOW)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("resources", "0027_first_versions_unwritten")]

    operations = [
        migrations.RunSQL("SET statement_timeout = 0", "RESET statement_timeout"),
        migrations.AddField("resourcetype", "share_plan", models.JSONField(editable=False, null=True)),
        migrations.AddField("share", "resource_status", models.CharField(editable=False, max_length=50, null=True)),
        migrations.AddField("share", "resource_data", models.JSONField(editable=False, null=True)),
        migrations.AddField("share", "resource_data_since", models.IntegerField(editable=False, null=True)),
        migrations.RemoveConstraint("schemafollowing", "ck_schema_followings_work"),
        migrations.AddConstraint(
            "schemafollowing",
            models.CheckConstraint(
                condition=models.Q(("work__in", ["search", "shares", "values"])), name="ck_schema_followings_work"
            ),
        ),
        migrations.RunSQL(KEPT, "DROP FUNCTION nook_share_data(jsonb, jsonb)"),
        # Who tells before who takes: from then on no share keeps a value of which nobody would tell it the next.
        migrations.RunSQL(TELLS, TELLS_LESS),
        migrations.RunSQL(TAKES, TAKES_LESS),
        migrations.RunPython(plan, migrations.RunPython.noop),
        migrations.RunSQL(migrations.RunSQL.noop, DO_NOT_FOLLOW),
        migrations.RunSQL("RESET statement_timeout", "SET statement_timeout = 0"),
    ]
