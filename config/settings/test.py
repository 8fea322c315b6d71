"""The test suite: real services, cheap hashes."""

import os

from config.settings.base import *  # noqa: F403  # settings are stitched by star imports
from config.settings.base import CACHES, DATABASES, JWT_KEYS, LOG_LEVEL
from core.logging import logging_settings

SECRET_KEY = "a-key-for-tests-only-0123456789abcdef0123456789abcdef"  # noqa: S105  # not a secret
ENCRYPTION_KEYS = "test:" + "dGVzdC1vbmx5LWtleS0wMTIzNDU2Nzg5YWJjZGVmMDE="  # as above
PUBLIC_URL = "https://nook.example"
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
# Servers that a test starts may be given another ring, and less to log.
JWT_KEYS = JWT_KEYS or "test:" + "dGVz" * 10 + "dGU="
PASSWORD_HASHERS = [
    "accounts.tests.hashers.CheapBCryptSHA256PasswordHasher",
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
# Of all providers this one needs no request before somebody is sent to it.
OAUTH_PROVIDERS = {"github": {"client_id": "nook-tests", "client_secret": "not-a-secret", "issuer": "", "name": ""}}
OAUTH_REDIRECT_URIS = ["https://app.example/oauth/callback"]
VAPID_PRIVATE_KEY = "dGVzdC1vbmx5LWtleS0wMTIzNDU2Nzg5YWJjZGVmMDE"
DEMO_DATA_ALLOWED = True
# Two runs beside each other on one broker do not take each other's messages.
QUEUE_PREFIX = f"nook-test-{os.getpid()}."
# Of 64 who want one row at once the last one waits for 63 others, longer than somebody in a browser would. A test is a
# transaction, in which four thousand rows are made up while other tests have the processor.
_OPTIONS = DATABASES["default"]["OPTIONS"].get("options", "")
_PATIENT_OPTIONS = (
    f"{_OPTIONS} -c lock_timeout=60000 -c statement_timeout=60000 -c idle_in_transaction_session_timeout=120000"
)
DATABASES = {
    "default": DATABASES["default"] | {"OPTIONS": DATABASES["default"]["OPTIONS"] | {"options": _PATIENT_OPTIONS}}
}
if "REDIS_TIMEOUT_SECONDS" not in os.environ:
    # A machine that is busy with other tests is no Redis that is away; beside `own_redis` it is given, and short.
    REDIS_TIMEOUT_SECONDS = 30.0
    _PATIENT = {"SOCKET_CONNECT_TIMEOUT": REDIS_TIMEOUT_SECONDS, "SOCKET_TIMEOUT": REDIS_TIMEOUT_SECONDS}
    CACHES = {"default": CACHES["default"] | {"OPTIONS": CACHES["default"]["OPTIONS"] | _PATIENT}}
# Each test client builds the middleware anew, and would look for all static files each time.
WHITENOISE_USE_FINDERS = False
LOG_FORMAT = "json"
LOGGING = logging_settings(pretty=False, level=LOG_LEVEL)
