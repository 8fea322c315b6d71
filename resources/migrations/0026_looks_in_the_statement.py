"""What a 304 asks stands in its statement now: a function began four statements more for each."""

from django.db import migrations

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
        ("resources", "0025_numbers_as_written"),
    ]

    operations = [
        migrations.RunSQL(FORGET_LOOKS, LOOKS),
    ]
