"""The settings of a house that is drilled: development's, with a hash that leaves the processors to the drill."""

from config.settings.development import *  # noqa: F403  # settings are stitched by star imports
from config.settings.development import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.drills.town"]
PASSWORD_HASHERS = ["accounts.tests.hashers.CheapBCryptSHA256PasswordHasher"]
