"""When it last changed how resources look beside their versions, so that a 304 is never one too many."""

import django.db.models.functions.datetime
from django.db import migrations, models

import core.identifiers
import core.models.base
from core.migration_operations import KeepUpdatedAt

# What a version does not cover and an answer shows: the owner's name, the level of who asks (their role, its
# permissions, shares), what a type hides; and what is embedded. Rows are only added: nobody waits for anybody.
NOTE = """
CREATE FUNCTION nook_note_appearance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- The part, and the column that holds the subject.
    INSERT INTO appearance_changes (subject, part, changed_at)
    VALUES (
        CASE WHEN TG_OP = 'DELETE' THEN to_jsonb(OLD) ->> TG_ARGV[1] ELSE to_jsonb(NEW) ->> TG_ARGV[1] END,
        TG_ARGV[0],
        clock_timestamp()
    );
    RETURN NULL;
END
$$;
CREATE TRIGGER note_appearance AFTER UPDATE OF name, avatar, role_id ON users FOR EACH ROW
    WHEN ((OLD.name, OLD.avatar, OLD.role_id) IS DISTINCT FROM (NEW.name, NEW.avatar, NEW.role_id))
    EXECUTE FUNCTION nook_note_appearance('looks', 'id');
CREATE TRIGGER note_appearance AFTER UPDATE OF name, permissions ON roles FOR EACH ROW
    WHEN ((OLD.name, OLD.permissions) IS DISTINCT FROM (NEW.name, NEW.permissions))
    EXECUTE FUNCTION nook_note_appearance('looks', 'name');
CREATE TRIGGER note_appearance AFTER UPDATE OF field_rules, comments ON resource_types FOR EACH ROW
    WHEN ((OLD.field_rules, OLD.comments) IS DISTINCT FROM (NEW.field_rules, NEW.comments))
    EXECUTE FUNCTION nook_note_appearance('looks', 'key');
CREATE TRIGGER note_appearance AFTER INSERT OR DELETE ON shares FOR EACH ROW
    EXECUTE FUNCTION nook_note_appearance('shares', 'resource_id');
CREATE TRIGGER note_appearance_again AFTER UPDATE OF access, expires_at, given_by_id, through_id ON shares FOR EACH ROW
    WHEN ((OLD.access, OLD.expires_at, OLD.given_by_id, OLD.through_id)
          IS DISTINCT FROM (NEW.access, NEW.expires_at, NEW.given_by_id, NEW.through_id))
    EXECUTE FUNCTION nook_note_appearance('shares', 'resource_id');
CREATE TRIGGER note_appearance AFTER INSERT OR DELETE ON comments FOR EACH ROW
    EXECUTE FUNCTION nook_note_appearance('comments', 'resource_id');
INSERT INTO appearance_changes (subject, part, changed_at)
SELECT resource_id::text, 'shares', clock_timestamp() FROM shares GROUP BY resource_id;
INSERT INTO appearance_changes (subject, part, changed_at)
SELECT resource_id::text, 'comments', clock_timestamp() FROM comments GROUP BY resource_id
"""
FORGET = """
DROP TRIGGER note_appearance ON comments;
DROP TRIGGER note_appearance_again ON shares;
DROP TRIGGER note_appearance ON shares;
DROP TRIGGER note_appearance ON resource_types;
DROP TRIGGER note_appearance ON roles;
DROP TRIGGER note_appearance ON users;
DROP FUNCTION nook_note_appearance()
"""

# Whether every answer with the version of that time looked to this caller as one does now. What is on its way at a
# commit bears an earlier time: ten minutes are longer than any transaction. `parts` is what is embedded: it may never
# have been touched.
LOOKS = """
CREATE FUNCTION nook_looks_as_ever(
    resource uuid, owner uuid, kind_key text, since timestamptz,
    caller uuid, role_name text, is_admin boolean, parts text[]
) RETURNS boolean LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    by_share boolean := caller IS NOT NULL AND NOT is_admin AND caller <> owner;
BEGIN
    RETURN NOT EXISTS (
        SELECT FROM appearance_changes
        WHERE subject IN (kind_key, role_name, owner::text, caller::text) AND changed_at > since - interval '10 minutes'
    ) AND NOT EXISTS (
        SELECT FROM resource_types WHERE key = kind_key AND field_rules IS NOT NULL
    ) AND (NOT by_share AND parts = '{}' OR NOT EXISTS (
        SELECT FROM appearance_changes
        WHERE subject = resource::text
          AND (part = ANY(parts) OR (by_share AND part = 'shares' AND changed_at > since - interval '10 minutes'))
    )) AND NOT (by_share AND EXISTS (
        -- What an owner gave without an end lasts; the rest may end by time, or with what its giver may.
        SELECT FROM shares
        WHERE resource_id = resource AND (user_id = caller OR role_id = (SELECT id FROM roles WHERE name = role_name))
          AND (expires_at IS NOT NULL OR through_id IS NOT NULL OR given_by_id <> owner)
    ));
END
$$
"""
FORGET_LOOKS = "DROP FUNCTION nook_looks_as_ever(uuid, uuid, text, timestamptz, uuid, text, boolean, text[])"


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_avatars"),
        ("resources", "0022_words_cost_less"),
    ]

    operations = [
        migrations.CreateModel(
            name="AppearanceChange",
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
                ("subject", models.TextField()),
                ("part", models.CharField(max_length=10)),
                ("changed_at", models.DateTimeField()),
            ],
            options={
                "db_table": "appearance_changes",
                "indexes": [models.Index(fields=["subject", "changed_at"], name="idx_appearance_changes_subject")],
            },
        ),
        KeepUpdatedAt("appearance_changes"),
        migrations.RunSQL(NOTE, FORGET),
        migrations.RunSQL(LOOKS, FORGET_LOOKS),
    ]
