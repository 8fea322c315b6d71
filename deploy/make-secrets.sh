#!/bin/sh
# Makes every secret that compose.yaml mounts, once, into deploy/secrets (0600, never in git).
# What is there already is left alone, so it may be run again after an upgrade.
set -eu
umask 077
cd "$(dirname "$0")"
mkdir -p secrets
cd secrets

random() { openssl rand -hex 32; }
make() { [ -s "$1" ] || printf '%s' "$2" > "$1"; }

make secret_key "$(random)"
make encryption_keys "1:$(openssl rand -base64 32)"
make jwt_keys "1:$(openssl rand -base64 32)"
make metrics_token "$(random)"
make postgres_password "$(random)"
make replication_password "$(random)"
make broker_password "$(random)"
make redis_password "$(random)"
make s3_access_key "nook$(openssl rand -hex 8)"
make s3_secret_key "$(random)"
make grafana_password "$(openssl rand -hex 12)"

postgres="$(cat postgres_password)"
broker="$(cat broker_password)"
redis="$(cat redis_password)"
make database_url "postgres://nook:$postgres@pgbouncer:6432/nook"
make database_direct_url "postgres://nook:$postgres@postgres:5432/nook"
# Empty: no replica is read. docs/operations.md says how to fill it.
make database_replica_urls ""
make pgbouncer_users "\"nook\" \"$postgres\""
make broker_url "amqp://nook:$broker@rabbitmq:5672//"
make rabbitmq.conf "default_user = nook
default_pass = $broker
"
make cache_url "redis://nook:$redis@redis-cache:6379/0"
make state_url "redis://nook:$redis@redis-state:6379/0"
# No FLUSH, no CONFIG, no KEYS for the application; nobody else gets in.
make redis.acl "user default off
user nook on >$redis ~* &* +@all -@admin -@dangerous +info
"
make s3.json "{\"identities\": [{\"name\": \"nook\", \"credentials\": [{\"accessKey\": \"$(cat s3_access_key)\", \"secretKey\": \"$(cat s3_secret_key)\"}], \"actions\": [\"Admin\", \"Read\", \"Write\", \"List\", \"Tagging\"]}]}"

# A certificate of our own until a real one is put in its place.
if [ ! -s tls_key ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 \
        -subj "/CN=localhost" -addext "subjectAltName=DNS:localhost,IP:127.0.0.1" \
        -keyout tls_key -out tls_certificate 2>/dev/null
fi

# Containers read their secrets as users of their own; on this machine the folder keeps everyone else out.
chmod 0700 .
chmod 0644 ./*
echo "secrets are in $(pwd)"
