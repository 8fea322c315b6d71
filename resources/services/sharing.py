"""Sharing: who may, what is given, by whom it is vouched for.

Nobody gives more than they hold. A share given by somebody who is neither the owner nor an administrator hangs on
the share by which they are a manager (`through`), and gives nothing while that one does not hold. Whoever widens
a share that somebody else gave vouches for it from then on; nobody widens what they hold themself by it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import transaction
from django.db.models import F

from accounts.hashing import make_password
from accounts.models import Role, User
from core.crypto import random_token, token_digest
from core.errors import Conflict, NotFound, PermissionDenied, ValidationFailed
from core.events import Telling, publish, publish_many
from core.permissions import Caller
from core.transactions import atomic
from resources.access import Action, Asker, Level
from resources.models import Resource, Share, ShareQuerySet
from resources.services.writing import lock, require

LINK_PREFIX: Final = "nkl"
MOST_SHARES: Final = 1000
"""How many shares one resource may have."""

LONGEST_CHAIN: Final = 10
"""How often access may be given on, from hand to hand."""

_READS_USERS: Final = "read:user"


@dataclass(frozen=True, slots=True)
class NewLink:
    """A link to be; no password lets in everyone who has it, no `max_uses` as often as they like."""

    password: str | None = None
    max_uses: int | None = None


@dataclass(frozen=True, slots=True)
class NewShare:
    """A share to be, to one of: a user (by id; by address for who may see every user), a role by name, a link."""

    access: Level
    user: str | None = None
    role: str | None = None
    link: NewLink | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class MadeShare:
    """A share that was made; `secret` is the link's token, which is kept nowhere."""

    row: Share
    secret: str | None = None


def create_share(*, actor: Caller, resource_id: UUID, new: NewShare) -> MadeShare:
    """Share a resource. A share to the same receiver that no longer holds is replaced.

    Raises `NotFound`, `PermissionDenied`, `ValidationFailed`, and `Conflict` for a receiver who has one that holds.
    """
    with transaction.atomic():
        _shareable(resource_id, actor)
    # A quarter of a second, which nobody else shall wait for.
    password = make_password(new.link.password) if new.link and new.link.password else ""
    return atomic(lambda: _create(_shareable(resource_id, actor), actor, new, password))()


def change_share(*, actor: Caller, resource_id: UUID, share_id: UUID, changes: dict[str, Any]) -> Share:
    """Change `access`, `expires_at`, `max_uses` or `password` (None: none) of a share; return it with `is_live`.

    Raises `NotFound`, `PermissionDenied`, `ValidationFailed`, and `Conflict` where the chain would be too long.
    """
    if changes.get("password"):
        with transaction.atomic():
            _shareable(resource_id, actor)
        changes = {**changes, "password": make_password(changes["password"])}
    return _changed(resource_id, share_id, actor, changes)


@atomic
def _changed(resource_id: UUID, share_id: UUID, actor: Caller, changes: dict[str, Any]) -> Share:
    resource = _shareable(resource_id, actor)
    _change(resource, share_id, actor, changes)
    return _of(resource).with_live().get(id=share_id)


@atomic
def remove_share(*, actor: Caller, resource_id: UUID, share_id: UUID) -> None:
    """Take a share back, with all that was given through it: a manager any, everyone what they gave or were given.

    Raises `NotFound`, and `PermissionDenied` for who may read only.
    """
    among = Resource.objects.visible_to(actor)
    resource = lock(resource_id, among=among, actor=actor, action=Action.READ)
    share = _of(resource).filter(id=share_id).first()
    if share is None or actor.own_id not in {share.user_id, share.given_by_id}:
        require(resource, Asker.of(actor), Action.SHARE)
    if share is None:
        raise NotFound
    remove(share, actor=actor)


def remove(share: Share, *, actor: Caller) -> None:
    """Delete the share and what was given through it, in the transaction at hand; each is an event."""
    for gone in _shares_among(_below(_hanging(share.resource), share.id)):
        _publish("removed", gone, actor, before=_facts(gone))
    share.delete()


def remove_dead(resource: Resource, *, actor: Caller) -> int:
    """Delete the shares of a resource that hold no longer, in the transaction at hand; each is an event.

    For whoever ends a giver's right for good: so nothing comes back to life when it does. Return how many there were.
    """
    dead = list(_of(resource).dead())
    if dead:
        tellings = [
            Telling(gone.id, orjson.dumps({"before": _facts(gone), "after": {}}).decode(), _audience(gone))
            for gone in dead
        ]
        publish_many("share.removed", subject_type="share", actor=actor, tellings=tellings)
        Share.objects.filter(id__in=[gone.id for gone in dead]).delete()
    return len(dead)


