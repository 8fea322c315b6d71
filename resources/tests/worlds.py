"""Random small worlds of users, resources and shares, with the rules told a second time in plain Python."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from secrets import token_bytes
from typing import Any

from hypothesis import strategies as st

from accounts.models import Role, User
from core.permissions import ANONYMOUS, Caller
from resources.access import Level
from resources.models import Resource, ResourceType, Share
from resources.visibility import Visibility

PERMISSION_LISTS: list[list[str]] = [
    [],
    ["admin"],
    ["read:resource"],
    ["write:resource"],
    ["delete:resource"],
    ["read:resource.note"],
    ["write:resource.note", "delete:resource.note"],
]
PEOPLE = 4
STANDINGS = ("active", "active", "active", "disabled", "deleted")
TYPES = ("item", "note")


_LATER = st.tuples(st.integers(0, PEOPLE - 1), st.sampled_from(Visibility.values))


@dataclass(frozen=True, slots=True)
class ShareSketch:
    """A share to be: indexes into the world's lists. `through` counts back in the list of shares; 0 for none."""

    resource: int
    user: int | None
    role: int | None
    access: int
    expired: bool
    giver: int
    through: int
    is_link: bool


@dataclass(frozen=True, slots=True)
class WorldSketch:
    """A world to be."""

    roles: list[list[str]]
    role_of: list[int]
    standing: list[str]
    resources: list[tuple[int, str, str]]
    shares: list[ShareSketch]
    later: list[tuple[int, str] | None]
    """What each resource becomes when all is shared: its owner and its visibility; or it stays as it is."""


def _share(resources: int, roles: int) -> st.SearchStrategy[ShareSketch]:
    def sketch(
        resource: int, to: str, receiver: int, access: int, expired: bool, giver: int, through: int
    ) -> ShareSketch:
        return ShareSketch(
            resource=resource,
            user=receiver if to == "user" else None,
            role=receiver % roles if to == "role" else None,
            is_link=to == "link",
            access=access,
            expired=expired,
            giver=giver,
            through=through,
        )

    return st.builds(
        sketch,
        st.integers(0, resources - 1),
        st.sampled_from(["user", "user", "role", "role", "link"]),
        st.integers(0, PEOPLE - 1),
        st.integers(1, 4),
        st.sampled_from([False, False, False, True]),
        st.integers(0, PEOPLE - 1),
        st.integers(0, 3),
    )


@st.composite
def worlds(draw: st.DrawFn) -> WorldSketch:
    """Draw two roles, four people, some resources and up to eight shares, many of them given on."""
    roles = draw(st.lists(st.sampled_from(PERMISSION_LISTS), min_size=2, max_size=2))
    resource = st.tuples(st.integers(0, PEOPLE - 1), st.sampled_from(TYPES), st.sampled_from(Visibility.values))
    resources = draw(st.lists(resource, min_size=1, max_size=5))
    return WorldSketch(
        roles=roles,
        role_of=draw(st.lists(st.integers(0, 1), min_size=PEOPLE, max_size=PEOPLE)),
        standing=draw(st.lists(st.sampled_from(STANDINGS), min_size=PEOPLE, max_size=PEOPLE)),
        resources=resources,
        shares=draw(st.lists(_share(len(resources), len(roles)), max_size=8)),
        later=draw(st.lists(st.none() | _LATER, min_size=len(resources), max_size=len(resources))),
    )


class World:
    """The sketch as rows, and what the rules say of them."""

    def __init__(self, sketch: WorldSketch) -> None:
        ResourceType.objects.get_or_create(key="note", defaults={"name": "Note"})
        self.roles = [Role.objects.create(name=f"role {n}", permissions=held) for n, held in enumerate(sketch.roles)]
        self.users = [
            User.objects.create(
                email=f"user{n}@example.org",
                name=f"User {n}",
                password="!",
                role=self.roles[role],
                is_active=standing != "disabled",
                deleted_at=datetime.now(UTC) if standing == "deleted" else None,
            )
            for n, (role, standing) in enumerate(zip(sketch.role_of, sketch.standing, strict=True))
        ]
        self.resources = [
            Resource.objects.create(owner=self.users[owner], type_id=type_key, visibility=visibility, name="Thing")
            for owner, type_key, visibility in sketch.resources
        ]
        self.shares: list[Share] = []
        for share in sketch.shares:
            self._add(share)
        for resource, later in zip(self.resources, sketch.later, strict=True):
            if later is not None:
                resource.owner, resource.visibility = self.users[later[0]], later[1]
                resource.save(update_fields=["owner", "visibility"])

    def _add(self, sketch: ShareSketch) -> None:
        resource = self.resources[sketch.resource]
        receiver: dict[str, Any] = {"user_id": None, "role_id": None, "link_digest": None}
        if sketch.user is not None:
            receiver["user_id"] = self.users[sketch.user].id
        if sketch.role is not None:
            receiver["role_id"] = self.roles[sketch.role].id
        if sketch.is_link:
            receiver["link_digest"] = token_bytes(32)
        elif Share.objects.filter(resource=resource, **receiver).exists():
            return
        above = self.shares[-sketch.through] if 0 < sketch.through <= len(self.shares) else None
        expiry = datetime.now(UTC) - timedelta(hours=1) if sketch.expired else None
        self.shares.append(
            Share.objects.create(
                resource=resource,
                **receiver,
                access=sketch.access,
                expires_at=expiry,
                given_by=self.users[sketch.giver],
                through=above,
            )
        )

    def callers(self) -> list[Caller]:
        """Return everyone who may ask; whether somebody can sign in is asked before anything of this."""
        people = [
            Caller(user.id, user.email, user.name, user.role.name, frozenset(user.role.permissions))
            for user in User.all_objects.select_related("role")
        ]
        return [*people, ANONYMOUS]

    def share_level(self, caller: Caller, resource: Resource) -> Level:
        """Return the level of the highest live share, by the rules."""
        levels = [
            share.access
            for share in self.shares
            if share.resource_id == resource.id and self._reaches(share, caller.id, caller.role) and self._holds(share)
        ]
        return Level(max(levels, default=0))

    def level(self, caller: Caller, resource: Resource) -> Level:
        """Return the access level, by the rules; NONE where the resource is not readable."""
        if caller.id is not None and caller.id == resource.owner_id:
            return Level.OWNER
        if "admin" in caller.permissions:
            return Level.ADMIN
        found = [self.share_level(caller, resource)]
        if caller.permissions & {"write:resource", f"write:resource.{resource.type_id}"}:
            found.append(Level.EDITOR)
        if caller.permissions & {"read:resource", f"read:resource.{resource.type_id}"}:
            found.append(Level.VIEWER)
        if resource.visibility == "public" or (resource.visibility == "internal" and caller.id is not None):
            found.append(Level.VIEWER)
        return max(found)

    def _reaches(self, share: Share, user_id: object, role: str) -> bool:
        if user_id is None:
            return False
        return share.user_id == user_id or (share.role is not None and share.role.name == role)

    def _holds(self, share: Share) -> bool:
        if share.expires_at is not None:
            return False
        giver = next(user for user in self.users if user.id == share.given_by_id)
        is_there = giver.is_active and giver.deleted_at is None
        if share.through is None:
            return share.resource.owner_id == giver.id or (is_there and "admin" in giver.role.permissions)
        above = share.through
        return (
            is_there
            and above.resource_id == share.resource_id
            and above.access >= Level.MANAGER
            and self._reaches(above, giver.id, giver.role.name)
            and self._holds(above)
        )
