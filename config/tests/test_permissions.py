"""Who may do what: every operation of the API is held to the table. A new operation without a row fails here."""

from typing import Any

import pytest

from accounts.models import User
from accounts.tests.factories import PASSWORD, access_token_of, create_session, create_user
from config.tests.cast import ApiClient
from config.tests.operations import PARAMETER, Operation, Stage, operations, undone
from config.tests.permission_matrix import (
    BEFORE_ENROLLMENT,
    BLIND_TO_TOKENS,
    MATRIX,
    NOT_FOR_TOKENS,
    OF_THE_TOKEN_ITSELF,
    PEOPLE,
    READING_POSTS,
)
from config.tests.personas import WITHOUT_ACCESS, api_token_of, state, unenrolled
from core.api.access import ANY_TOKEN, Access
from core.api.routes import api_routes
from core.permissions import ADMIN, PERMISSIONS

pytestmark = pytest.mark.django_db

PLACE = r"{\1}"


@pytest.fixture
def stage(settings: Any) -> Stage:
    settings.RATE_LIMIT_SCALE = 1000
    return Stage()


def call(client: ApiClient, stage: Stage, operation: Operation) -> Any:
    return client.generic(operation.method, stage.path(operation), *stage.content(operation))


def test_every_operation_has_a_row() -> None:
    assert {str(operation) for operation in operations()} == MATRIX.keys()


def answers(stage: Stage, operation: Operation, tokens: dict[str, str | None]) -> dict[str, tuple[int, str]]:
    """Return status and code that each holder of a token gets; a refusal has changed nothing and sent nothing."""
    found = {}
    before = state()
    for name, token in tokens.items():
        client = ApiClient(token, raise_request_exception=False)
        with undone():
            response = call(client, stage, operation)
            code = response.json()["error"]["code"] if response.status_code >= 400 else ""
            found[name] = (response.status_code, code)
            assert response.status_code < 400 or state() == before, name
    return found


@pytest.mark.parametrize("operation", operations(), ids=str)
def test_each_person_gets_what_the_table_says(
    stage: Stage, stranger: User, moderator: User, admin: User, operation: Operation
) -> None:
    people: list[User | None] = [None, stage.target, stranger, moderator, admin]
    tokens = {
        name: None if user is None else access_token_of(create_session(user))
        for name, user in zip(PEOPLE, people, strict=True)
    }

    found = answers(stage, operation, tokens)

    statuses = {name: status for name, (status, _) in found.items()}
    assert statuses == dict(zip(PEOPLE, MATRIX[str(operation)], strict=True))


@pytest.mark.parametrize("operation", operations(), ids=str)
def test_whoever_s_credentials_serve_no_longer_gets_nothing(stage: Stage, operation: Operation) -> None:
    name = str(operation)
    found = answers(stage, operation, {holder: token() for holder, (_, token) in WITHOUT_ACCESS.items()})

    if name in BLIND_TO_TOKENS:
        assert {status for status, _ in found.values()} == {MATRIX[name][0]}
    else:
        assert found == {holder: (401, code) for holder, (code, _) in WITHOUT_ACCESS.items()}


@pytest.mark.parametrize("operation", operations(), ids=str)
def test_a_personal_access_token_opens_what_its_scopes_name(stage: Stage, admin: User, operation: Operation) -> None:
    own_things = ["read:resource", "write:resource", "delete:resource"]
    holders = {
        "read-only": (4, api_token_of(admin, *(name for name in PERMISSIONS if name.startswith("read:")))),
        "everything": (4, api_token_of(admin, ADMIN)),
        "own things": (1, api_token_of(stage.target, *own_things)),
    }

    found = answers(stage, operation, {name: token for name, (_, token) in holders.items()})

    name, scope = str(operation), scope_of(operation)
    let_in = {
        "read-only": (operation.method == "GET" or name in READING_POSTS or scope is ANY_TOKEN) and scope is not None,
        "everything": scope is not None,
        "own things": scope in {ANY_TOKEN, *own_things},
    }
    for holder, (column, _) in holders.items():
        blind = MATRIX[name][0] if name in BLIND_TO_TOKENS else 403
        inside = 404 if name in OF_THE_TOKEN_ITSELF else MATRIX[name][column]
        assert found[holder][0] == (inside if let_in[holder] else blind), holder