def shares_of(*, actor: Caller, resource_id: UUID) -> ShareQuerySet:
    """Return the shares of a resource, those that no longer hold too, with `is_live`; for managers and auditors."""
    found = Resource.objects.visible_to(actor).with_share(Asker.of(actor)).filter(id=resource_id).first()
    if found is None:
        raise NotFound
    if not actor.holds("read:audit"):
        require(found, Asker.of(actor), Action.SHARE)
    return _of(found).with_live()


def publish_opened(share: Share, *, actor: Caller) -> None:
    """Tell that somebody has opened a link, in the transaction at hand."""
    _publish("opened", share, actor, before=None)


def _shareable(resource_id: UUID, actor: Caller) -> Resource:
    """Return the resource, locked: its shares change one after the other."""
    return lock(resource_id, among=Resource.objects.visible_to(actor), actor=actor, action=Action.SHARE)


def _of(resource: Resource) -> ShareQuerySet:
    return Share.objects.filter(resource=resource).select_related("user", "role", "given_by", "resource")


def _create(resource: Resource, actor: Caller, new: NewShare, password: str) -> MadeShare:
    _refuse_past(new.expires_at)
    receiver, secret = _receiver(resource, actor, new)
    _make_room(resource, receiver, actor)
    standing = _standing(resource, actor)
    share = Share(
        resource=resource,
        **receiver,
        access=new.access,
        expires_at=new.expires_at,
        link_password=password,
        link_max_uses=new.link.max_uses if new.link else None,
        given_by_id=actor.own_id,
        through=standing,
    )
    _refuse_long_chain(resource, standing, share.id)
    share.save(force_insert=True)
    _publish("created", share, actor, before=None)
    return MadeShare(_of(resource).with_live().get(id=share.id), secret)


def _change(resource: Resource, share_id: UUID, actor: Caller, changes: dict[str, Any]) -> None:
    share = _of(resource).select_for_update(of=("self",)).filter(id=share_id).first()
    if share is None:
        raise NotFound
    before, values = _facts(share), _values(share, changes)
    if _widens(share, values):
        standing = _standing(resource, actor, besides=_below(_hanging(resource), share.id))
        _refuse_long_chain(resource, standing, share.id)
        values |= {"given_by_id": actor.own_id, "through": standing}
    changed = {name: value for name, value in values.items() if getattr(share, name) != value}
    if changed:
        for name, value in changed.items():
            setattr(share, name, value)
        share.save(update_fields=list(changed))
        _publish("changed", share, actor, before=before)


def _receiver(resource: Resource, actor: Caller, new: NewShare) -> tuple[dict[str, Any], str | None]:
    """Return who or what is shared with, as columns, and the secret of a new link."""
    if new.link is not None:
        if new.access > Level.VIEWER:
            raise ValidationFailed.of("access", "too_much", "A link lets people read: give it viewer.")
        secret = random_token(LINK_PREFIX)
        return {"link_digest": token_digest(secret)}, secret
    if new.role is not None:
        role = Role.objects.filter(name=new.role).first()
        if role is None:
            raise ValidationFailed.of("role", "does_not_exist", "There is no such role.")
        return {"role": role}, None
    user = _user(new.user, actor)
    if user is None:
        raise ValidationFailed.of("user", "does_not_exist", "There is no user of this id to share with.")
    if user.pk in {actor.own_id, resource.owner_id}:
        raise ValidationFailed.of("user", "has_access", "This person needs no share: it is you, or the owner.")
    return {"user": user}, None


def _user(named: str | None, actor: Caller) -> User | None:
    """Return the user who is named; an address finds somebody only for who may look all users up anyway."""
    is_address = named is not None and "@" in named
    if is_address and not actor.holds(_READS_USERS):
        return None
    known = {"email" if is_address else "pk": named}
    return User.objects.filter(is_active=True, **known).first()


def _make_room(resource: Resource, receiver: dict[str, Any], actor: Caller) -> None:
    """Remove the receiver's share where it no longer holds; raise `Conflict` where it does, or there are too many."""
    shares = _of(resource)
    earlier = None if "link_digest" in receiver else shares.with_live().filter(**receiver).first()
    if earlier is not None:
        if earlier.is_live:  # type: ignore[attr-defined]  # annotated by with_live
            raise Conflict(f"This is shared already, by {earlier.id}: change that share.")
        remove(earlier, actor=actor)
    if shares.count() >= MOST_SHARES:
        raise Conflict(f"A resource has {MOST_SHARES} shares at most.")


