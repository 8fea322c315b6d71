"""Users, as staff and as they themselves write them: create, change, delete, restore."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db import IntegrityError
from django.utils.crypto import get_random_string

from accounts.hashing import make_password
from accounts.identity import forget_session
from accounts.models import Role, Session, User
from accounts.models.roles import DEFAULT_ROLE
from accounts.models.users import normalised_email
from accounts.passwords import refuse_weak_password
from accounts.services.account_bin import bring_back, put_into_bin
from accounts.services.administration import keeping_an_admin, refuse_more_than_held
from accounts.services.api_tokens import end_api_tokens
from accounts.services.impersonation_ends import end_where_not_permitted
from accounts.services.invitations import invite
from accounts.services.mails import tell
from accounts.services.sessions import end_sessions, revoke
from accounts.services.single_use_tokens import (
    CHANGE_EMAIL,
    DATA_EXPORT,
    INVITATION,
    RESET_PASSWORD,
    VERIFY_EMAIL,
    void_tokens,
)
from core.errors import Conflict, Detail, NotFound, PermissionDenied, ValidationFailed
from core.events import publish
from core.permissions import ADMIN, Caller
from core.transactions import atomic

OWN_FIELDS: Final = frozenset({"name", "bio", "locale", "time_zone"})
"""What users may write of themselves, and `write:user` of others."""

ADMIN_FIELDS: Final = frozenset({"email", "role", "is_active", "email_verified"})
"""What only `admin` may write, of anyone."""

_MAY_TAKE_AN_ADMIN: Final = frozenset({"role", "is_active", "email_verified"})

CheckVersion = Callable[[int], None]
"""Raises `PreconditionFailed` unless this is the version that the client has seen."""


def any_version(version: int) -> None:
    """Accept whatever version is there: the write applies to the newest state."""


@dataclass(frozen=True, slots=True)
class NewUser:
    """What a new user is made of; without a password they are invited: mailed a link to set one."""

    email: str
    name: str
    password: str | None = None
    role: str = DEFAULT_ROLE
    is_active: bool = True
    email_verified: bool = False


def create_user(*, actor: Caller, new: NewUser) -> User:
    """Create an account for somebody else.

    Raises `PermissionDenied` for a field that needs `admin`, `Conflict` for a taken address and
    `ValidationFailed` for a weak password or a role that does not exist.
    """
    _refuse_admin_fields(actor, _unusual(new))
    address = normalised_email(new.email)
    password_hash = _password_hash(new, address)
    try:
        return _insert(actor, new, address, password_hash)
    except IntegrityError as error:
        raise _told(error) from None


def change_user(
    *, actor: Caller, user_id: UUID, changes: Mapping[str, Any], check_version: CheckVersion = any_version
) -> User:
    """Apply the fields of `changes` that differ to the newest state of the user.

    Raises `NotFound`, `PermissionDenied` (naming the field), `Conflict` and `ValidationFailed`.
    """
    if actor.id != user_id and not actor.holds("write:user"):
        raise PermissionDenied
    try:
        return _change(actor, user_id, changes, check_version)
    except IntegrityError as error:
        raise _told(error) from None


@atomic
def delete_user(*, actor: Caller, user_id: UUID, check_version: CheckVersion = any_version) -> None:
    """Put the user into the bin and end their sessions; raises `NotFound`, `PermissionDenied` or `Conflict`."""
    with keeping_an_admin():
        user = _locked(user_id)
        check_version(user.version)
        refuse_more_than_held(actor, user.permission_set)
        tell(user, "account.deleted", days=str(settings.ACCOUNT_GRACE_DAYS))
        put_into_bin(user, actor=actor)


def restore_user(*, actor: Caller, user_id: UUID) -> User:
    """Bring a deleted user back; raises `NotFound`, or `Conflict` when the address has gone to somebody else."""
    try:
        return _restore(actor, user_id)
    except IntegrityError as error:
        raise _told(error) from None


@atomic
def _restore(actor: Caller, user_id: UUID) -> User:
    user = User.all_objects.locked().filter(pk=user_id).first()
    if user is None or user.deleted_at is None or user.anonymised_at is not None:
        raise NotFound
    refuse_more_than_held(actor, user.permission_set)
    if User.objects.filter(email=user.email).exists():
        raise _taken()
    bring_back(user, actor=actor)
    return user


@atomic
def end_sessions_of(*, actor: Caller, user_id: UUID) -> int:
    """End every session of somebody, for staff; return how many. Raises `NotFound` or `PermissionDenied`."""
    user = _locked(user_id)
    refuse_more_than_held(actor, user.permission_set)
    return end_sessions(user_id=user.pk, actor=actor, reason="ended_by_staff")


@atomic
def end_session_of(*, actor: Caller, session_id: UUID) -> None:
    """End one session of somebody, for staff; raises `NotFound` or `PermissionDenied`."""
    session = Session.objects.select_for_update(of=("self",)).select_related("user__role").filter(pk=session_id).first()
    if session is None or session.revoked_at is not None:
        raise NotFound
    refuse_more_than_held(actor, session.user.permission_set)
    revoke(session, actor=actor, reason="ended_by_staff")


@atomic
def _insert(actor: Caller, new: NewUser, address: str, password_hash: str) -> User:
    role = _role(new.role)
    refuse_more_than_held(actor, role.permission_set)
    user = User.objects.create(
        email=address,
        name=new.name,
        password=password_hash,
        role=role,
        is_active=new.is_active,
        email_verified=new.email_verified,
    )
    publish(
        "user.created",
        subject=user,
        actor=actor,
        data={"after": {"email": address, "name": new.name, "role": new.role}},
        audience=[user.pk],
    )
    if new.password is None:
        invite(user, actor=actor)
    return user


@atomic
def _change(actor: Caller, user_id: UUID, changes: Mapping[str, Any], check_version: CheckVersion) -> User:
    with keeping_an_admin() if changes.keys() & _MAY_TAKE_AN_ADMIN else nullcontext():
        user = _locked(user_id)
        check_version(user.version)
        before, after = _difference(user, changes)
        if not after:
            return user
        _refuse_change(actor, user, after)
        _apply(user, after)
    if "email" in after:
        # They went to the old address, and say nothing of the new one.
        void_tokens(user, VERIFY_EMAIL, RESET_PASSWORD, CHANGE_EMAIL, INVITATION, DATA_EXPORT)
    if "role" in after:
        tell(user, "account.role_changed", old_role=before["role"], new_role=after["role"])
    publish("user.updated", subject=user, actor=actor, data={"before": before, "after": after}, audience=[user.pk])
    _let_it_hold(actor, user, after)
    return user


def _locked(user_id: UUID) -> User:
    user = User.objects.locked().filter(pk=user_id).first()
    if user is None:
        raise NotFound
    return user


def _difference(user: User, changes: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields that would change, as they are and as they would be; a role by its name."""
    wanted = dict(changes)
    if "email" in wanted:
        wanted["email"] = normalised_email(wanted["email"])
    present = {name: user.role_name if name == "role" else getattr(user, name) for name in wanted}
    changed = [name for name in wanted if wanted[name] != present[name]]
    return {name: present[name] for name in changed}, {name: wanted[name] for name in changed}


