#!/bin/sh
# A streaming replica: copies the primary when its folder is empty, then follows it.
set -eu

PGDATA="${PGDATA:-/var/lib/postgresql/data}"
password="$(cat /run/secrets/replication_password)"
export PGDATA

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    mkdir -p "$PGDATA"
    chmod 0700 "$PGDATA"
    chown postgres:postgres "$PGDATA"
    # The password goes to a file of its own: recovery settings would show it in pg_settings.
    umask 077
    printf 'postgres:5432:*:replicator:%s\n' "$password" > "$PGDATA.pgpass"
    chown postgres:postgres "$PGDATA.pgpass"
    gosu postgres env PGPASSFILE="$PGDATA.pgpass" pg_basebackup \
        --host=postgres --username=replicator --pgdata="$PGDATA" \
        --checkpoint=fast --wal-method=stream --write-recovery-conf --create-slot --slot="replica_$(hostname)"
fi

# A standby must not have less of these than the primary in compose.yaml.
exec gosu postgres env PGPASSFILE="$PGDATA.pgpass" postgres -c max_connections=120 -c max_wal_senders=10 \
    -c hot_standby=on -c hot_standby_feedback=on
