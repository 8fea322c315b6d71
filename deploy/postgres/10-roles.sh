#!/bin/sh
# Runs once, when the database is first made: limits on the role (for connections through PgBouncer, which cannot
# carry them), and the role that streaming replicas connect with.
set -eu

psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    -v replication_password="$(cat /run/secrets/replication_password)" <<'SQL'
ALTER ROLE CURRENT_USER SET lock_timeout = '2s';
ALTER ROLE CURRENT_USER SET statement_timeout = '10s';
ALTER ROLE CURRENT_USER SET idle_in_transaction_session_timeout = '30s';
ALTER ROLE CURRENT_USER SET random_page_cost = 1.1;
ALTER ROLE CURRENT_USER SET jit = off;
ALTER ROLE CURRENT_USER SET pg_trgm.word_similarity_threshold = 0.3;
CREATE ROLE replicator WITH REPLICATION LOGIN PASSWORD :'replication_password';
SQL
echo "host replication replicator all scram-sha-256" >> "$PGDATA/pg_hba.conf"
