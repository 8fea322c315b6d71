"""Full text by what a type's schema says: weights for values of `data`, and nothing of what not everybody may read."""

from django.db import migrations, models

# A tsvector ends at 1 MiB; 200,000 characters of data stay well below that whatever they hold, so that is how much of
# the values is read, those with a weight of their own first. `plan` is {"path": […], "weight": "A" or null}, …;
# null is for what is never found.
SEARCH = """
CREATE FUNCTION nook_data_search(data jsonb, plan jsonb) RETURNS tsvector LANGUAGE plpgsql IMMUTABLE AS $$
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
        rest := rest #- path;
    END LOOP;
    RETURN found || setweight(
        CASE WHEN pg_column_size(rest) > room
            THEN to_tsvector('nook', left(rest::text, room))
            ELSE jsonb_to_tsvector('nook', rest, '["string", "numeric"]') END,
        'C');
END
$$;
CREATE FUNCTION nook_search_of(type text, name text, description text, tags text[], data jsonb) RETURNS tsvector
LANGUAGE plpgsql STABLE AS $$
DECLARE
    plan jsonb := (SELECT search_plan FROM resource_types WHERE key = type);
BEGIN
    RETURN
        setweight(to_tsvector('nook', name), 'A') ||
        setweight(to_tsvector('nook', description), 'B') ||
        setweight(to_tsvector('nook', array_to_string(tags, ' ')), 'C') ||
        CASE WHEN plan IS NOT NULL THEN nook_data_search(data, plan)
            WHEN pg_column_size(data) > 200000
            THEN setweight(to_tsvector('nook', left(data::text, 200000)), 'C')
            ELSE setweight(jsonb_to_tsvector('nook', data, '["string", "numeric"]'), 'C') END;
END
$$;
CREATE OR REPLACE FUNCTION nook_resource_search() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.search := nook_search_of(NEW.type, NEW.name, NEW.description, NEW.tags, NEW.data);
    RETURN NEW;
END
$$;
-- Writing the vector anew is no change of the resource.
DROP TRIGGER keep_updated_at ON resources;
CREATE TRIGGER keep_updated_at BEFORE UPDATE ON resources FOR EACH ROW
    WHEN (current_setting('nook.reindexing', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION nook_keep_updated_at()
"""
BACK = """
CREATE OR REPLACE FUNCTION nook_resource_search() RETURNS trigger LANGUAGE plpgsql AS $$
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
DROP FUNCTION nook_search_of(text, text, text, text[], jsonb);
DROP FUNCTION nook_data_search(jsonb, jsonb);
DROP TRIGGER keep_updated_at ON resources;
CREATE TRIGGER keep_updated_at BEFORE UPDATE ON resources FOR EACH ROW EXECUTE FUNCTION nook_keep_updated_at()
"""


class Migration(migrations.Migration):
    dependencies = [("resources", "0014_file_variants")]

    operations = [
        migrations.AddField("resourcetype", "search_plan", models.JSONField(editable=False, null=True)),
        migrations.RunSQL(SEARCH, BACK),
    ]
