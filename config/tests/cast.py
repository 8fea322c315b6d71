"""The pytest plugin that gives every test its cast: four people, and API clients in sessions of theirs."""

from collections.abc import Callable
from random import SystemRandom
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from accounts.tests.factories import PASSWORD, access_token_of, create_session, create_user

randrange = SystemRandom().randrange


class ApiClient(Client):
    """Django's test client, speaking JSON, with an optional bearer token, from an address of its own.

    Rate limits count by address; no test shall be refused for what another one has done.
    """

    def __init__(self, token: str | None = None, **options: Any) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        address = f"10.{randrange(256)}.{randrange(256)}.{randrange(1, 255)}"
        super().__init__(headers=headers, **{"REMOTE_ADDR": address, **options})

    def post(self, path: str, data: Any = None, content_type: str = "application/json", **extra: Any) -> Any:  # type: ignore[override]  # JSON by default
        return super().post(path, {} if data is None else data, content_type, **extra)

    def put(self, path: str, data: Any = None, content_type: str = "application/json", **extra: Any) -> Any:  # type: ignore[override]  # as above
        return super().put(path, {} if data is None else data, content_type, **extra)

    def patch(self, path: str, data: Any = None, content_type: str = "application/json", **extra: Any) -> Any:  # type: ignore[override]  # as above
        return super().patch(path, {} if data is None else data, content_type, **extra)


@pytest.fixture
def anonymous() -> ApiClient:
    """An API client without a token."""
    return ApiClient()


@pytest.fixture
def owner(db: None) -> User:
    """A plain user, who owns what the test is about."""
    return create_user(email="owner@example.com", name="Olive Owner")


@pytest.fixture
def stranger(db: None) -> User:
    """A plain user, who has nothing to do with the owner's things."""
    return create_user(email="stranger@example.com", name="Sam Stranger")


@pytest.fixture
def moderator(db: None) -> User:
    """Staff with the rights of the role `moderator`."""
    return create_user("moderator", email="moderator@example.com", name="Mo Moderator")


@pytest.fixture
def admin(db: None) -> User:
    """Staff with every right."""
    return create_user("admin", email="admin@example.com", name="Ada Admin")


@pytest.fixture
def sessions_read_once(settings: Settings) -> None:
    """Where statements are counted, it shall not matter which request happens to read the caller's session anew."""
    settings.AUTHENTICATION_SNAPSHOT_SECONDS = 3600


@pytest.fixture
def client_of() -> Callable[[User], ApiClient]:
    """`client_of(user)`: an API client in a new session of that user."""
    return lambda user: ApiClient(access_token_of(create_session(user)))


@pytest.fixture
def browser_of() -> Callable[[User], Client]:
    """`browser_of(user)`: a browser in which that person has signed in to the admin."""

    def sign_in(user: User) -> Client:
        browser = Client()
        response = browser.post("/admin/login/", {"username": user.email, "password": PASSWORD})
        assert response.status_code == 302, response.content.decode()
        return browser

    return sign_in
