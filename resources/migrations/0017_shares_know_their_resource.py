"""A share knows what a list needs of its resource, so that an index holds one receiver's shares in the order of a list.

Each step is short, or takes no lock that anybody waits for: a table with millions of shares stays in use meanwhile.
"""

from typing import Any, Final

import django.db.models.deletion
from django.conf import settings
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

# FOR SHARE: a transfer (deletion, …) of the resource that has begun is waited for and then seen; one that begins later
# waits for this share and then writes it anew. So neither misses the other.
#
# Only they write these columns: to write them anew is to name the resource again.
TRIGGERS = """
CREATE FUNCTION nook_share_takes_from_resource() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT owner_id, type, visibility, created_at, deleted_at IS NOT NULL
    INTO NEW.resource_owner_id, NEW.resource_type, NEW.resource_visibility, NEW.resource_created_at, NEW.resource_in_bin
    FROM resources WHERE id = NEW.resource_id FOR SHARE;
    RETURN NEW;
END
$$;
CREATE TRIGGER take_from_resource
    BEFORE INSERT OR UPDATE OF resource_id, resource_owner_id, resource_type, resource_visibility, resource_created_at,
                               resource_in_bin ON shares
    FOR EACH ROW EXECUTE FUNCTION nook_share_takes_from_resource();
CREATE FUNCTION nook_resource_tells_shares() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE shares SET resource_id = resource_id WHERE resource_id = NEW.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER tell_shares AFTER UPDATE OF owner_id, type, visibility, created_at, deleted_at ON resources FOR EACH ROW
    WHEN ((OLD.owner_id, OLD.type, OLD.visibility, OLD.created_at, OLD.deleted_at)
          IS DISTINCT FROM (NEW.owner_id, NEW.type, NEW.visibility, NEW.created_at, NEW.deleted_at))
    EXECUTE FUNCTION nook_resource_tells_shares();
-- What the resource tells is no change of the share. (Triggers fire by name: before `take_from_resource`.)
DROP TRIGGER keep_updated_at ON shares;
CREATE TRIGGER keep_updated_at BEFORE UPDATE ON shares FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION nook_keep_updated_at()
"""
NO_TRIGGERS = """
DROP TRIGGER tell_shares ON resources;
DROP FUNCTION nook_resource_tells_shares();
DROP TRIGGER take_from_resource ON shares;
DROP FUNCTION nook_share_takes_from_resource();
DROP TRIGGER keep_updated_at ON shares;
CREATE TRIGGER keep_updated_at BEFORE UPDATE ON shares FOR EACH ROW EXECUTE FUNCTION nook_keep_updated_at()
"""
FILL: Final = """
WITH batch AS (SELECT id FROM shares WHERE %(after)s::uuid IS NULL OR id > %(after)s ORDER BY id LIMIT 2000),
     filled AS (UPDATE shares SET resource_id = resource_id FROM batch
                WHERE shares.id = batch.id AND resource_owner_id IS NULL)
SELECT id FROM batch ORDER BY id DESC LIMIT 1
"""
COLUMNS: Final = (
    "resource_owner_id",
    "resource_type",
    "resource_visibility",
    "resource_created_at",
    "resource_in_bin",
)
# With a check that holds, NOT NULL is known without reading the table under a lock.
CHECK: Final = (
    f"ALTER TABLE shares ADD CONSTRAINT ck_filled CHECK ({' AND '.join(f'{name} IS NOT NULL' for name in COLUMNS)}) "
    "NOT VALID"
)


def fill(apps: Any, schema_editor: Any) -> None:
    """Let every share take what it needs from its resource, two thousand in a transaction."""
    last = None
    with schema_editor.connection.cursor() as cursor:
        while True:
            cursor.execute(FILL, {"after": last})
            row = cursor.fetchone()
            if row is None:
                return
            last = row[0]


def fields(**options: Any) -> "list[tuple[str, models.Field[Any, Any]]]":
    """Return the new fields by name."""
    return [
        ("resource_owner_id", models.UUIDField(editable=False, **options)),
        ("resource_type", models.CharField(editable=False, max_length=50, **options)),
        ("resource_visibility", models.CharField(editable=False, max_length=10, **options)),
        ("resource_created_at", models.DateTimeField(editable=False, **options)),
        ("resource_in_bin", models.BooleanField(editable=False, **options)),
    ]


def index(receiver: str) -> models.Index:
    """Return the index over one kind of receivers; it serves their foreign key as well."""
    return models.Index(
        fields=[receiver, "-resource_created_at", "-resource"],
        include=(
            "id",
            "given_by",
            "through",
            "expires_at",
            "resource_owner_id",
            "resource_type",
            "resource_visibility",
            "resource_in_bin",
        ),
        condition=models.Q((f"{receiver}__isnull", False)),
        name=f"idx_shares_{receiver}_id",
    )


def key(to: Any, on_delete: Any) -> "models.ForeignKey[Any, Any]":
    """Return the key of a receiver, without an index of its own."""
    return models.ForeignKey(blank=True, db_index=False, null=True, on_delete=on_delete, related_name="+", to=to)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("accounts", "0002_roles"),
        ("resources", "0016_search_of_other_shapes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL("SET statement_timeout = 0", "RESET statement_timeout"),
        *(migrations.AddField("share", name, field) for name, field in fields(null=True)),
        migrations.RunSQL(TRIGGERS, NO_TRIGGERS),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.RunSQL(CHECK, migrations.RunSQL.noop),
        migrations.RunSQL("ALTER TABLE shares VALIDATE CONSTRAINT ck_filled", migrations.RunSQL.noop),
        *(migrations.AlterField("share", name, field) for name, field in fields()),
        migrations.RunSQL("ALTER TABLE shares DROP CONSTRAINT ck_filled", migrations.RunSQL.noop),
        AddIndexConcurrently("share", index("user")),
        AddIndexConcurrently("share", index("role")),
        migrations.AlterField("share", "user", key(settings.AUTH_USER_MODEL, django.db.models.deletion.CASCADE)),
        migrations.AlterField("share", "role", key("accounts.role", django.db.models.deletion.PROTECT)),
        migrations.RunSQL("RESET statement_timeout", "SET statement_timeout = 0"),
    ]
