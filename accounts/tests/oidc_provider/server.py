"""The provider's pages; each of its sins is a field of `Behaviour`, set by `POST /control`."""

import time
from dataclasses import dataclass, field
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core.grants import OpenIDCode
from flask import Flask, Response, jsonify, redirect, request

from accounts.tests.oidc_provider.tokens import Keys, half_hash

CLIENT_ID = "nook"
CLIENT_SECRET = "the-secret-of-nook"
TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"


@dataclass
class Behaviour:
    """What the provider does; by default everything right."""

    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    """Claims of ID tokens that are written over the right ones; None leaves the claim out."""
    signature: str = "right"
    """right, none, hmac (with the public key as its secret), stranger (another key under the right kid)."""
    user_info: dict[str, Any] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    """Endpoint (configuration, keys, token, userinfo, api) to hang, 500, 429, huge, garbage."""
    announces_issuer: bool = False
    configuration: dict[str, Any] = field(default_factory=dict)


class Client:
    """The one client; its secret and its exact addresses are checked as a provider does."""

    client_id = CLIENT_ID

    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_default_redirect_uri(self) -> None:
        return None

    def get_allowed_scope(self, scope: str) -> str:
        return scope or ""

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == "https://app.example/oauth/callback"

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == CLIENT_SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        wanted = "client_secret_post" if request.path.startswith("/github") else "client_secret_basic"
        return endpoint != "token" or method == wanted

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


@dataclass
class Code:
    """A code that was handed out, with what it has to be redeemed with."""

    code: str
    person: dict[str, Any]
    redirect_uri: str
    scope: str
    nonce: str | None
    code_challenge: str | None
    code_challenge_method: str | None

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str | None:
        return self.nonce


@dataclass
class State:
    """All that the process knows."""

    base: str
    behaviour: Behaviour = field(default_factory=Behaviour)
    keys: Keys = field(default_factory=Keys)
    codes: dict[str, Code] = field(default_factory=dict)
    tokens: dict[str, dict[str, Any]] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)


def create_app(base: str) -> Flask:
    """Return the provider, reached at `base`."""
    app, state = Flask("provider"), State(base)
    server = AuthorizationServer(app, lambda client_id: Client() if client_id == CLIENT_ID else None, _keep(state))
    server.register_grant(_grant(state), [CodeChallenge(required=True), _id_tokens(state)])
    _add_control(app, state)
    _add_openid(app, state)
    _add_authorization(app, state, server)
    _add_github(app, state, server)
    return app


def _keep(state: State) -> Any:
    def keep(token: dict[str, Any], oauth_request: Any) -> None:
        state.tokens[token["access_token"]] = oauth_request.user

    return keep


def _grant(state: State) -> Any:
    class Grant(AuthorizationCodeGrant):  # type: ignore[misc]  # Authlib has no types
        TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic", "client_secret_post"]

        def save_authorization_code(self, code: str, oauth_request: Any) -> None:
            sent = oauth_request.payload.data
            challenge = sent.get("code_challenge"), sent.get("code_challenge_method")
            scope, nonce = oauth_request.scope, sent.get("nonce")
            redirect_uri = oauth_request.payload.redirect_uri
            state.codes[code] = Code(code, oauth_request.user, redirect_uri, scope, nonce, *challenge)

        def query_authorization_code(self, code: str, client: Client) -> Code | None:
            return state.codes.get(code)

        def delete_authorization_code(self, authorization_code: Code) -> None:
            state.codes.pop(authorization_code.code)

        def authenticate_user(self, authorization_code: Code) -> dict[str, Any]:
            return authorization_code.person

    return Grant


def _id_tokens(state: State) -> Any:
    class IdTokens(OpenIDCode):  # type: ignore[misc]  # as above
        def exists_nonce(self, nonce: str, oauth_request: Any) -> bool:
            return False

        def encode_id_token(self, token: dict[str, Any], oauth_request: Any) -> str:
            person, now = oauth_request.user, int(time.time())
            claims = {
                "iss": issuer_for(state, person),
                "aud": CLIENT_ID,
                "iat": now,
                "exp": now + 300,
                "nonce": oauth_request.authorization_code.get_nonce(),
                "at_hash": half_hash(token["access_token"]),
                **person,
                **state.behaviour.claims,
            }
            return state.keys.signed({k: v for k, v in claims.items() if v is not None}, state.behaviour.signature)

    return IdTokens()


