#!/bin/sh
# A streaming replica: copies the primary when its folder is empty, then follows it.
set -eu

PGDATA="${PGDATA:-/var/lib/postgresql/data}"
PGPASSWORD="$(cat /run/secrets/replication_password)"
export PGDATA PGPASSWORD

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    mkdir -p "$PGDATA"
    chmod 0700 "$PGDATA"
    chown postgres:postgres "$PGDATA"
    # The password goes to a file of its own: recovery settings would show it in pg_settings.
    umask 077
    printf 'postgres:5432:*:replicator:%s\n' "$PGPASSWORD" > "$PGDATA.pgpass"
    chown postgres:postgres "$PGDATA.pgpass"
    gosu postgres env PGPASSFILE="$PGDATA.pgpass" pg_basebackup \
        --host=postgres --username=replicator --pgdata="$PGDATA" \
        --wal-method=stream --write-recovery-conf --create-slot --slot="replica_$(hostname)"
fi

exec gosu postgres env PGPASSFILE="$PGDATA.pgpass" postgres -c hot_standby=on -c hot_standby_feedback=on
