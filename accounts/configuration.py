"""Roles as configuration: what each permits. Who has which role is no configuration."""

from collections.abc import Iterator
from typing import Final

from accounts.models import Role, User
from accounts.services import roles
from core.configuration import Document, Part, complete_document, register
from core.permissions import Caller

_KINDS: Final[dict[str, type]] = {"name": str, "description": str, "permissions": list, "require_mfa": bool}


class Roles(Part):
    """The roles, the product's own included."""

    name = "roles"
    key = "name"
    lasting = roles.LASTING

    def stored(self) -> Iterator[Document]:
        for role in Role.objects.order_by("name"):
            yield {name: getattr(role, name) for name in _KINDS} | {"permissions": sorted(role.permissions)}

    def complete(self, document: Document) -> Document:
        whole = complete_document(document, Role(), _KINDS)
        roles.refuse_unknown_permissions(whole["permissions"])
        return {**whole, "permissions": sorted(set(whole["permissions"]))}

    def create(self, actor: Caller, document: Document) -> None:
        roles.create_role(actor=actor, **document)

    def change(self, actor: Caller, key: str, changes: Document, *, force: bool) -> None:
        roles.change_role(actor=actor, role_id=Role.objects.get(name=key).pk, changes=changes)

    def delete(self, actor: Caller, key: str) -> None:
        roles.delete_role(actor=actor, role_id=Role.objects.get(name=key).pk)

    def obstacle_to_deletion(self, key: str) -> str:
        users = User.all_objects.filter(role__name=key).count()
        return f"{users} user(s) have it" if users else ""


register(Roles())
