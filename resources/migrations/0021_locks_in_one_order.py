"""The locks of a bulk in one order: what it writes and what it refers to, each as strongly as it has to be."""

from django.db import migrations

# One statement locks its rows in one strength. In two, one after the other, those who refer to what the other writes
# would wait for each other.
HOLD = """
CREATE FUNCTION nook_hold_resources(written uuid[], referred uuid[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    one record;
BEGIN
    FOR one IN
        SELECT id, bool_or(is_written) AS is_written
        FROM (SELECT unnest(written), true UNION ALL SELECT unnest(referred), false) AS wanted (id, is_written)
        GROUP BY id ORDER BY id
    LOOP
        IF one.is_written THEN
            PERFORM FROM resources WHERE id = one.id FOR NO KEY UPDATE;
        ELSE
            PERFORM FROM resources WHERE id = one.id AND deleted_at IS NULL FOR SHARE;
        END IF;
    END LOOP;
END
$$
"""


class Migration(migrations.Migration):
    dependencies = [("resources", "0020_schema_followings")]

    operations = [migrations.RunSQL(HOLD, "DROP FUNCTION nook_hold_resources(uuid[], uuid[])")]
