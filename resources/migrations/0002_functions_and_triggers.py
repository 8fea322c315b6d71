"""What the database itself holds true: the search vector, live shares, `updated_at`."""

from django.db import migrations

from core.migration_operations import KeepUpdatedAt

# `simple` does no stemming, so one configuration serves every language; `unaccent` lets "cafe" find "café".
TEXT_SEARCH_CONFIGURATION = """
CREATE TEXT SEARCH CONFIGURATION nook (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION nook
    ALTER MAPPING FOR asciiword, word, numword, asciihword, hword, numhword,
                      hword_asciipart, hword_part, hword_numpart
    WITH unaccent, simple
"""

# A tsvector ends at 1 MiB; 200,000 characters of data stay well below that whatever they hold.
SEARCH_VECTOR = """
CREATE FUNCTION nook_resource_search() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.search :=
        setweight(to_tsvector('nook', NEW.name), 'A') ||
        setweight(to_tsvector('nook', NEW.description), 'B') ||
        setweight(to_tsvector('nook', array_to_string(NEW.tags, ' ')), 'C') ||
        setweight(
            CASE WHEN pg_column_size(NEW.data) > 200000
                THEN to_tsvector('nook', left(NEW.data::text, 200000))
                ELSE jsonb_to_tsvector('nook', NEW.data, '["string", "numeric"]') END,
            'C');
    RETURN NEW;
END
$$;
CREATE TRIGGER write_search
    BEFORE INSERT OR UPDATE OF name, description, tags, data ON resources
    FOR EACH ROW EXECUTE FUNCTION nook_resource_search()
"""
DROP_SEARCH_VECTOR = "DROP TRIGGER write_search ON resources; DROP FUNCTION nook_resource_search()"

# A share holds while every share above it is unexpired and still reaches whoever gave the next one as a manager (4),
# and while the one at the top was given by the owner or by an admin.
SHARE_HOLDS = """
CREATE FUNCTION nook_share_holds(asked uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    WITH RECURSIVE chain AS (
        SELECT id, resource_id, given_by_id, through_id FROM shares WHERE id = asked
        UNION
        SELECT above.id, above.resource_id, above.given_by_id, above.through_id
        FROM chain
        JOIN shares above ON above.id = chain.through_id AND above.resource_id = chain.resource_id
        JOIN users giver ON giver.id = chain.given_by_id
        WHERE above.access >= 4
          AND (above.expires_at IS NULL OR above.expires_at > statement_timestamp())
          AND (above.user_id = giver.id OR above.role_id = giver.role_id)
    )
    SELECT EXISTS (
        SELECT 1
        FROM chain
        JOIN resources ON resources.id = chain.resource_id
        JOIN users giver ON giver.id = chain.given_by_id
        JOIN roles ON roles.id = giver.role_id
        WHERE chain.through_id IS NULL
          AND (resources.owner_id = giver.id OR roles.permissions ? 'admin')
    )
$$
"""


class Migration(migrations.Migration):
    dependencies = [("resources", "0001_first"), ("core", "0001_ground")]

    operations = [
        KeepUpdatedAt("resource_types"),
        KeepUpdatedAt("resources"),
        KeepUpdatedAt("resource_versions"),
        KeepUpdatedAt("shares"),
        migrations.RunSQL(TEXT_SEARCH_CONFIGURATION, "DROP TEXT SEARCH CONFIGURATION nook"),
        migrations.RunSQL(SEARCH_VECTOR, DROP_SEARCH_VECTOR),
        migrations.RunSQL(SHARE_HOLDS, "DROP FUNCTION nook_share_holds(uuid)"),
    ]
