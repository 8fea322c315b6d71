"""Let the log forget a person and still prove itself: salted parts under each seal, and a record of what was taken.

Rows sealed from here on (form 2) are hashed in three parts. A redaction takes the payload or the origin (address and
user agent) out of a row, keeps that part's salted hash in `event_redactions`, and the seal can still be recomputed.
The trigger lets nothing else pass: a redaction takes away, it never puts in.

After this migration was undone, the release before calls every row sealed in form 2 changed.
"""

from django.db import migrations

# In two steps, because a volatile default would rewrite every month of the log; old rows have no salt.
COLUMNS = """
ALTER TABLE events ADD COLUMN payload_salt uuid, ADD COLUMN origin_salt uuid;
ALTER TABLE events ALTER COLUMN payload_salt SET DEFAULT gen_random_uuid(),
                   ALTER COLUMN origin_salt SET DEFAULT gen_random_uuid();
ALTER TABLE event_seals ADD COLUMN form smallint NOT NULL DEFAULT 1;
"""
DROP_COLUMNS = """
ALTER TABLE events DROP COLUMN payload_salt, DROP COLUMN origin_salt;
ALTER TABLE event_seals DROP COLUMN form;
"""

TABLE = """
CREATE TABLE event_redactions (
    event_seq bigint NOT NULL,
    part varchar(10) COLLATE "C" NOT NULL CONSTRAINT ck_event_redactions_part CHECK (part IN ('payload', 'origin')),
    redaction uuid NOT NULL,
    fixed_hash bytea NOT NULL,
    part_hash bytea NOT NULL,
    redacted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (event_seq, part)
);
CREATE INDEX idx_event_redactions_redaction ON event_redactions (redaction);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON event_redactions
    FOR EACH ROW EXECUTE FUNCTION nook_refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON event_redactions
    FOR EACH STATEMENT EXECUTE FUNCTION nook_refuse_change();
"""

FIXED = """sha256(convert_to(jsonb_build_array(
        e.seq, e.id, e.type, e.actor, e.on_behalf_of, e.subject_type, e.subject_id, to_jsonb(e.audience),
        e.request_id, e.trace_id, (extract(epoch FROM e.occurred_at) * 1000000)::bigint)::text, 'UTF8'))"""
PAYLOAD = "sha256(convert_to(jsonb_build_array({row}.payload_salt, {row}.payload)::text, 'UTF8'))"
ORIGIN = "sha256(convert_to(jsonb_build_array({row}.origin_salt, {row}.ip::text, {row}.user_agent)::text, 'UTF8'))"

# A change passes when each part of the row is as it was, or is blank and was recorded as it was.
GUARD = f"""
CREATE FUNCTION nook_guard_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW IS DISTINCT FROM OLD
            AND (NEW.xid, NEW.seq, NEW.id, NEW.type, NEW.actor, NEW.on_behalf_of, NEW.subject_type, NEW.subject_id,
                NEW.audience, NEW.request_id, NEW.trace_id, NEW.occurred_at)
            IS NOT DISTINCT FROM
            (OLD.xid, OLD.seq, OLD.id, OLD.type, OLD.actor, OLD.on_behalf_of, OLD.subject_type, OLD.subject_id,
                OLD.audience, OLD.request_id, OLD.trace_id, OLD.occurred_at)
            AND ((NEW.payload_salt, NEW.payload) IS NOT DISTINCT FROM (OLD.payload_salt, OLD.payload)
                OR (NEW.payload_salt IS NULL AND NEW.payload = '{{"redacted": true}}'
                    AND EXISTS (SELECT FROM event_redactions r WHERE r.event_seq = OLD.seq AND r.part = 'payload'
                                AND r.part_hash = {PAYLOAD.format(row="OLD")})))
            AND ((NEW.origin_salt, NEW.ip, NEW.user_agent)
                IS NOT DISTINCT FROM (OLD.origin_salt, OLD.ip, OLD.user_agent)
                OR (NEW.origin_salt IS NULL AND NEW.ip IS NULL AND NEW.user_agent = ''
                    AND EXISTS (SELECT FROM event_redactions r WHERE r.event_seq = OLD.seq AND r.part = 'origin'
                                AND r.part_hash = {ORIGIN.format(row="OLD")})))
        THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;

DROP TRIGGER append_only ON events;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON events
    FOR EACH ROW EXECUTE FUNCTION nook_guard_event();
"""  # noqa: S608  # put together from constants
DROP_GUARD = """
DROP TRIGGER append_only ON events;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON events
    FOR EACH ROW EXECUTE FUNCTION nook_refuse_change();
DROP FUNCTION nook_guard_event();
"""

