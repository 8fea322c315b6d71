"""Saved views: made, changed and deleted by their owner; administrators may take away what is shown to everyone."""

from typing import Any, Final
from uuid import UUID

from core.errors import Conflict, NotFound, PermissionDenied
from core.events import publish
from core.permissions import ADMIN, Caller
from core.transactions import atomic
from resources.models import SavedView
from resources.services.writing import Precondition, no_precondition

MOST_VIEWS: Final = 100
"""How many views one person may have."""

_WRITABLE: Final = ("name", "filters", "shared")


@atomic
def create_view(*, actor: Caller, name: str, filters: dict[str, Any], shared: bool) -> SavedView:
    """Save parameters, which the list has accepted, under a name of the actor's own; return the view.

    Raises `Conflict` for one too many, and the database's error for a name that the actor has given already.
    """
    if SavedView.objects.filter(owner_id=actor.own_id).count() >= MOST_VIEWS:
        raise Conflict(f"A person has {MOST_VIEWS} saved views at most.")
    view = SavedView(owner_id=actor.own_id, name=name, filters=filters, shared=shared)
    view.save(force_insert=True)
    _publish("created", view, actor, {"before": {}, "after": _state(view)})
    return view


@atomic
def change_view(
    *, actor: Caller, view_id: UUID, changes: dict[str, Any], precondition: Precondition = no_precondition
) -> SavedView:
    """Change the named fields; return the view. Raises `NotFound`, and `PermissionDenied` for somebody else's."""
    view = _locked(view_id, actor, precondition)
    changed = [name for name in _WRITABLE if name in changes and getattr(view, name) != changes[name]]
    if not changed:
        return view
    before = _state(view)
    for name in changed:
        setattr(view, name, changes[name])
    view.version += 1
    view.save(update_fields=[*changed, "version"])
    after = _state(view)
    facts = {side: {name: state[name] for name in changed} for side, state in (("before", before), ("after", after))}
    _publish("updated", view, actor, facts)
    return view


@atomic
def delete_view(*, actor: Caller, view_id: UUID, precondition: Precondition = no_precondition) -> None:
    """Delete a view; raises what `change_view` does."""
    view = _locked(view_id, actor, precondition)
    _publish("deleted", view, actor, {"before": _state(view)})
    view.delete()


def _locked(view_id: UUID, actor: Caller, precondition: Precondition) -> SavedView:
    view = SavedView.objects.visible_to(actor).select_for_update().filter(id=view_id).first()
    if view is None:
        raise NotFound
    if view.owner_id != actor.own_id and not actor.holds(ADMIN):
        raise PermissionDenied("A saved view is its owner's to change.")
    precondition(view.version)
    return view


def _state(view: SavedView) -> dict[str, Any]:
    return {name: getattr(view, name) for name in _WRITABLE}


def _publish(verb: str, view: SavedView, actor: Caller, facts: dict[str, Any]) -> None:
    publish(f"saved_view.{verb}", subject=view, actor=actor, data=facts, audience=[view.owner_id])
