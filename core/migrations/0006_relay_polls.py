"""Stop notifying the relay: NOTIFY makes all writers of the server commit one by one (ADR 0010)."""

from django.db import migrations

WAKE_RELAY = """
CREATE FUNCTION nook_wake_relay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('nook_outbox', '');
    RETURN NULL;
END
$$;

CREATE TRIGGER wake_relay AFTER INSERT ON outbox FOR EACH STATEMENT EXECUTE FUNCTION nook_wake_relay();
"""


class Migration(migrations.Migration):
    dependencies = [("core", "0005_partitions_by_any_role")]
    operations = [
        migrations.RunSQL("DROP TRIGGER wake_relay ON outbox; DROP FUNCTION nook_wake_relay()", WAKE_RELAY),
    ]
