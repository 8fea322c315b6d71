"""The one permission function of resources: as SQL for lists, as a verdict with reasons for one.

Who may, first match, else deny: `admin`; the owner; the highest live share (user, role); the role's
`read|write|delete:resource[.<type>]`; visibility (`internal`: anyone signed in reads, `public`: anyone reads).

The SQL has two forms that select the same rows, both made of the same `reasons`. OR walks the list's own index
and tests each row: best for callers who see much. UNION gathers the visible ids from one index for each reason:
best for callers who see little; lists have it in parts, each walked no further than a page needs. A property test
holds both forms, the parts and the verdict to each other.
"""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final
from uuid import UUID

from django.db import models
from django.db.models import Case, Q, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Greatest

from core.permissions import ADMIN, Caller
from resources.visibility import OPEN_TO_ALL, OPEN_TO_SIGNED_IN


class Level(models.IntegerChoices):
    """How much access one has; each level includes those below it."""

    NONE = 0, "none"
    VIEWER = 1, "viewer"
    COMMENTER = 2, "commenter"
    EDITOR = 3, "editor"
    MANAGER = 4, "manager"
    OWNER = 5, "owner"
    ADMIN = 6, "admin"

    @classmethod
    def shareable(cls) -> tuple["Level", ...]:
        """Return the levels that a share can give."""
        return (cls.VIEWER, cls.COMMENTER, cls.EDITOR, cls.MANAGER)


class Action(Enum):
    """What one may want to do with a resource."""

    READ = "read"
    COMMENT = "comment"
    WRITE = "write"
    SHARE = "share"
    DELETE = "delete"
    DESTROY = "destroy"
    TRANSFER = "transfer"


NEEDED: Final[dict[Action, Level]] = {
    Action.READ: Level.VIEWER,
    Action.COMMENT: Level.COMMENTER,
    Action.WRITE: Level.EDITOR,
    Action.SHARE: Level.MANAGER,
    Action.DELETE: Level.MANAGER,
    Action.DESTROY: Level.OWNER,
    Action.TRANSFER: Level.OWNER,
}
"""The level that permits an action; `delete:resource` permits deleting and destroying as well."""

_BY_DELETE_PERMISSION: Final = frozenset({Action.DELETE, Action.DESTROY})


@dataclass(frozen=True, slots=True)
class Grant:
    """What a role's permission of one verb reaches: every type, or some types."""

    everything: bool
    types: tuple[str, ...] = ()

    @classmethod
    def of(cls, permissions: frozenset[str], verb: str) -> "Grant":
        """Return the grant that `<verb>:resource` and `<verb>:resource.<type>` give together."""
        permission = f"{verb}:resource"
        if permission in permissions or ADMIN in permissions:
            return cls(everything=True)
        prefix = f"{permission}."
        held = (name.removeprefix(prefix) for name in permissions if name.startswith(prefix))
        return cls(everything=False, types=tuple(sorted(held)))

    def reaches(self, type_key: str) -> bool:
        return self.everything or type_key in self.types


@dataclass(frozen=True, slots=True)
class Asker:
    """What the rules need to know of a caller; `user` and `role` may be placeholders of a compiled statement."""

    user: UUID | Combinable | None
    role: str | Combinable
    is_admin: bool
    reads: Grant
    writes: Grant
    deletes: Grant

    @classmethod
    def of(cls, caller: Caller) -> "Asker":
        """Return the asker that `caller` is."""
        return cls.holding(caller.permissions).named(user=caller.id, role=caller.role)

    @classmethod
    def holding(cls, permissions: frozenset[str]) -> "Asker":
        """Return someone who is nobody yet and holds `permissions`."""
        return cls(
            user=None,
            role="",
            is_admin=ADMIN in permissions,
            reads=Grant.of(permissions, "read"),
            writes=Grant.of(permissions, "write"),
            deletes=Grant.of(permissions, "delete"),
        )

    def named(self, *, user: UUID | Combinable | None, role: str | Combinable) -> "Asker":
        """Return the same, as this user in this role."""
        return replace(self, user=user, role=role)

    @property
    def sees_everything(self) -> bool:
        return self.is_admin or self.reads.everything or self.writes.everything

    @property
    def open_visibilities(self) -> tuple[str, ...]:
        """Return the visibilities that let this caller read."""
        return OPEN_TO_ALL if self.user is None else OPEN_TO_SIGNED_IN


