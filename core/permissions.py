"""Who is asking and what they hold: the one value that every service takes as `actor`."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from core.errors import NotAuthenticated

ADMIN: Final = "admin"

PERMISSIONS: Final[dict[str, str]] = {
    "read:user": "See every user's account.",
    "write:user": "Create users and change their name and profile.",
    "delete:user": "Delete and restore users.",
    "read:role": "See roles and what they permit.",
    "read:resource": "Read every resource.",
    "write:resource": "Change every resource.",
    "delete:resource": "Delete every resource.",
    "read:audit": "Read the audit trail.",
    "send:notification": "Send notifications to users.",
    ADMIN: "Everything, including roles, types and settings.",
}
"""The catalogue: every permission string there is, with what it allows."""


class Account(Protocol):
    """What `Caller.of` needs of a user model."""

    id: UUID
    email: str
    name: str
    impersonated_by: UUID | None

    @property
    def role_name(self) -> str: ...

    @property
    def permission_set(self) -> frozenset[str]: ...


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated (or anonymous) caller, as DRF's `request.user` and as the `actor` of services."""

    id: UUID | None
    email: str = ""
    name: str = ""
    role: str = ""
    permissions: frozenset[str] = field(default_factory=frozenset)
    session_id: UUID | None = None
    authenticated_at: datetime | None = None
    token_id: UUID | None = None
    """The personal access token that the caller came with, instead of a session."""

    scopes: frozenset[str] = frozenset()
    """What that token was made for: operations declare which scope lets a token in."""

    must_enroll: bool = False
    """Whether the role demands two-factor sign-in and this session has not shown a second factor."""

    impersonated_by: UUID | None = None
    """The administrator who acts as this caller: the actor of every event, on behalf of `id`."""

    @classmethod
    def of(cls, user: Account) -> "Caller":
        """Return the caller that `user` is, outside an API session (admin, commands, tasks)."""
        return cls(
            user.id,
            user.email,
            user.name,
            user.role_name,
            user.permission_set,
            impersonated_by=user.impersonated_by,
        )

    @property
    def is_authenticated(self) -> bool:
        return self.id is not None

    @property
    def is_anonymous(self) -> bool:
        return self.id is None

    @property
    def pk(self) -> UUID | None:
        return self.id

    @property
    def is_active(self) -> bool:
        return True

    @property
    def own_id(self) -> UUID:
        """Return the id of someone who is signed in; raises `NotAuthenticated` for anyone else."""
        if self.id is None:
            raise NotAuthenticated
        return self.id

    def holds(self, permission: str) -> bool:
        """Return whether the caller's role has `permission`; `admin` holds all."""
        return ADMIN in self.permissions or permission in self.permissions

    def covers(self, scope: str) -> bool:
        """Return whether the caller's personal access token was made for `scope`; `admin` is made for all."""
        return ADMIN in self.permissions or scope in self.scopes


def limited(permissions: frozenset[str], scopes: frozenset[str]) -> frozenset[str]:
    """Return what is left of a role's permissions for a token with `scopes`, which only ever take away."""
    if ADMIN in permissions:
        return scopes
    return frozenset(name for name in permissions if name in scopes or name.partition(".")[0] in scopes)


ANONYMOUS: Final = Caller(id=None)
SYSTEM: Final = Caller(id=None, name="system", role="system", permissions=frozenset({ADMIN}))
"""The actor of work that no person asked for: schedules, commands, migrations of data."""
