"""The event log, the outbox and the dead letters."""

import django.contrib.postgres.fields
import django.core.serializers.json
import django.db.models.functions.datetime
from django.db import migrations, models

import core.identifiers
import core.models.base
import core.models.events
from core.migration_operations import KeepUpdatedAt

EVENTS = """
CREATE SEQUENCE events_seq;

CREATE TABLE events (
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    seq bigint NOT NULL DEFAULT nextval('events_seq'),
    id uuid NOT NULL DEFAULT nook_uuid7(),
    type varchar(100) COLLATE "C" NOT NULL,
    actor uuid,
    on_behalf_of uuid,
    subject_type varchar(50) NOT NULL DEFAULT '',
    subject_id varchar(64) NOT NULL DEFAULT '',
    payload jsonb NOT NULL DEFAULT '{}',
    audience uuid[] NOT NULL DEFAULT '{}',
    request_id varchar(128) NOT NULL DEFAULT '',
    trace_id varchar(128) NOT NULL DEFAULT '',
    ip inet,
    user_agent varchar(512) NOT NULL DEFAULT '',
    occurred_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (seq, occurred_at)
) PARTITION BY RANGE (occurred_at);

ALTER SEQUENCE events_seq OWNED BY events.seq;

CREATE INDEX idx_events_id ON events (id);
CREATE INDEX idx_events_xid_seq ON events (xid, seq);
CREATE INDEX idx_events_type_seq ON events (type, seq);
CREATE INDEX idx_events_actor_seq ON events (actor, seq) WHERE actor IS NOT NULL;
CREATE INDEX idx_events_subject_seq ON events (subject_id, seq) WHERE subject_id <> '';
CREATE INDEX idx_events_ip_seq ON events (ip, seq) WHERE ip IS NOT NULL;
CREATE INDEX idx_events_request ON events (request_id) WHERE request_id <> '';
CREATE INDEX idx_events_occurred ON events USING brin (occurred_at);

CREATE FUNCTION nook_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON events
    FOR EACH ROW EXECUTE FUNCTION nook_refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION nook_refuse_change();

CREATE TABLE events_default PARTITION OF events DEFAULT;
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON events_default
    FOR EACH STATEMENT EXECUTE FUNCTION nook_refuse_change();
"""

