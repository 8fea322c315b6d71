"""Social sign-in: the way to a provider and back. Each way is one row, for ten minutes and for one use."""

import base64
import hashlib
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from authlib.common.security import generate_token
from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import Connection, SocialFlow
from accounts.providers.flows import Callback, Secrets, authorization_url, prove
from accounts.providers.table import find_provider
from accounts.services import connections
from accounts.services.mfa_challenges import MfaChallenge
from accounts.services.sessions import SignIn, finish_sign_in, require_recent_sign_in
from accounts.tokens import digest
from core.crypto import is_well_formed_token, random_token
from core.errors import ValidationFailed
from core.permissions import Caller

STATE_PREFIX: Final = "nks"
BINDING_PREFIX: Final = "nkb"
LIFETIME: Final = timedelta(minutes=10)
_VERIFIER_LENGTH: Final = 64


@dataclass(frozen=True, slots=True)
class Begun:
    """A flow on its way: where to send the person, and the state by which it comes back."""

    authorization_url: str
    state: str


@dataclass(frozen=True, slots=True)
class Returned:
    """What came back: `binding` is the secret that only the browser (or app) that set out can know."""

    code: str
    state: str
    binding: str
    issuer: str = ""


def begin(*, actor: Caller, provider_id: str, redirect_uri: str, binding: str) -> Begun:
    """Open a flow; that of somebody who is signed in will add a connection to their account.

    `binding` is the SHA-256 (hex) of a secret that has to come back with the code. Raises `NotFound`,
    `ValidationFailed`, `ServiceUnavailable`, and for somebody signed in `ReauthenticationRequired`.
    """
    provider = find_provider(provider_id)
    if actor.is_authenticated:
        require_recent_sign_in(actor)
    if redirect_uri not in settings.OAUTH_REDIRECT_URIS:
        raise ValidationFailed.of("redirect_uri", "unknown_redirect_uri", "This address is not one to return to.")
    state = random_token(STATE_PREFIX)
    secrets = Secrets(generate_token(_VERIFIER_LENGTH), generate_token(_VERIFIER_LENGTH))
    url = authorization_url(provider, redirect_uri=redirect_uri, state=state, secrets=secrets)
    SocialFlow.objects.create(
        state=digest(state),
        binding=binding,
        provider=provider.id,
        redirect_uri=redirect_uri,
        secrets=asdict(secrets),
        user_id=actor.id,
        expires_at=datetime.now(UTC) + LIFETIME,
    )
    return Begun(url, state)


def complete(
    *, actor: Caller, provider_id: str, returned: Returned, device_token: str = ""
) -> SignIn | MfaChallenge | Connection:
    """Redeem the flow that `returned.state` names: sign the person in, or add the connection it was opened for.

    Whoever has two-factor sign-in proves the second factor after this one as after a password.

    Not one transaction: the provider is asked in between, and a flow is spent whatever it says. Raises
    `NotFound`, `ValidationFailed` (uniform for every state that does not serve), `ServiceUnavailable`, and what
    `connections.user_of` and `connections.connect` raise.
    """
    provider = find_provider(provider_id)
    flow = _redeem(actor, provider.id, returned)
    callback = Callback(returned.code, returned.issuer, flow.redirect_uri)
    identity = prove(provider, callback, Secrets(**flow.secrets))
    if flow.user_id is not None:
        return connections.connect(actor=actor, identity=identity)
    user = connections.user_of(identity)
    return finish_sign_in(user=user, amr=["fed"], device_token=device_token)


def binding_of(secret: str) -> str:
    """Return what is stored of the secret that binds a flow to a browser."""
    return hashlib.sha256(secret.encode()).hexdigest()


def binding_of_challenge(challenge: str) -> str:
    """Return the same of a secret that only its `S256` challenge is known of: 43 characters (RFC 7636, 4.2)."""
    return base64.urlsafe_b64decode(f"{challenge}=").hex()


def purge_flows() -> int:
    """Delete the flows whose time is over; return how many."""
    return SocialFlow.objects.filter(expires_at__lt=Now()).delete()[0]


def _redeem(actor: Caller, provider_id: str, returned: Returned) -> SocialFlow:
    """Use the flow up and return it, or raise `ValidationFailed`: one statement decides among many at once."""
    if not is_well_formed_token(returned.state, STATE_PREFIX):
        raise _invalid_state()
    is_callers = Q(user=None) if actor.id is None else Q(user=None) | Q(user=actor.id)
    flows = SocialFlow.objects.filter(
        is_callers,
        state=digest(returned.state),
        binding=binding_of(returned.binding),
        provider=provider_id,
        used_at=None,
        expires_at__gt=Now(),
    )
    if flows.update(used_at=Now()) != 1:
        raise _invalid_state()
    return SocialFlow.objects.get(state=digest(returned.state))


def _invalid_state() -> ValidationFailed:
    return ValidationFailed.of(
        "state", "invalid_state", "This sign-in is over, was used, or began elsewhere; start again."
    )
