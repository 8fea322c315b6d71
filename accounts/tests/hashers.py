"""The production hashers with less work: the suite signs in thousands of times."""

from django.contrib.auth.hashers import Argon2PasswordHasher, BCryptSHA256PasswordHasher, PBKDF2PasswordHasher


class CheapBCryptSHA256PasswordHasher(BCryptSHA256PasswordHasher):
    rounds = 4


class BriskBCryptSHA256PasswordHasher(BCryptSHA256PasswordHasher):
    """Work of some milliseconds, for a benchmark of what surrounds it."""

    rounds = 7


class BriskPBKDF2PasswordHasher(PBKDF2PasswordHasher):
    """As above."""

    iterations = 10_000


class ModerateBCryptSHA256PasswordHasher(BCryptSHA256PasswordHasher):
    """Enough work to be seen in a measurement."""

    rounds = 9


class ModeratePBKDF2PasswordHasher(PBKDF2PasswordHasher):
    """Enough work to be seen in a measurement."""

    iterations = 150_000


class ModerateArgon2PasswordHasher(Argon2PasswordHasher):
    """Enough work to be seen in a measurement, in one thread and little memory, so that it is always the same."""

    time_cost = 4
    memory_cost = 8192
    parallelism = 1
