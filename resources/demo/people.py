"""The people of the demo world: an administrator, a moderator, and as many users as wanted."""

from datetime import datetime, timedelta
from itertools import islice, product
from typing import Final

from django.contrib.auth.hashers import make_password
from django.utils import timezone

from accounts.models import Role, User
from resources.demo.words import FIRST_NAMES, LAST_NAMES

ADMIN_EMAIL: Final = "admin@example.com"
MODERATOR_EMAIL: Final = "moderator@example.com"
_BATCH: Final = 2000
_SPAN: Final = timedelta(days=13)


def demo_users(amount: int, *, password: str) -> list[User]:
    """Return the demo's users after bringing them up to `amount` besides the two with a role; all share `password`."""
    roles = {role.name: role for role in Role.objects.all()}
    known = set(User.objects.filter(email__endswith="@example.com").values_list("email", flat=True))
    wanted = [(ADMIN_EMAIL, "Ada Admin", "admin"), (MODERATOR_EMAIL, "Mo Moderator", "moderator")]
    wanted += [(f"user{place}@example.com", name, "user") for place, name in enumerate(_names(amount), start=1)]
    hashed = make_password(password)
    User.objects.bulk_create(
        (
            User(email=email, name=name, role=roles[role], password=hashed, email_verified=True, created_at=at)
            for (email, name, role), at in zip(wanted, _sign_ups(len(wanted)), strict=True)
            if email not in known
        ),
        batch_size=_BATCH,
    )
    return list(User.objects.filter(email__in=[email for email, _, _ in wanted]).only("id", "email"))


def _sign_ups(amount: int) -> list[datetime]:
    """Return when each of so many people came, the latest just now."""
    now = timezone.now()
    return [now - _SPAN * (amount - place) / amount for place in range(1, amount + 1)]


def _names(amount: int) -> list[str]:
    pairs = list(product(LAST_NAMES, FIRST_NAMES))
    rounds = -(-amount // len(pairs))
    return [f"{first} {last}" for last, first in islice(pairs * rounds, amount)]
