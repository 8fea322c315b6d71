"""Recovery codes: ten, shown once, each of which replaces the phone for one sign-in.

A code is 80 random bits. What is stored is its HMAC under SECRET_KEY: who reads the database alone can try none.
"""

import secrets
from typing import Any, Final

from django.conf import settings
from django.db.models.functions import Now
from django.utils.crypto import salted_hmac

from accounts.models import RecoveryCode, User
from accounts.services.second_factors import SecondFactor, register
from core.errors import InvalidCredentials

NUMBER: Final = 10
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no letter that looks like a digit."""

_MISREAD: Final = str.maketrans({"o": "0", "i": "1", "l": "1", "-": None, " ": None})
_GROUPS: Final = 4


class RecoveryCodes(SecondFactor):
    """What is left of the ten; they stand beside another method."""

    name = "recovery_code"
    amr = ("otp",)
    stands_alone = False

    def is_set_up(self, user: User) -> bool:
        return RecoveryCode.objects.filter(user=user, used_at=None).exists()

    def verify(self, user: User, given: Any, *, bound_to: str) -> None:
        if not isinstance(given, str) or not _spend(user, given):
            raise InvalidCredentials

    def remove(self, user: User) -> None:
        RecoveryCode.objects.filter(user=user).delete()


register(RecoveryCodes())


def issue_recovery_codes(user: User) -> list[str]:
    """Return ten new codes of the locked user, which are shown this once; the older ones are void."""
    codes = [_new_code() for _ in range(NUMBER)]
    RecoveryCode.objects.filter(user=user).delete()
    RecoveryCode.objects.bulk_create(
        RecoveryCode(user=user, code=_digest(user, code, settings.SECRET_KEY)) for code in codes
    )
    return codes


def recovery_codes_left(user_id: Any) -> int:
    """Return how many codes of the user still serve."""
    return RecoveryCode.objects.filter(user_id=user_id, used_at=None).count()


def _spend(user: User, given: str) -> bool:
    """Return whether an unused code of the user is this one; one conditional UPDATE, so it serves one of many."""
    digests = [_digest(user, given, key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]
    return RecoveryCode.objects.filter(user=user, code__in=digests, used_at=None).update(used_at=Now()) == 1


def _new_code() -> str:
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(_GROUPS))


def _digest(user: User, code: str, key: str | bytes) -> str:
    """Return what is stored of a code, however it was typed; of the user too, so that no two rows can be compared."""
    plain = f"{user.pk}|{code.lower().translate(_MISREAD)}"
    return salted_hmac("accounts.recovery_codes", plain, secret=key, algorithm="sha256").hexdigest()
