"""Going to a provider and back, for tests."""

from collections.abc import Callable
from http.cookies import SimpleCookie
from itertools import count
from typing import Any, TypeAlias

from django.test import Client

from accounts.tests.oidc_provider.process import ProviderProcess

CALLBACK = "https://app.example/oauth/callback"
OLIVE: dict[str, Any] = {"sub": "olive-1", "email": "owner@example.com", "email_verified": True, "name": "Olive Owner"}
NINA: dict[str, Any] = {"sub": "nina-1", "email": "nina@example.com", "email_verified": True, "name": "Nina New"}
TAMPERED: dict[str, Any] = {
    "sub": "mallory-1",
    "email": "owner@example.com",
    "email_verified": False,
    "name": "Mallory",
}
TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
TINA: dict[str, Any] = {"sub": "tina-1", "tid": TENANT, "email": "tina@example.com", "xms_edov": True, "name": "Tina"}
GIT: dict[str, Any] = {
    "id": 583231,
    "login": "octo",
    "name": "Octo Cat",
    "emails": [
        {"email": "old@example.com", "primary": False, "verified": True},
        {"email": "octo@example.com", "primary": True, "verified": True},
    ],
}
PEOPLE = {"olive": OLIVE, "nina": NINA, "mallory": TAMPERED, "tina": TINA, "octo": GIT}

ClientOf: TypeAlias = Callable[[Any], Client]
_numbers = count(1)


class Browser(Client):
    """Another browser than the test's, at an address of its own, signed in by a token or not at all."""

    def __init__(self, token: str | None = None) -> None:
        number = next(_numbers)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        super().__init__(headers=headers, REMOTE_ADDR=f"10.80.{number // 250 % 250}.{number % 250 + 1}")

    def post(self, path: str, data: Any = None, content_type: str = "application/json", **more: Any) -> Any:  # type: ignore[override]  # JSON by default
        return super().post(path, data, content_type, **more)


def authorize(client: Client, provider: str = "acme", **body: Any) -> Any:
    """Return the answer to the beginning of a flow."""
    return client.post(f"/api/v1/auth/oauth/{provider}/authorize", {"redirect_uri": CALLBACK, **body})


def come_back(client: Client, given: dict[str, str], provider: str = "acme", **body: Any) -> Any:
    """Return the answer to what the provider sent back."""
    return client.post(f"/api/v1/auth/oauth/{provider}/callback", {**given, **body})


def go(process: ProviderProcess, client: Client, person: str, provider: str = "acme") -> dict[str, str]:
    """Begin a flow, sign in at the provider, and return what it sends back."""
    answer = authorize(client, provider)
    assert answer.status_code == 200, answer.content
    return process.visit(answer.json()["data"]["authorization_url"], person)


def sign_in_with(process: ProviderProcess, client: Client, person: str, provider: str = "acme", **body: Any) -> Any:
    """Return the answer to a whole way there and back."""
    return come_back(client, go(process, client, person, provider), provider, **body)


def cookies_of(client: Client) -> SimpleCookie:
    """Return a copy of what the client's browser holds."""
    return SimpleCookie({name: morsel.value for name, morsel in client.cookies.items()})
