"""The end of an account: what is left is a row without a person, under the same id."""

import logging
import time
from typing import Final
from uuid import UUID

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db import transaction
from django.db.models.functions import Now
from django.utils.crypto import get_random_string

from accounts.models import Role, User
from accounts.models.roles import DEFAULT_ROLE
from accounts.services.account_bin import put_into_bin
from accounts.services.administration import keeping_an_admin
from core.errors import Conflict, NotFound
from core.events import publish
from core.permissions import SYSTEM, Caller
from core.personal_data import ERASERS, Erasure
from core.queue import enqueue, enqueue_many
from core.redaction import redact_person

logger = logging.getLogger(__name__)

DELETED_NAME: Final = "Deleted user"
SECONDS_AT_MOST: Final = 120.0
"""How long one run of the schedule goes on; the rest is another run's."""


def erase_due_accounts() -> int:
    """Erase whose time of grace is over, each in a transaction of their own; return how many.

    One that fails is left for the next run and does not keep the others.
    """
    until = time.monotonic() + SECONDS_AT_MOST
    erased = failed = 0
    for user_id in User.all_objects.to_be_erased().order_by("erase_at", "pk").values_list("pk", flat=True):
        if time.monotonic() > until:
            enqueue("accounts.tasks.erase_accounts")
            break
        try:
            erase_account(actor=SYSTEM, user_id=user_id)
        except NotFound:
            continue  # another run was faster, or the account came back
        except Exception:
            logger.exception("an account was not erased", extra={"user_id": str(user_id)})
            failed += 1
        else:
            erased += 1
    if failed:
        raise UnableToErase(f"{failed} accounts were not erased; {erased} were.")
    return erased


class UnableToErase(Exception):
    """Some accounts could not be erased; the log says why."""


@transaction.atomic
def erase_account(*, actor: Caller, user_id: UUID, even_in_use: bool = False) -> dict[str, int]:
    """Erase the person behind a deleted account, everywhere, for good; return the rows of each table.

    `even_in_use` deletes a live account first, and does not wait for the time of grace. Raises `NotFound` for an
    account that is not there, was erased before or came back, and `Conflict` for one in use or the last administrator.
    """
    with keeping_an_admin():
        user = User.all_objects.locked().filter(pk=user_id, anonymised_at=None).first()
        if user is None or not (even_in_use or _is_due(user)):
            raise NotFound
        if user.deleted_at is None:
            put_into_bin(user, actor=actor)
        return _erase(user, actor)


@transaction.atomic
def erase_now(*, actor: Caller, user_id: UUID) -> dict[str, int]:
    """Erase a deleted account before its time, for staff; raises `Conflict` for one that is not deleted."""
    if User.objects.filter(pk=user_id).exists():
        raise Conflict("Delete the account first.")
    return erase_account(actor=actor, user_id=user_id, even_in_use=True)


def _is_due(user: User) -> bool:
    return User.all_objects.to_be_erased().filter(pk=user.pk).exists()


def _erase(user: User, actor: Caller) -> dict[str, int]:
    erasure = Erasure(user.pk)
    for holder in ERASERS.values():
        holder.function(erasure)
    redacted = redact_person(
        user_id=user.pk, subjects=erasure.subjects, addresses=sorted(erasure.addresses), actor=actor
    )
    erasure.count("events", redacted)
    publish("user.anonymised", subject=user, actor=actor, data={"rows": erasure.counts})
    enqueue_many("core.tasks.remove_file", [{"name": name} for name in sorted(erasure.files)])
    return erasure.counts


def blank_user(erasure: Erasure) -> None:
    """Write nobody over the account's row: other people's things go on pointing at it."""
    erasure.blank(
        User.all_objects.filter(pk=erasure.user_id),
        email=f"deleted-{erasure.user_id}@deleted.invalid",
        name=DELETED_NAME,
        password=UNUSABLE_PASSWORD_PREFIX + get_random_string(40),
        role=Role.objects.get(name=DEFAULT_ROLE),
        is_active=False,
        email_verified=False,
        bio="",
        avatar=None,
        phone=None,
        phone_verified=False,
        locale="en",
        time_zone="UTC",
        last_login_at=None,
        anonymised_at=Now(),
    )
