"""The production hasher with the least work: the suite signs in thousands of times."""

from django.contrib.auth.hashers import BCryptSHA256PasswordHasher


class CheapBCryptSHA256PasswordHasher(BCryptSHA256PasswordHasher):
    rounds = 4
