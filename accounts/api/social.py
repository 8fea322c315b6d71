"""`/auth/oauth/…`: the providers, the way to one of them and back, and one's connections."""

from typing import Any, Final
from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from accounts.api import cookies
from accounts.api.pairs import COOKIE, PAIR_EXAMPLE, LoginShape, TransportField, answer_sign_in
from accounts.api.shapes import USER_EXAMPLE
from accounts.models import Connection
from accounts.providers.table import name_of, providers
from accounts.services import connections, social
from accounts.services.social import BINDING_PREFIX, Returned, binding_of, binding_of_challenge
from core.api.access import PUBLIC, SIGNED_IN
from core.api.envelope import no_content, success
from core.api.fields import SecretField
from core.api.operations import operation
from core.api.pagination import paginate
from core.api.query import CreatedQuery, parse_query, trimmed
from core.api.serializers import StrictSerializer, parse
from core.api.views import ApiView
from core.crypto import random_token
from core.errors import AccountDisabled, Conflict, EmailNotVerified, NotFound, ReauthenticationRequired

PROVIDER_EXAMPLE: Final = {"id": "google", "name": "Google"}
CONNECTION_EXAMPLE: Final = {
    "id": "01a1fbd6-4c11-7b08-8a5e-0a2d9b6f1c33",
    "provider": "google",
    "name": "Google",
    "email": "olive@example.com",
    "created_at": "2026-11-21T09:30:00.000000Z",
    "last_used_at": "2026-11-21T09:30:00.000000Z",
}
_REDIRECT_EXAMPLE: Final = "https://app.example.com/oauth/callback"
_URL_EXAMPLE: Final = (
    "https://accounts.google.com/o/oauth2/v2/auth?response_type=code&client_id=1234.apps.googleusercontent.com"
    "&redirect_uri=https%3A%2F%2Fapp.example.com%2Foauth%2Fcallback&scope=openid+email+profile"
    "&state=nks_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG123456&nonce=…&code_challenge=…&code_challenge_method=S256"
)


class ProviderShape(serializers.Serializer[Any]):
    id = serializers.CharField()
    name = serializers.CharField()


class AuthorizationShape(serializers.Serializer[Any]):
    authorization_url = serializers.CharField()


class ConnectionShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    provider = serializers.CharField()
    name = serializers.CharField()
    email = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField()


class CallbackShape(LoginShape):
    """What signing in answers; to a flow that was begun by somebody signed in, the connection alone."""

    expires_in = serializers.IntegerField(required=False)
    connection = ConnectionShape(required=False)


def connection_shape(connection: Connection) -> dict[str, Any]:
    return {
        "id": connection.pk,
        "provider": connection.provider,
        "name": name_of(connection.provider),
        "email": connection.email,
        "created_at": connection.created_at,
        "last_used_at": connection.last_used_at,
    }


class Providers(ApiView):
    access = {"GET": PUBLIC}
    authentication_classes = []

    @operation(
        "List the providers to sign in with",
        description="Those that this installation is set up for, in the order of its settings.",
        response=ProviderShape,
        many=True,
        response_example=[PROVIDER_EXAMPLE],
    )
    def get(self, request: Request) -> HttpResponse:
        return success([{"id": provider.id, "name": provider.name} for provider in providers().values()])


class AuthorizeInput(StrictSerializer):
    redirect_uri = serializers.CharField(max_length=2000)
    client_challenge = serializers.RegexField(
        r"^[A-Za-z0-9_-]{43}\Z",
        required=False,
        help_text="For clients without cookies: base64url of the SHA-256 of a secret they keep.",
    )


