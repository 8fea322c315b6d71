"""On whose behalf a job over resources works: asked anew at each step, so that it ends with its owner's rights."""

from typing import Any, Final
from uuid import UUID

from accounts.services.standing import caller_now
from core.jobs import JobFailed, Work
from core.permissions import Caller

ACTING: Final = "impersonated_by"


def parameters_of(actor: Caller) -> dict[str, Any]:
    """Return what a job's parameters have to keep of who asked."""
    return {ACTING: str(actor.impersonated_by)} if actor.impersonated_by else {}


def asker_of(work: Work, *, scope: str) -> Caller:
    """Return the job's owner as they are now; ends the job of one who may not do this any more."""
    acting = work.parameters.get(ACTING)
    caller = work.owner_id and caller_now(
        user_id=work.owner_id, token_id=work.token_id, impersonated_by=UUID(acting) if acting else None
    )
    if not caller or (caller.token_id is not None and not caller.covers(scope)):
        raise JobFailed("Whoever asked for this may not do it any more.", code="permission_denied")
    return caller
