"""The image's build: collects static files the way production serves them, and holds no secret."""

import secrets

from config.settings.base import *  # noqa: F403  # settings are stitched by star imports
from config.settings.base import HASHED_STATIC_FILES, STORAGES

SECRET_KEY = secrets.token_urlsafe(48)
STORAGES = STORAGES | {"staticfiles": HASHED_STATIC_FILES}