@dataclass(frozen=True, slots=True)
class Holding:
    """What the rules need to know of a resource: whose it is, its type, its visibility, the asker's live share."""

    owner: UUID
    type_key: str
    visibility: str
    share: Level = Level.NONE


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an action is allowed, the level held, the reasons that allow it, and what would."""

    allowed: bool
    level: Level
    because: tuple[str, ...] = ()
    would_need: tuple[str, ...] = ()


def decide(asker: Asker, holding: Holding, action: Action) -> Verdict:
    """Return whether `asker` may do `action`, with every reason that permits it (or what would)."""
    sources = _sources(asker, holding)
    level = max(sources.values(), default=Level.NONE)
    because = tuple(reason for reason, given in sources.items() if given >= NEEDED[action])
    if action in _BY_DELETE_PERMISSION and level >= Level.VIEWER and asker.deletes.reaches(holding.type_key):
        because += ("permission:delete:resource",)
    if because:
        return Verdict(True, _own_level(asker, holding, level), because)
    return Verdict(False, _own_level(asker, holding, level), would_need=_would_need(action))


def _sources(asker: Asker, holding: Holding) -> dict[str, Level]:
    """Return what each rule gives, in the order of the rules; rules that give nothing are left out."""
    sources = {
        "admin": Level.ADMIN if asker.is_admin else Level.NONE,
        "owner": Level.OWNER if asker.user is not None and asker.user == holding.owner else Level.NONE,
        "share": holding.share,
        "permission:write:resource": Level.EDITOR if asker.writes.reaches(holding.type_key) else Level.NONE,
        "permission:read:resource": Level.VIEWER if asker.reads.reaches(holding.type_key) else Level.NONE,
        f"visibility:{holding.visibility}": (
            Level.VIEWER if holding.visibility in asker.open_visibilities else Level.NONE
        ),
    }
    return {reason: level for reason, level in sources.items() if level > Level.NONE}


def _own_level(asker: Asker, holding: Holding, level: Level) -> Level:
    """Return the level to show: one's own resource is one's own, also to an admin."""
    return Level.OWNER if asker.user is not None and asker.user == holding.owner else level


def _would_need(action: Action) -> tuple[str, ...]:
    needed = NEEDED[action]
    ways = ["owner"]
    if needed in Level.shareable():
        ways.append(f"share:{needed.label}")
    verb = {Action.READ: "read", Action.WRITE: "write", Action.DELETE: "delete", Action.DESTROY: "delete"}.get(action)
    return (*ways, f"permission:{verb}:resource") if verb else tuple(ways)


def reasons(asker: Asker) -> list[Q]:
    """Return the conditions of which any one lets `asker` read a resource, shares apart.

    Ask only where `asker.sees_everything` is false.
    """
    conditions = [Q(visibility__in=list(asker.open_visibilities))]
    if asker.user is not None:
        conditions.append(Q(owner_id=asker.user))
    types = sorted({*asker.reads.types, *asker.writes.types})
    if types:
        conditions.append(Q(type_id__in=types))
    return conditions


def level_expression(asker: Asker, share: Combinable) -> Combinable:
    """Return the SQL of the level that `asker` has on a row that they may read; `share` is their share's level."""
    if asker.user is None:
        return Value(Level.VIEWER.value, models.IntegerField())
    own = When(owner_id=asker.user, then=Value(Level.OWNER.value))
    if asker.is_admin:
        return Case(own, default=Value(Level.ADMIN.value), output_field=models.IntegerField())
    return Case(own, default=Greatest(_role_level(asker), share), output_field=models.IntegerField())


def _role_level(asker: Asker) -> Combinable:
    if asker.writes.everything:
        return Value(Level.EDITOR.value)
    if not asker.writes.types:
        return Value(Level.VIEWER.value)
    by_type = When(type_id__in=list(asker.writes.types), then=Value(Level.EDITOR.value))
    return Case(by_type, default=Value(Level.VIEWER.value), output_field=models.IntegerField())
