#!/bin/sh
# One image, every process: the first word says which. Anything else is a manage.py command.
set -eu

case "${1:-web}" in
web)
    exec granian --interface wsgi --host 0.0.0.0 --port 8000 \
        --workers "${WEB_WORKERS:-2}" --blocking-threads "${WEB_THREADS:-4}" \
        --backpressure "${WEB_BACKPRESSURE:-64}" --respawn-failed-workers --workers-kill-timeout 8 \
        --log-level warning --no-ws config.wsgi:application
    ;;
live)
    exec granian --interface asginl --host 0.0.0.0 --port 8001 --workers 1 --respawn-failed-workers \
        --workers-kill-timeout 8 --log-level warning config.asgi:application
    ;;
worker)
    shift
    exec celery --app config worker --without-mingle --without-gossip --loglevel warning \
        --concurrency "${WORKER_PROCESSES:-2}" "$@"
    ;;
beat)
    exec python manage.py beat
    ;;
relay)
    exec python manage.py relay
    ;;
*)
    exec python manage.py "$@"
    ;;
esac
