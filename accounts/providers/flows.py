"""The authorization code flow: the address to send somebody to, and the proof that their code is exchanged for."""

from dataclasses import dataclass
from typing import Any, Final

from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from accounts.providers import github
from accounts.providers.asking import Clock, ask, json_object, unavailable
from accounts.providers.discovery import metadata_of
from accounts.providers.identities import ProvenIdentity
from accounts.providers.openid import prove_by_id_token, untrusted
from accounts.providers.table import GITHUB, Provider
from core.errors import ValidationFailed
from core.http_client import Response

# What says that the provider does not take us for its client: an operator has to look, the person cannot help it.
_OUR_FAULTS: Final = frozenset({"invalid_client", "unauthorized_client", "incorrect_client_credentials"})


@dataclass(frozen=True, slots=True)
class Secrets:
    """What one flow keeps to itself: the PKCE verifier (RFC 7636) and the nonce that the ID token has to repeat."""

    code_verifier: str
    nonce: str


@dataclass(frozen=True, slots=True)
class Callback:
    """What the provider sent back with the person; `issuer` is `iss` of RFC 9207, empty where it was not given."""

    code: str
    issuer: str
    redirect_uri: str


def authorization_url(provider: Provider, *, redirect_uri: str, state: str, secrets: Secrets) -> str:
    """Return where the person has to go; raises `ServiceUnavailable`."""
    metadata = _metadata(provider, Clock())
    url: str = prepare_grant_uri(
        metadata["authorization_endpoint"],
        provider.client_id,
        "code",
        redirect_uri,
        provider.scope,
        state,
        nonce=secrets.nonce if provider.id != GITHUB else None,
        code_challenge=create_s256_code_challenge(secrets.code_verifier),
        code_challenge_method="S256",
    )
    return url


def prove(provider: Provider, callback: Callback, secrets: Secrets) -> ProvenIdentity:
    """Exchange the code and return who it was given to.

    Raises `ValidationFailed` for a code that is refused or an answer that cannot be trusted, `ServiceUnavailable`
    within five seconds when the provider does not answer.
    """
    clock = Clock()
    metadata = _metadata(provider, clock)
    is_announced = metadata.get("authorization_response_iss_parameter_supported") is True
    if is_announced and callback.issuer != metadata["issuer"]:
        raise untrusted(provider, "The parameter iss names another issuer.")
    answer = _token_answer(provider, metadata, callback, secrets, clock)
    if provider.id == GITHUB:
        identity = github.prove_by_api(provider, answer, clock=clock)
    else:
        identity = prove_by_id_token(provider, metadata, answer, nonce=secrets.nonce, clock=clock)
    if callback.issuer and callback.issuer != identity.issuer:
        raise untrusted(provider, "The parameter iss names another issuer.")
    return identity


def _metadata(provider: Provider, clock: Clock) -> dict[str, Any]:
    return github.endpoints_of(provider) if provider.id == GITHUB else metadata_of(provider, clock=clock)


def _token_answer(
    provider: Provider, metadata: dict[str, Any], callback: Callback, secrets: Secrets, clock: Clock
) -> dict[str, Any]:
    body = prepare_token_request(
        "authorization_code", "", callback.redirect_uri, code=callback.code, code_verifier=secrets.code_verifier
    )
    headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
    client = ClientAuth(provider.client_id, provider.client_secret, _client_auth_method(metadata))
    url, headers, body = client.prepare("POST", metadata["token_endpoint"], headers, body)
    response = ask(provider, "POST", url, clock=clock, data=body.encode(), headers=headers)
    answer = json_object(provider, response)
    _refuse_error(provider, response, answer)
    if not isinstance(answer.get("access_token"), str):
        raise unavailable(provider, "The token endpoint gave no access token.")
    return answer


def _client_auth_method(metadata: dict[str, Any]) -> str:
    known = metadata.get("token_endpoint_auth_methods_supported")
    is_by_body = isinstance(known, list) and "client_secret_post" in known and "client_secret_basic" not in known
    return "client_secret_post" if is_by_body else "client_secret_basic"


def _refuse_error(provider: Provider, response: Response, answer: dict[str, Any]) -> None:
    """Raise what an error of the token endpoint means; GitHub sends its errors with status 200."""
    if response.ok and "error" not in answer:
        return
    error = str(answer.get("error", response.status))[:100]
    if error in _OUR_FAULTS:
        raise unavailable(provider, f"The provider refuses the client id or its secret: {error}.")
    raise ValidationFailed.of("code", "invalid_code", f"{provider.name} does not accept this code; start again.")
