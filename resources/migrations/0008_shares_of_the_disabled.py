"""A share needs a giver who can still sign in; what owners gave stays, since others work with it."""

from importlib import import_module

from django.db import migrations

_BEFORE = import_module("resources.migrations.0002_functions_and_triggers").SHARE_HOLDS

# A share holds while every share above it is unexpired and still reaches whoever gave the next one as a manager (4),
# and while the one at the top was given by the owner or by an admin. Who gave without being the owner has to be
# neither disabled nor deleted. Most shares are an owner's own: those are known by two index lookups.
SHARE_HOLDS = """
CREATE OR REPLACE FUNCTION nook_share_holds(asked uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT 1 FROM shares JOIN resources ON resources.id = shares.resource_id
        WHERE shares.id = asked AND shares.through_id IS NULL AND resources.owner_id = shares.given_by_id
    ) OR EXISTS (
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
              AND giver.is_active AND giver.deleted_at IS NULL
        )
        SELECT 1
        FROM chain
        JOIN resources ON resources.id = chain.resource_id
        JOIN users giver ON giver.id = chain.given_by_id
        JOIN roles ON roles.id = giver.role_id
        WHERE chain.through_id IS NULL
          AND (resources.owner_id = giver.id
               OR (roles.permissions ? 'admin' AND giver.is_active AND giver.deleted_at IS NULL))
    )
$$
"""


class Migration(migrations.Migration):
    dependencies = [("resources", "0007_comments")]

    operations = [migrations.RunSQL(SHARE_HOLDS, _BEFORE.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))]
