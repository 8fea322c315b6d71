"""`manage.py createsuperuser` makes the first administrator."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import User
from accounts.tests.factories import PASSWORD
from core.tests.spine import Events


def create(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    """Run the command with these variables and return what it said."""
    for name in ("EMAIL", "PASSWORD", "NAME"):
        monkeypatch.delenv(f"DJANGO_SUPERUSER_{name}", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(f"DJANGO_SUPERUSER_{name}", value)
    output = StringIO()
    call_command("createsuperuser", "--noinput", stdout=output)
    return output.getvalue()


def test_it_makes_an_administrator_who_can_sign_in(
    db: None, monkeypatch: pytest.MonkeyPatch, anonymous: Client, events: Events
) -> None:
    said = create(monkeypatch, EMAIL="Root@Example.com", PASSWORD=PASSWORD, NAME="Root")

    answer = anonymous.post("/api/v1/auth/login", {"email": "root@example.com", "password": PASSWORD})

    assert said == "root@example.com may do everything.\n"
    assert answer.json()["data"]["user"]["role"] == "admin"
    assert [event.actor for event in events("user.created")] == [None]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"PASSWORD": PASSWORD}, "DJANGO_SUPERUSER_EMAIL is missing."),
        ({"EMAIL": "root@example.com"}, "DJANGO_SUPERUSER_PASSWORD is missing."),
        ({"EMAIL": "root", "PASSWORD": PASSWORD}, "Enter a valid email address."),
        (
            {"EMAIL": "root@example.com", "PASSWORD": "short"},
            "This password is too short. It must contain at least 10 characters.",
        ),
        ({"EMAIL": "owner@example.com", "PASSWORD": PASSWORD}, "This address belongs to an account already."),
    ],
    ids=["no-email", "no-password", "no-address", "weak-password", "taken"],
)
def test_it_says_in_one_line_what_is_wrong(
    owner: User, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], message: str
) -> None:
    with pytest.raises(CommandError, match=message.replace(".", r"\.")):
        create(monkeypatch, **variables)

    assert User.all_objects.count() == 1