class Authorize(ApiView):
    access = {"POST": PUBLIC}
    rate_limit = "auth"
    ignored_cookies = frozenset({cookies.DEVICE})

    @operation(
        "Begin to sign in with a provider",
        description=(
            "Send the person to `authorization_url`; the provider sends them back to `redirect_uri`, which has to be "
            "one of `OAUTH_REDIRECT_URIS`, with `code` and `state`. The way there and back serves for ten minutes, "
            "once, and only in the browser that set out, which gets a cookie for it; a client without cookies gives "
            "`client_challenge` instead. With an access token it adds a connection to the account that is signed in."
        ),
        request=AuthorizeInput,
        response=AuthorizationShape,
        request_example={"redirect_uri": _REDIRECT_EXAMPLE},
        response_example={"authorization_url": _URL_EXAMPLE},
        errors=(NotFound, ReauthenticationRequired),
    )
    def post(self, request: Request, provider: str) -> HttpResponse:
        body = parse(AuthorizeInput, request)
        challenge = body.get("client_challenge", "")
        secret = "" if challenge else random_token(BINDING_PREFIX)
        begun = social.begin(
            actor=self.caller,
            provider_id=provider,
            redirect_uri=body["redirect_uri"],
            binding=binding_of_challenge(challenge) if challenge else binding_of(secret),
        )
        response = success({"authorization_url": begun.authorization_url})
        if secret:
            cookies.set_flow_cookie(response, begun.state, secret)
        return response


class CallbackInput(StrictSerializer):
    code = SecretField(max_length=4096)
    state = SecretField(max_length=200)
    iss = serializers.CharField(required=False, max_length=2000, help_text="As the provider sent it (RFC 9207).")
    client_verifier = SecretField(
        required=False, min_length=43, max_length=128, help_text="The secret behind `client_challenge`."
    )
    token_transport = TransportField()


class OAuthCallback(ApiView):
    access = {"POST": PUBLIC}
    rate_limit = "auth"
    ignored_cookies = frozenset({cookies.DEVICE})

    @operation(
        "Finish signing in with a provider",
        description=(
            "Takes what the provider sent back, `iss` included if it was there, and answers as `/auth/login`. Somebody "
            "new gets an account; an account that is there is joined only if the provider has verified the address "
            "and its owner has confirmed it here. A flow begun with an access token answers `connection` alone."
        ),
        request=CallbackInput,
        response=CallbackShape,
        request_example={"code": "4/0AX4XfWh…", "state": "nks_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG123456"},
        response_example={**PAIR_EXAMPLE, "user": USER_EXAMPLE},
        errors=(NotFound, EmailNotVerified, AccountDisabled, Conflict),
    )
    def post(self, request: Request, provider: str) -> HttpResponse:
        body = parse(CallbackInput, request)
        outcome = social.complete(
            actor=self.caller,
            provider_id=provider,
            returned=_returned(request, body),
            device_token=request.COOKIES.get(cookies.DEVICE, ""),
        )
        if isinstance(outcome, Connection):
            response = success({"connection": connection_shape(outcome)})
        else:
            response = answer_sign_in(outcome, by_cookie=body["token_transport"] == COOKIE)
        cookies.clear_flow_cookie(response, body["state"])
        return response


ConnectionListQuery: Final = trimmed(CreatedQuery, ConnectionShape)


class Connections(ApiView):
    access = {"GET": SIGNED_IN}

    @operation(
        "List one's connections to providers",
        query=ConnectionListQuery,
        response=ConnectionShape,
        many=True,
        paginated=True,
        response_example=[CONNECTION_EXAMPLE],
    )
    def get(self, request: Request) -> HttpResponse:
        return paginate(
            Connection.objects.filter(user_id=self.caller.own_id),
            request,
            parse_query(ConnectionListQuery, request),
            shape=connection_shape,
            sorts={"created_at": "created_at"},
            default_sort="-created_at",
        )


class OneConnection(ApiView):
    access = {"DELETE": SIGNED_IN}

    @operation(
        "Remove a connection",
        description="The provider signs one in no longer. The last way to sign in stays: 409.",
        status=204,
        errors=(Conflict, ReauthenticationRequired),
    )
    def delete(self, request: Request, connection_id: UUID) -> HttpResponse:
        connections.disconnect(actor=self.caller, connection_id=connection_id)
        return no_content()


def _returned(request: Request, body: dict[str, Any]) -> Returned:
    """Return what came back; the secret of the flow from the body, else from the cookie that it set."""
    cookie = request.COOKIES.get(cookies.flow_cookie(body["state"]), "")
    return Returned(body["code"], body["state"], body.get("client_verifier", cookie), body.get("iss", ""))
