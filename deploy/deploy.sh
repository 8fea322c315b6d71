#!/bin/sh
# Brings one image to a host that runs compose.yaml: migrate first, then replace the processes one service at a time.
# DEPLOY_HOST (user@host), DEPLOY_HOST_KEY (its line for known_hosts) and DEPLOY_SSH_KEY come from the environment
# of the CI job. The host keeps deploy/secrets and its .env; nothing secret travels with a deploy.
set -eu

image="$1"
keys="$(mktemp -d)"
trap 'rm -rf "$keys"' EXIT
umask 077
printf '%s\n' "$DEPLOY_SSH_KEY" > "$keys/key"
printf '%s\n' "$DEPLOY_HOST_KEY" > "$keys/known_hosts"

remote() { ssh -i "$keys/key" -o UserKnownHostsFile="$keys/known_hosts" -o BatchMode=yes "$DEPLOY_HOST" "$@"; }

tar -cf - compose.yaml deploy | remote 'mkdir -p nook-link && tar -C nook-link -xf -'
remote "cd nook-link && export NOOK_IMAGE='$image' \
    && docker compose pull --quiet web \
    && docker compose run --rm --no-deps migrate \
    && docker compose up --detach --no-build --wait --wait-timeout 300 \
    && docker compose exec nginx nginx -s reload"
