"""Who else appears in the tests of accounts."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from accounts.models import Role, User
from accounts.tests.factories import create_user
from accounts.tests.oidc_provider.process import ProviderProcess
from accounts.tests.social import PEOPLE


@pytest.fixture
def editor(db: None) -> User:
    """Staff with every right over users but `admin`."""
    Role.objects.create(name="editor", permissions=["read:user", "write:user", "delete:user"])
    return create_user("editor", email="editor@example.com", name="Eddie Editor")


@pytest.fixture(scope="session")
def provider_process() -> Iterator[ProviderProcess]:
    """One provider for all tests; `provider` sets it right for each."""
    process = ProviderProcess()
    yield process
    process.stop()


@pytest.fixture
def provider(provider_process: ProviderProcess, settings: Settings) -> ProviderProcess:
    """A provider that does everything right, known as `acme`, `microsoft` and `github`."""
    know(provider_process, settings)
    provider_process.behave(people=PEOPLE)
    return provider_process


@pytest.fixture
def own_provider(settings: Settings) -> Iterator[ProviderProcess]:
    """A provider of this test alone, to freeze and to stop."""
    process = ProviderProcess()
    know(process, settings)
    process.behave(people=PEOPLE)
    yield process
    process.stop()


def know(process: ProviderProcess, settings: Settings) -> None:
    """Set the server up for the provider's flavours; its host is on this machine, so it has to be allowed by name."""
    settings.OAUTH_PROVIDERS = process.providers()
    settings.OUTBOUND_ALLOWED_HOSTS = [process.host]
