"""Which passwords are taken: 10 to 128 characters, and what Django's validators say."""

from typing import Final

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from accounts.models import User
from core.errors import Detail, ValidationFailed

LONGEST: Final = 128


def refuse_weak_password(password: str, *, field: str, email: str, name: str) -> None:
    """Raise `ValidationFailed` on `field` with one detail for each rule that the password breaks."""
    if len(password) > LONGEST:
        raise ValidationFailed.of(field, "password_too_long", f"At most {LONGEST} characters.")
    try:
        validate_password(password, User(email=email, name=name))
    except ValidationError as error:
        details = [Detail(field, each.code or "invalid", each.messages[0]) for each in error.error_list]
        raise ValidationFailed(details=details) from None
