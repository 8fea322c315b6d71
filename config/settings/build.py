"""The image's build: collects static files the way production serves them, and holds no secret."""

import secrets

from config.settings.base import *  # noqa: F403  # settings are stitched by star imports

SECRET_KEY = secrets.token_urlsafe(48)
