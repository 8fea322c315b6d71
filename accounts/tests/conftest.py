"""Who else appears in the tests of accounts."""

import pytest

from accounts.models import Role, User
from accounts.tests.factories import create_user


@pytest.fixture
def editor(db: None) -> User:
    """Staff with every right over users but `admin`."""
    Role.objects.create(name="editor", permissions=["read:user", "write:user", "delete:user"])
    return create_user("editor", email="editor@example.com", name="Eddie Editor")