# A row sealed in form 1 has one hash over everything, so it is redacted whole.
REDACT = f"""
CREATE FUNCTION nook_redact_events(of_redaction uuid, numbers bigint[], payloads boolean[], origins boolean[])
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    blanked bigint;
BEGIN
    PERFORM FROM events e WHERE e.seq = ANY (numbers) ORDER BY e.seq FOR UPDATE;
    WITH wanted AS (
        SELECT e.seq, {FIXED} AS fixed_hash, {PAYLOAD.format(row="e")} AS payload_hash,
               {ORIGIN.format(row="e")} AS origin_hash,
               w.takes_payload OR coalesce(s.form = 1, false) AS takes_payload,
               w.takes_origin OR coalesce(s.form = 1, false) AS takes_origin
        FROM unnest(numbers, payloads, origins) AS w (seq, takes_payload, takes_origin)
        JOIN events e ON e.seq = w.seq
        LEFT JOIN event_seals s ON s.event_seq = e.seq
    )
    INSERT INTO event_redactions (event_seq, part, redaction, fixed_hash, part_hash)
    SELECT w.seq, part.name, of_redaction, w.fixed_hash, part.hash
    FROM wanted w CROSS JOIN LATERAL (
        VALUES ('payload', w.takes_payload, w.payload_hash),
               ('origin', w.takes_origin, w.origin_hash)
    ) AS part (name, is_taken, hash)
    WHERE part.is_taken
    ON CONFLICT DO NOTHING;

    UPDATE events e
    SET payload = CASE WHEN r.takes_payload THEN '{{"redacted": true}}' ELSE e.payload END,
        payload_salt = CASE WHEN r.takes_payload THEN NULL ELSE e.payload_salt END,
        ip = CASE WHEN r.takes_origin THEN NULL ELSE e.ip END,
        user_agent = CASE WHEN r.takes_origin THEN '' ELSE e.user_agent END,
        origin_salt = CASE WHEN r.takes_origin THEN NULL ELSE e.origin_salt END
    FROM (
        SELECT event_seq, bool_or(part = 'payload') AS takes_payload, bool_or(part = 'origin') AS takes_origin
        FROM event_redactions WHERE redaction = of_redaction AND event_seq = ANY (numbers) GROUP BY event_seq
    ) r
    WHERE e.seq = r.event_seq;
    GET DIAGNOSTICS blanked = ROW_COUNT;
    RETURN blanked;
END
$$;

DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION nook_redact_events(uuid, bigint[], boolean[], boolean[])'
                   ' SECURITY DEFINER SET search_path = %I, pg_temp', current_schema());
END
$$;
"""  # noqa: S608  # put together from constants


class Migration(migrations.Migration):
    dependencies = [("core", "0008_jobs")]
    operations = [
        migrations.RunSQL(COLUMNS, DROP_COLUMNS),
        migrations.RunSQL(TABLE, "DROP TABLE event_redactions"),
        migrations.RunSQL(GUARD, DROP_GUARD),
        migrations.RunSQL(REDACT, "DROP FUNCTION nook_redact_events(uuid, bigint[], boolean[], boolean[])"),
    ]
