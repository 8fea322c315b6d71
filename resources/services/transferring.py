"""Transfer: a resource becomes somebody else's."""

from uuid import UUID

from accounts.models import User
from core.errors import ValidationFailed
from core.permissions import Caller
from core.transactions import atomic
from resources.access import Action
from resources.models import Resource
from resources.services.sharing import remove_dead
from resources.services.writing import Precondition, lock, no_precondition, record, state_of


@atomic
def transfer_resource(
    *, actor: Caller, resource_id: UUID, owner_id: UUID, precondition: Precondition = no_precondition
) -> Resource:
    """Give a resource to a new owner, who has to be able to sign in; return it. Both owners are told.

    Shares that the old owner gave end with their right to give, and so do those given on through them: the new owner
    shares anew. For the owner and administrators. Raises `ValidationFailed` for somebody who cannot sign in, and the
    database's error where the new owner uses the external id already.
    """
    # The person before the thing, as in whatever ends accounts: two transactions that lock both never wait in a circle.
    owner = User.objects.able_to_sign_in().select_for_update(of=("self",), no_key=True).filter(id=owner_id).first()
    among = Resource.objects.visible_to(actor)
    resource = lock(resource_id, among=among, actor=actor, action=Action.TRANSFER, precondition=precondition)
    if owner is None:
        raise ValidationFailed.of("owner", "cannot_sign_in", "Nobody who can sign in has this id.")
    if owner.id != resource.owner_id:
        _hand_over(resource, owner, actor)
    return resource


def _hand_over(resource: Resource, owner: User, actor: Caller) -> None:
    before = state_of(resource)
    parties = [resource.owner_id, owner.id]
    resource.owner = owner
    resource.version += 1
    resource.save(update_fields=["owner", "version"])
    sides = {"from": str(parties[0]), "to": str(parties[1])}
    told = {**sides, "version": resource.version, "ended_shares": remove_dead(resource, actor=actor)}
    record(resource, "transferred", before=before, actor=actor, told=told, audience=parties)
