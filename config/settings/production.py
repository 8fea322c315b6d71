"""Production: fails closed; `manage.py check --deploy` lists what is missing."""

from config import env
from config.settings.base import *  # noqa: F403  # settings are stitched by star imports
from config.settings.base import (
    ALLOWED_HOSTS,
    DATABASE_URL,
    EMAIL_URL,
    ENCRYPTION_KEYS,
    ENVIRONMENT_NAME,
    JWT_KEYS,
    SECRET_KEY,
)

if not SECRET_KEY:
    raise env.ConfigurationError("SECRET_KEY is missing: give 32 random bytes or more.")
if not ALLOWED_HOSTS:
    raise env.ConfigurationError("ALLOWED_HOSTS is missing: name the hosts that this server answers to.")
if not DATABASE_URL:
    raise env.ConfigurationError("DATABASE_URL is missing.")
if not ENCRYPTION_KEYS:
    raise env.ConfigurationError("ENCRYPTION_KEYS is missing: give id:base64 with 32 random bytes.")
if not JWT_KEYS:
    raise env.ConfigurationError("JWT_KEYS is missing: give id:secret, the secret from `openssl rand -base64 32`.")
if not EMAIL_URL:
    raise env.ConfigurationError("EMAIL_URL is missing: name the mail server, smtp://user:password@host:587.")

ENVIRONMENT_NAME = ENVIRONMENT_NAME or "Production"
