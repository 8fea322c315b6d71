"""Reverting: what a resource said in one of its versions, written anew."""

from typing import Any, Final
from uuid import UUID

from core.errors import ValidationFailed
from core.permissions import Caller
from core.transactions import atomic
from resources.keywords.sealing import opened
from resources.models import Resource, ResourceHistory
from resources.services.records import apply_changes, locked_for_writing
from resources.services.writing import Precondition, no_precondition

REVERTED: Final = ("name", "description", "data", "tags", "external_id")
"""What comes back. Whose the resource is, who may see it and which state it is in are decided in ways of their own:
by a transfer, by sharing, by transitions."""


@atomic
def revert_resource(
    *, actor: Caller, resource_id: UUID, number: int, precondition: Precondition = no_precondition
) -> Resource:
    """Make a new version of the content that version `number` had, judged by the present schema; return the resource.

    What the actor may not write of `data` stays as it is. Raises what a change raises, and `ValidationFailed` for a
    version that the resource does not have.
    """
    resource = locked_for_writing(resource_id, actor, precondition)
    snapshot = _snapshot(resource, number)
    values = {name: snapshot[name] for name in REVERTED}
    values["data"] = opened(values["data"], resource.id)
    return apply_changes(resource, values, actor=actor, action="reverted", told={"to_version": number})


def _snapshot(resource: Resource, number: int) -> dict[str, Any]:
    version = ResourceHistory.objects.filter(resource=resource, number=number).first()
    if version is None:
        raise ValidationFailed.of("version", "does_not_exist", "There is no such version.")
    snapshot: dict[str, Any] = version.snapshot
    return snapshot