def _standing(resource: Resource, actor: Caller, *, besides: Iterable[UUID] = ()) -> Share | None:
    """Return the share by which the actor may give, the longest-lived one; None for the owner and administrators.

    Raises `PermissionDenied` where only those in `besides` let them.
    """
    asker = Asker.of(actor)
    if asker.is_admin or resource.owner_id == actor.own_id:
        return None
    managing = Share.objects.live_for(asker).filter(resource=resource, access__gte=Level.MANAGER)
    longest = managing.exclude(id__in=list(besides)).order_by(F("expires_at").desc(nulls_first=True), "id")
    standing = longest.first()
    if standing is None:
        raise PermissionDenied("You hold your own access by this share; who gave it to you can widen it.")
    return standing


def _hanging(resource: Resource) -> dict[UUID, UUID | None]:
    """Return each share of the resource with the one that it hangs on."""
    return dict(Share.objects.filter(resource=resource).values_list("id", "through_id"))


def _below(above: dict[UUID, UUID | None], share_id: UUID) -> set[UUID]:
    """Return the share and all that was given through it, however far."""
    found, fresh = {share_id}, {share_id}
    while fresh:
        fresh = {row for row, through in above.items() if through in fresh} - found
        found |= fresh
    return found


def _refuse_long_chain(resource: Resource, standing: Share | None, share_id: UUID) -> None:
    """Raise `Conflict` where access would go through too many hands, were the share to hang on `standing`."""
    above = {**_hanging(resource), share_id: standing.id if standing else None}
    if max(_length(above, row) for row in _below(above, share_id)) > LONGEST_CHAIN:
        raise Conflict(f"Access goes through {LONGEST_CHAIN} hands at most; ask the owner to share it.")


def _length(above: dict[UUID, UUID | None], share_id: UUID) -> int:
    length, here = 0, share_id if share_id in above else None
    while here is not None:
        length, here = length + 1, above[here]
    return length


def _shares_among(ids: set[UUID]) -> ShareQuerySet:
    return Share.objects.filter(id__in=ids).select_related("resource", "role").order_by("id")


def _values(share: Share, changes: dict[str, Any]) -> dict[str, Any]:
    """Return the columns that `changes` write."""
    values: dict[str, Any] = {name: changes[name] for name in ("access", "expires_at") if name in changes}
    if "expires_at" in values and values["expires_at"] != share.expires_at:
        _refuse_past(values["expires_at"])
    if share.is_link and values.get("access", Level.VIEWER) > Level.VIEWER:
        raise ValidationFailed.of("access", "too_much", "A link lets people read: give it viewer.")
    if not share.is_link and {"max_uses", "password"} & changes.keys():
        raise ValidationFailed.of("link", "immutable", "This share is no link.")
    if "max_uses" in changes:
        values["link_max_uses"] = changes["max_uses"]
    if "password" in changes:
        values["link_password"] = changes["password"] or ""
    return values


def _widens(share: Share, values: dict[str, Any]) -> bool:
    """Return whether more is given, for longer, more often or more openly than before."""
    limits = {name: getattr(share, name) for name in ("expires_at", "link_max_uses")}
    lifted = any(
        old is not None and name in values and (values[name] is None or values[name] > old)
        for name, old in limits.items()
    )
    return lifted or values.get("access", share.access) > share.access or "link_password" in values


def _refuse_past(moment: datetime | None) -> None:
    if moment is not None and moment <= datetime.now(UTC):
        raise ValidationFailed.of("expires_at", "past", "Give a moment in the future.")


def _facts(share: Share) -> dict[str, Any]:
    """Return what the log keeps of a share: no digest, no password."""
    return {
        "resource": str(share.resource_id),
        "user": str(share.user_id) if share.user_id else None,
        "role": share.role.name if share.role else None,
        "link": share.is_link,
        "has_password": bool(share.link_password),
        "max_uses": share.link_max_uses,
        "access": share.level.label,
        "expires_at": share.expires_at.isoformat() if share.expires_at else None,
    }


def _publish(verb: str, share: Share, actor: Caller, *, before: dict[str, Any] | None) -> None:
    """Publish what became of the share, to its receiver, its giver and the owner."""
    after = {} if verb == "removed" else _facts(share)
    data = {"before": before or {}, "after": after}
    if before and after:
        changed = {name for name in after if before[name] != after[name]}
        data = {side: {name: data[side][name] for name in changed} for side in data}
    publish(f"share.{verb}", subject=share, actor=actor, data=data, audience=_audience(share))


def _audience(share: Share) -> tuple[UUID, ...]:
    """Return receiver, giver and owner."""
    return tuple(sorted(filter(None, {share.user_id, share.given_by_id, share.resource.owner_id})))