# Makes the partition of a month unless it is there; rows of that month that fell into the default one move over.
MAKE_PARTITION = """
CREATE FUNCTION nook_make_events_partition(month date) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    first_day date := date_trunc('month', month)::date;
    lower_bound timestamptz := first_day::timestamp AT TIME ZONE 'UTC';
    upper_bound timestamptz := (first_day + interval '1 month')::timestamp AT TIME ZONE 'UTC';
    name text := 'events_' || to_char(first_day, 'YYYY_MM');
    strays boolean;
BEGIN
    IF to_regclass(name) IS NOT NULL THEN
        RETURN false;
    END IF;
    SELECT EXISTS (SELECT FROM events_default WHERE occurred_at >= lower_bound AND occurred_at < upper_bound)
        INTO strays;
    IF strays THEN
        ALTER TABLE events DETACH PARTITION events_default;
    END IF;
    EXECUTE format('CREATE TABLE %I PARTITION OF events FOR VALUES FROM (%L) TO (%L)', name, lower_bound, upper_bound);
    EXECUTE format('CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON %I '
                   'FOR EACH STATEMENT EXECUTE FUNCTION nook_refuse_change()', name);
    IF strays THEN
        INSERT INTO events SELECT * FROM events_default
            WHERE occurred_at >= lower_bound AND occurred_at < upper_bound;
        DELETE FROM events_default WHERE occurred_at >= lower_bound AND occurred_at < upper_bound;
        ALTER TABLE events ATTACH PARTITION events_default DEFAULT;
    END IF;
    RETURN true;
END
$$;

SELECT nook_make_events_partition((now() + make_interval(months => ahead))::date) FROM generate_series(0, 3) ahead;
"""

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
    dependencies = [("core", "0001_ground")]
    operations = [
        migrations.RunSQL(
            EVENTS,
            "DROP TABLE events; DROP FUNCTION nook_refuse_change()",
        ),
        migrations.RunSQL(MAKE_PARTITION, "DROP FUNCTION nook_make_events_partition(date)"),
        migrations.CreateModel(
            name="Event",
            fields=[
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
                ("seq", models.BigIntegerField(db_default=core.models.events.NextEventNumber(), editable=False)),
                ("type", models.CharField(max_length=100)),
                ("actor", models.UUIDField(null=True)),
                ("on_behalf_of", models.UUIDField(null=True)),
                ("subject_type", models.CharField(blank=True, default="", max_length=50)),
                ("subject_id", models.CharField(blank=True, default="", max_length=64)),
                ("payload", models.JSONField(default=dict, encoder=django.core.serializers.json.DjangoJSONEncoder)),
                (
                    "audience",
                    django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), default=list, size=None),
                ),
                ("request_id", models.CharField(blank=True, default="", max_length=128)),
                ("trace_id", models.CharField(blank=True, default="", max_length=128)),
                ("ip", models.GenericIPAddressField(null=True)),
                ("user_agent", models.CharField(blank=True, default="", max_length=512)),
                (
                    "occurred_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
            ],
            options={
                "db_table": "events",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="DeadLetter",
            fields=[
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                (
                    "updated_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("outbox_id", models.BigIntegerField(unique=True)),
                ("task", models.CharField(max_length=200)),
                ("queue", models.CharField(max_length=50)),
                ("kwargs", models.JSONField(default=dict, encoder=django.core.serializers.json.DjangoJSONEncoder)),
                ("request_id", models.CharField(blank=True, db_default="", default="", max_length=128)),
                ("traceparent", models.CharField(blank=True, db_default="", default="", max_length=128)),
                ("attempts", models.PositiveIntegerField()),
                ("reason", models.CharField(max_length=500)),
                ("traceback", models.TextField(blank=True, db_default="", default="")),
                ("first_at", models.DateTimeField()),
                ("last_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "db_table": "dead_letters",
                "indexes": [models.Index(fields=["last_at"], name="idx_dead_letters_last")],
            },
        ),
        migrations.CreateModel(
            name="EventDelivery",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("event_id", models.UUIDField()),
                ("subscriber", models.CharField(max_length=100)),
                (
                    "handled_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
            ],
            options={
                "verbose_name_plural": "event deliveries",
                "db_table": "event_deliveries",
                "indexes": [models.Index(fields=["handled_at"], name="idx_event_deliveries_handled")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("event_id", "subscriber"), name="uq_event_deliveries_event_subscriber"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="OutboxRow",
            fields=[
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                (
                    "updated_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("task", models.CharField(max_length=200)),
                ("queue", models.CharField(max_length=50)),
                ("kwargs", models.JSONField(default=dict, encoder=django.core.serializers.json.DjangoJSONEncoder)),
                ("request_id", models.CharField(blank=True, db_default="", default="", max_length=128)),
                ("traceparent", models.CharField(blank=True, db_default="", default="", max_length=128)),
                ("due_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("dispatched_at", models.DateTimeField(blank=True, null=True)),
                ("sends", models.PositiveIntegerField(db_default=0, default=0)),
                ("runs", models.PositiveIntegerField(db_default=0, default=0)),
                ("attempts", models.PositiveIntegerField(db_default=0, default=0)),
                ("leased_by", models.UUIDField(blank=True, null=True)),
                ("last_error", models.TextField(blank=True, db_default="", default="")),
            ],
            options={
                "verbose_name": "outbox row",
                "db_table": "outbox",
                "indexes": [models.Index(fields=["due_at", "id"], name="idx_outbox_due")],
            },
        ),
        KeepUpdatedAt("outbox"),
        KeepUpdatedAt("dead_letters"),
        migrations.RunSQL(WAKE_RELAY, "DROP TRIGGER wake_relay ON outbox; DROP FUNCTION nook_wake_relay()"),
    ]
