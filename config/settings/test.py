"""The test suite: real services, cheap hashes."""

from config.settings.base import *  # noqa: F403  # settings are stitched by star imports

SECRET_KEY = "a-key-for-tests-only-0123456789abcdef0123456789abcdef"  # noqa: S105  # not a secret
ENCRYPTION_KEYS = "test:" + "dGVzdC1vbmx5LWtleS0wMTIzNDU2Nzg5YWJjZGVmMDE="  # as above
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
JWT_KEYS = "test:" + "dGVz" * 10 + "dGU="
PASSWORD_HASHERS = [
    "accounts.tests.hashers.CheapBCryptSHA256PasswordHasher",
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
