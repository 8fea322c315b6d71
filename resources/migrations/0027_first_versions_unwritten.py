"""The first version of what its owner created is the record itself, until the second one comes."""

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models
from django.db.models.functions import Now

import core.identifiers
import core.models.base
import core.models.decoding

# As `state_of` and the importer spell it: a test holds them equal. Each column of the state stands in the view too, so
# whoever changes the type of one drops the view before and makes it again.
STATE = """
CREATE FUNCTION nook_state_of(one resources) RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT jsonb_build_object(
        'type', one.type, 'owner', one.owner_id, 'name', one.name, 'description', one.description,
        'status', one.status, 'visibility', one.visibility, 'data', one.data, 'tags', one.tags,
        'external_id', one.external_id, 'schema_version', one.schema_version)
$$
"""
DROP_STATE = "DROP FUNCTION nook_state_of(resources)"

# In the database, so that no way of writing can forget it. Whoever raises the version holds the row: nobody else can
# write the first one at the same time; where it is written already, it stays.
KEEP = """
CREATE FUNCTION nook_keep_first_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO resource_versions (created_at, updated_at, resource_id, number, action, actor_id, snapshot, changed)
    VALUES (OLD.created_at, OLD.created_at, OLD.id, 1, 'created', OLD.owner_id, nook_state_of(OLD),
            '{data,description,external_id,name,owner,schema_version,status,tags,type,visibility}')
    ON CONFLICT (resource_id, number) DO NOTHING;
    RETURN NULL;
END
$$;
CREATE TRIGGER keep_first_version AFTER UPDATE OF version ON resources
    FOR EACH ROW WHEN (OLD.version = 1 AND NEW.version > 1) EXECUTE FUNCTION nook_keep_first_version()
"""
DROP_KEEP = "DROP TRIGGER keep_first_version ON resources; DROP FUNCTION nook_keep_first_version()"

# Whether the first version is written is asked for as a value: as `NOT EXISTS` it would be a join, and of a view that
# joins, whoever looks for the versions of some resources would read the whole.
HISTORY = """
CREATE VIEW resource_history AS
SELECT id, created_at, updated_at, resource_id, number, action, actor_id, snapshot, changed FROM resource_versions
UNION ALL
SELECT id, created_at, created_at, id, 1, 'created'::varchar(20), owner_id, nook_state_of(resources),
       '{data,description,external_id,name,owner,schema_version,status,tags,type,visibility}'::text[]
FROM resources
WHERE version = 1 AND (SELECT written.number FROM resource_versions AS written
                       WHERE written.resource_id = resources.id AND written.number = 1) IS NULL
"""
DROP_HISTORY = "DROP VIEW resource_history"

# The release before looks for every version in the table.
WRITE_ALL = """
SET LOCAL statement_timeout = 0;
INSERT INTO resource_versions (created_at, updated_at, resource_id, number, action, actor_id, snapshot, changed)
SELECT created_at, created_at, id, 1, 'created', owner_id, nook_state_of(resources),
       '{data,description,external_id,name,owner,schema_version,status,tags,type,visibility}'
FROM resources
WHERE version = 1
ON CONFLICT (resource_id, number) DO NOTHING;
SET CONSTRAINTS ALL IMMEDIATE
"""


class Migration(migrations.Migration):
    dependencies = [("resources", "0026_looks_in_the_statement")]

    operations = [
        migrations.RunSQL(STATE, DROP_STATE),
        migrations.RunSQL(KEEP, DROP_KEEP),
        migrations.RunSQL(HISTORY, DROP_HISTORY),
        migrations.RunSQL(migrations.RunSQL.noop, WRITE_ALL),
        migrations.CreateModel(
            name="ResourceHistory",
            fields=[
                ("created_at", models.DateTimeField(db_default=Now(), editable=False)),
                ("updated_at", models.DateTimeField(db_default=Now(), editable=False)),
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
                ("action", models.CharField(max_length=20)),
                ("snapshot", models.JSONField(decoder=core.models.decoding.StoredJSON)),
                ("changed", ArrayField(base_field=models.TextField(), size=None)),
            ],
            options={"db_table": "resource_history", "managed": False},
        ),
    ]
