"""What full text leaves out is left out of data of another shape too; and rewritten versions keep their time."""

from django.db import migrations

# `#-` refuses a path that leads through a list; `nook_shown` takes away what stands where an object should.
SEARCH = """
CREATE OR REPLACE FUNCTION nook_data_search(data jsonb, plan jsonb) RETURNS tsvector LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    entry jsonb;
    path text[];
    spelt text;
    room int := 200000;
    rest jsonb := data;
    found tsvector := '';
BEGIN
    FOR entry IN SELECT jsonb_array_elements(plan) LOOP
        path := ARRAY(SELECT jsonb_array_elements_text(entry -> 'path'));
        IF entry ->> 'weight' IS NOT NULL THEN
            spelt := left(data #>> path, room);
            IF spelt IS NOT NULL THEN
                found := found || setweight(to_tsvector('nook', spelt), (entry ->> 'weight')::"char");
                room := room - length(spelt);
            END IF;
        END IF;
        rest := {rest};
    END LOOP;
    RETURN found || setweight(
        CASE WHEN pg_column_size(rest) > room
            THEN to_tsvector('nook', left(rest::text, room))
            ELSE jsonb_to_tsvector('nook', rest, '["string", "numeric"]') END,
        'C');
END
$$
"""
WITHOUT = (
    "nook_shown(rest, jsonb_build_array(jsonb_build_object('path', entry -> 'path', 'roles', '[]'::jsonb)), '', false)"
)
QUIET = """
DROP TRIGGER keep_updated_at ON resource_versions;
CREATE TRIGGER keep_updated_at BEFORE UPDATE ON resource_versions FOR EACH ROW
    WHEN (current_setting('nook.reindexing', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION nook_keep_updated_at()
"""
NOT_QUIET = """
DROP TRIGGER keep_updated_at ON resource_versions;
CREATE TRIGGER keep_updated_at BEFORE UPDATE ON resource_versions
    FOR EACH ROW EXECUTE FUNCTION nook_keep_updated_at()
"""


class Migration(migrations.Migration):
    dependencies = [("resources", "0015_search_plans")]

    operations = [
        migrations.RunSQL(SEARCH.replace("{rest}", WITHOUT), SEARCH.replace("{rest}", "rest #- path")),
        migrations.RunSQL(QUIET, NOT_QUIET),
    ]
