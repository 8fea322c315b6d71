"""The production hashers with less work: the suite signs in thousands of times."""

from django.contrib.auth.hashers import BCryptSHA256PasswordHasher, PBKDF2PasswordHasher


class CheapBCryptSHA256PasswordHasher(BCryptSHA256PasswordHasher):
    rounds = 4


class ModerateBCryptSHA256PasswordHasher(BCryptSHA256PasswordHasher):
    """Enough work to be seen in a measurement."""

    rounds = 9


class ModeratePBKDF2PasswordHasher(PBKDF2PasswordHasher):
    """Enough work to be seen in a measurement."""

    iterations = 150_000
