"""Roles: named lists of permissions; a change holds within a second for everyone who has the role."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import IntegrityError
from django.db.models import ProtectedError

from accounts.identity import forget_everyone
from accounts.models import Role, User
from accounts.models.roles import ADMIN_ROLE, DEFAULT_ROLE
from accounts.services.administration import keeping_an_admin, refuse_more_than_held
from accounts.services.impersonation_ends import end_where_not_permitted
from accounts.services.users import CheckVersion, any_version
from core.errors import Conflict, Detail, NotFound, ValidationFailed
from core.events import publish
from core.permissions import PERMISSIONS, Caller
from core.transactions import atomic

LASTING = frozenset({DEFAULT_ROLE, ADMIN_ROLE})
"""The roles that the product itself names: registration gives one, `createsuperuser` the other."""


def create_role(
    *, actor: Caller, name: str, permissions: Sequence[str] = (), description: str = "", require_mfa: bool = False
) -> Role:
    """Create a role; raises `Conflict` for a taken name, `ValidationFailed` for a permission that does not exist."""
    refuse_unknown_permissions(permissions)
    refuse_more_than_held(actor, permissions)
    try:
        return _insert(actor, name, sorted(set(permissions)), description, require_mfa)
    except IntegrityError:
        raise _taken() from None


def change_role(
    *, actor: Caller, role_id: int, changes: Mapping[str, Any], check_version: CheckVersion = any_version
) -> Role:
    """Apply the fields of `changes` that differ to the newest state of the role.

    Raises `NotFound`, `Conflict` and `ValidationFailed`.
    """
    wanted = dict(changes)
    if "permissions" in wanted:
        refuse_unknown_permissions(wanted["permissions"])
        refuse_more_than_held(actor, wanted["permissions"])
        wanted["permissions"] = sorted(set(wanted["permissions"]))
    try:
        return _change(actor, role_id, wanted, check_version)
    except IntegrityError:
        raise _taken() from None


@atomic
def delete_role(*, actor: Caller, role_id: int, check_version: CheckVersion = any_version) -> None:
    """Delete a role that nobody has and nothing refers to; raises `NotFound` or `Conflict`."""
    # Locked against new references too, so that what is counted here is all there is.
    role = Role.objects.select_for_update().filter(pk=role_id).first()
    if role is None:
        raise NotFound
    check_version(role.version)
    refuse_more_than_held(actor, role.permissions)
    if role.name in LASTING:
        raise Conflict(f"The role {role.name} is part of the product and stays.")
    users = User.all_objects.filter(role=role).count()
    if users:
        raise Conflict(f"This role is in use: {users} user(s) have it.")
    publish("role.deleted", subject=role, actor=actor, data={"before": {"name": role.name}})
    try:
        role.delete()
    except ProtectedError as error:
        raise _in_use(error) from None


def refuse_unknown_permissions(permissions: Sequence[str]) -> None:
    """Raise `ValidationFailed` with one detail for each string that is no permission."""
    details = [
        Detail(f"permissions.{index}", "unknown_permission", f"There is no permission {name[:60]!r}.")
        for index, name in enumerate(permissions)
        if name not in PERMISSIONS
    ]
    if details:
        raise ValidationFailed(details=details)


@atomic
def _insert(actor: Caller, name: str, permissions: list[str], description: str, require_mfa: bool) -> Role:
    role = Role.objects.create(name=name, permissions=permissions, description=description, require_mfa=require_mfa)
    publish("role.created", subject=role, actor=actor, data={"after": {"name": name, "permissions": permissions}})
    return role


@atomic
def _change(actor: Caller, role_id: int, wanted: Mapping[str, Any], check_version: CheckVersion) -> Role:
    with keeping_an_admin():
        role = _locked(role_id)
        check_version(role.version)
        refuse_more_than_held(actor, role.permissions)
        before = {name: _present(role, name) for name in wanted if wanted[name] != _present(role, name)}
        after = {name: wanted[name] for name in before}
        if not after:
            return role
        if "name" in after and role.name in LASTING:
            raise Conflict(f"The role {role.name} is part of the product and keeps its name.")
        _apply(role, after)
    publish("role.updated", subject=role, actor=actor, data={"before": before, "after": after})
    if "permissions" in after:
        end_where_not_permitted(actor=actor, reason="role_changed")
    forget_everyone()
    return role


def _present(role: Role, name: str) -> Any:
    return sorted(role.permissions) if name == "permissions" else getattr(role, name)


def _locked(role_id: int) -> Role:
    role = Role.objects.select_for_update(no_key=True).filter(pk=role_id).first()
    if role is None:
        raise NotFound
    return role


def _apply(role: Role, after: Mapping[str, Any]) -> None:
    for name, value in after.items():
        setattr(role, name, value)
    role.version += 1
    role.save(update_fields=[*after, "version"])
    role.refresh_from_db(fields=["updated_at"])


def _in_use(error: ProtectedError) -> Conflict:
    names = sorted({str(row._meta.verbose_name_plural) for row in error.protected_objects})
    return Conflict(f"This role is in use: {len(error.protected_objects)} {' and '.join(names)} name it.")


def _taken() -> Conflict:
    return Conflict(details=[Detail("name", "unique", "There is a role of this name already.")])