@pytest.mark.parametrize("operation", operations(), ids=str)
def test_who_has_to_enrol_a_second_factor_does_that_and_nothing_else(stage: Stage, operation: Operation) -> None:
    name = str(operation)

    ((status, code),) = answers(stage, operation, {"has to enrol": unenrolled()}).values()

    if name in BLIND_TO_TOKENS:
        assert status == MATRIX[name][0]
    elif name in BEFORE_ENROLLMENT:
        assert status == MATRIX[name][4]
    else:
        assert (status, code) == (403, "MFA_ENROLLMENT_REQUIRED")


def scope_of(operation: Operation) -> object:
    """Return what the operation declares; None where it is not for tokens."""
    name = str(operation)
    return None if name in NOT_FOR_TOKENS or "/api/v1/auth/" in name else declared_scopes()[name]


def test_operations_that_are_open_to_anyone_are_these() -> None:
    opened = {
        f"{method} {route.path}"
        for route in api_routes()
        if route.view is not None and hasattr(route.view, "access")
        for method, access in route.view.access.items()
        if access is Access.PUBLIC
    }

    assert opened == {
        "GET /api",
        "GET /api/v1/schema",
        "POST /api/v1/auth/oauth/<slug:provider>/authorize",
        "POST /api/v1/auth/oauth/<slug:provider>/callback",
        "GET /api/v1/resources",
        "GET /api/v1/resources/<uuid:resource_id>",
        "GET /api/v1/resources/aggregate",
        "GET /api/v1/files/<uuid:file_id>/image",
        "GET /api/v1/devices/web-push-key",
        "GET /api/v1/tags",
        "GET /api/v1/resources/<uuid:resource_id>/events",
        "GET /api/v1/resources/<uuid:resource_id>/comments",
        "GET /api/v1/resources/<uuid:resource_id>/comments/<uuid:comment_id>",
        "GET /api/v1/resources/<uuid:resource_id>/versions",
        "GET /api/v1/files/<uuid:file_id>",
        "GET /api/v1/files/<uuid:file_id>/content",
        "GET /api/v1/files/<uuid:file_id>/versions",
        "GET /api/v1/resources/<uuid:resource_id>/access",
        "GET /api/v1/shared/<slug:token>",
        "POST /api/v1/shared/<slug:token>",
        "GET /api/v1/unsubscribe/<str:subscription>",
        "POST /api/v1/unsubscribe/<str:subscription>",
        "POST /api/v1/webhooks/in/<slug:source>",
        "GET /api/v1/resources/<uuid:resource_id>/versions/<int:number>",
        "GET /api/v1/resources/<uuid:resource_id>/versions/<int:a>/diff/<int:b>",
    } | {name for name in BLIND_TO_TOKENS if "{" not in name}


def declared_scopes() -> dict[str, object]:
    return {
        f"{method} {PARAMETER.sub(PLACE, route.path)}": getattr(route.view, "token_scopes", {}).get(method)
        for route in api_routes()
        if hasattr(route.view, "access")
        for method in route.methods
    }


def test_every_operation_says_which_scope_lets_a_token_in_or_is_not_for_tokens() -> None:
    undeclared = {name for name, scope in declared_scopes().items() if scope is None}

    assert undeclared == NOT_FOR_TOKENS | {name for name in MATRIX if "/api/v1/auth/" in name}


def test_a_scope_is_a_permission_and_names_what_the_method_does() -> None:
    verbs = {"GET": ("read:",), "DELETE": ("delete:", ADMIN), "": ("write:", "delete:", "send:", ADMIN)}

    wrong = {
        name: scope
        for name, scope in declared_scopes().items()
        if isinstance(scope, str)
        and name not in READING_POSTS
        and not (scope in PERMISSIONS and scope.startswith(verbs.get(name.partition(" ")[0], verbs[""])))
    }

    assert wrong == {}


def test_who_has_not_confirmed_their_address_gets_no_token(anonymous: ApiClient, db: None) -> None:
    create_user(email="new@example.com", email_verified=False)
    before = state()

    response = anonymous.post("/api/v1/auth/login", {"email": "new@example.com", "password": PASSWORD})

    assert response.status_code == 403
    assert response.json()["error"]["code"] == "EMAIL_NOT_VERIFIED"
    assert state() == before