def _refuse_change(actor: Caller, user: User, after: Mapping[str, Any]) -> None:
    if actor.id == user.pk and "email" in after:
        raise _denied("email", "Change your own address through /auth/change-email.")
    _refuse_admin_fields(actor, sorted(after.keys() & ADMIN_FIELDS))
    if actor.id != user.pk:
        refuse_more_than_held(actor, user.permission_set)
    if "role" in after:
        refuse_more_than_held(actor, _role(after["role"]).permission_set)


def _apply(user: User, after: Mapping[str, Any]) -> None:
    for name, value in after.items():
        setattr(user, name, _role(value) if name == "role" else value)
    user.version += 1
    user.save(update_fields=[*after, "version"])
    user.refresh_from_db(fields=["updated_at"])


def _let_it_hold(actor: Caller, user: User, after: Mapping[str, Any]) -> None:
    """End the sessions of a disabled user; make every other session be read anew."""
    if "role" in after:
        end_where_not_permitted(actor=actor, reason="role_changed")
    if after.get("is_active") is False:
        end_sessions(user_id=user.pk, actor=actor, reason="user_disabled")
        end_api_tokens(user_id=user.pk, actor=actor, reason="user_disabled")
        return
    for session_id in Session.objects.live().filter(user=user).values_list("pk", flat=True):
        forget_session(session_id)


def _unusual(new: NewUser) -> list[str]:
    """Return the fields of a new user that differ from what anyone gets, and so need `admin`."""
    given = {"role": new.role, "is_active": new.is_active, "email_verified": new.email_verified}
    usual = {"role": DEFAULT_ROLE, "is_active": True, "email_verified": False}
    return [name for name in given if given[name] != usual[name]]


def _refuse_admin_fields(actor: Caller, names: list[str]) -> None:
    if names and not actor.holds(ADMIN):
        raise PermissionDenied(
            details=[Detail(name, "admin_only", "Only an administrator may set this.") for name in names]
        )


def _password_hash(new: NewUser, address: str) -> str:
    if new.password is None:
        return UNUSABLE_PASSWORD_PREFIX + get_random_string(40)
    refuse_weak_password(new.password, field="password", email=address, name=new.name)
    return make_password(new.password)


def _role(name: str) -> Role:
    role = Role.objects.filter(name=name).first()
    if role is None:
        raise ValidationFailed.of("role", "unknown_role", "There is no role of this name.")
    return role


def _told(error: IntegrityError) -> Exception:
    """Return what to tell of a violated constraint: the taken address, or the fault itself."""
    diagnosis = getattr(error.__cause__, "diag", None)
    return _taken() if diagnosis is not None and diagnosis.constraint_name == "idx_users_email" else error


def _taken() -> Conflict:
    return Conflict(details=[Detail("email", "unique", "This address belongs to an account already.")])


def _denied(field: str, message: str) -> PermissionDenied:
    return PermissionDenied(details=[Detail(field, "admin_only", message)])