def issuer_for(state: State, person: dict[str, Any]) -> str:
    """Return the issuer that a person's tokens name: at Microsoft that of their tenant."""
    if request.path.startswith("/microsoft"):
        return f"{state.base}/microsoft/{person.get('tid', TENANT)}/v2.0"
    return f"{state.base}/oidc"


def _add_control(app: Flask, state: State) -> None:
    @app.post("/control")
    def control() -> Response:
        state.behaviour = Behaviour(**request.get_json())
        state.seen.clear()
        return jsonify({})

    @app.post("/rotate")
    def rotate() -> Response:
        state.keys.rotate()
        return jsonify({})

    @app.get("/seen")
    def seen() -> Response:
        return jsonify(state.seen)

    @app.before_request
    def misbehave() -> Any:
        name = endpoint_of(request.path)
        if name is None:
            return None
        state.seen.append(name)
        return _fault(state.behaviour.faults.get(name, ""))


def endpoint_of(path: str) -> str | None:
    """Return the name of an endpoint that can be told to fail."""
    ends = {
        "/.well-known/openid-configuration": "configuration",
        "/keys": "keys",
        "/token": "token",
        "/access_token": "token",
        "/userinfo": "userinfo",
        "/user": "api",
        "/user/emails": "api",
    }
    return next((name for end, name in ends.items() if path.endswith(end)), None)


def _fault(kind: str) -> Any:
    if kind == "hang":
        time.sleep(60)
    if kind == "huge":
        return Response(b'{"a": "' + b"x" * 5_000_000 + b'"}', content_type="application/json")
    if kind == "garbage":
        return Response("<html>It works!</html>")
    return Response("", status=int(kind)) if kind.isdecimal() else None


def _add_openid(app: Flask, state: State) -> None:
    @app.get("/oidc/.well-known/openid-configuration")
    def configuration() -> Response:
        return jsonify(_configuration(state, "/oidc", f"{state.base}/oidc"))

    @app.get("/microsoft/common/v2.0/.well-known/openid-configuration")
    def microsoft_configuration() -> Response:
        return jsonify(_configuration(state, "/microsoft/common/v2.0", f"{state.base}/microsoft/{{tenantid}}/v2.0"))

    @app.get("/oidc/keys")
    @app.get("/microsoft/common/v2.0/keys")
    def keys() -> Response:
        return jsonify(state.keys.published())

    @app.get("/oidc/userinfo")
    def user_info() -> Any:
        return jsonify({**_bearer(state), **state.behaviour.user_info})


def _add_authorization(app: Flask, state: State, server: AuthorizationServer) -> None:
    @app.get("/oidc/authorize")
    @app.get("/microsoft/common/v2.0/authorize")
    @app.get("/github/login/oauth/authorize")
    def authorize() -> Any:
        person = state.behaviour.people[request.args["login_hint"]]
        try:
            grant = server.get_consent_grant(end_user=person)
        except OAuth2Error as error:
            return Response(str(error), status=400)
        response = server.create_authorization_response(grant_user=person, grant=grant)
        if state.behaviour.announces_issuer:
            return redirect(f"{response.headers['Location']}&iss={state.base}/oidc")
        return response

    @app.post("/oidc/token")
    @app.post("/microsoft/common/v2.0/token")
    def token() -> Any:
        return server.create_token_response()


def _add_github(app: Flask, state: State, server: AuthorizationServer) -> None:
    @app.post("/github/login/oauth/access_token")
    def github_token() -> Any:
        response = server.create_token_response()
        response.status_code = 200  # GitHub's errors too
        return response

    @app.get("/github/api/v3/user")
    def user() -> Any:
        person = _bearer(state)
        return jsonify({"id": person["id"], "login": person["login"], "name": person.get("name")})

    @app.get("/github/api/v3/user/emails")
    def emails() -> Any:
        return jsonify(_bearer(state)["emails"])


def _bearer(state: State) -> dict[str, Any]:
    return state.tokens[request.headers["Authorization"].removeprefix("Bearer ")]


def _configuration(state: State, path: str, issuer: str) -> dict[str, Any]:
    base = f"{state.base}{path}"
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{base}/authorize",
        "token_endpoint": f"{base}/token",
        "userinfo_endpoint": f"{base}/userinfo",
        "jwks_uri": f"{base}/keys",
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": state.behaviour.announces_issuer,
        **state.behaviour.configuration,
    }
