"""The settings of a house that is drilled: development's, with a hash that leaves the processors to the drill."""

from config.settings.development import *  # noqa: F403  # settings are stitched by star imports

PASSWORD_HASHERS = ["accounts.tests.hashers.CheapBCryptSHA256PasswordHasher"]
