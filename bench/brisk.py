"""Settings for measuring what surrounds a password hash: the same algorithms, with less work in them to hide behind."""

from accounts.tests import hashers
from config.settings.development import *  # noqa: F403  # settings are stitched by star imports

PASSWORD_HASHERS = [
    f"{hashers.__name__}.{hasher.__name__}"
    for hasher in (
        hashers.BriskBCryptSHA256PasswordHasher,
        hashers.ModerateArgon2PasswordHasher,
        hashers.BriskPBKDF2PasswordHasher,
    )
]
