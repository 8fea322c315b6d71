"""`manage.py smoke`, against a server of our own on a real socket."""

from email.message import EmailMessage
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Session, User
from accounts.tests.factories import PASSWORD, create_user
from accounts.tests.mfa import give_phone
from core.management.commands.smoke import mail_reader
from resources.models import Resource


@pytest.fixture
def administrator(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> User:
    """An administrator whom the command may use."""
    user = create_user("admin", email="operator@example.com")
    monkeypatch.setenv("SMOKE_ADMIN_EMAIL", user.email)
    monkeypatch.setenv("SMOKE_ADMIN_PASSWORD", PASSWORD)
    return user


def test_an_administrator_with_two_factor_sign_in_gives_the_secret_of_the_app(
    server_url: str, administrator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMOKE_ADMIN_TOTP_SECRET", give_phone(administrator).secret)

    call_command("smoke", base_url=server_url, stdout=StringIO())

    assert Session.objects.get(user=administrator).amr == ["pwd", "otp", "mfa"]


def test_it_goes_the_whole_way_and_leaves_nothing_behind(server_url: str, administrator: User) -> None:
    told = StringIO()

    call_command("smoke", base_url=server_url, stdout=told)

    *steps, last = told.getvalue().splitlines()
    assert [line[6:].rsplit(None, 2)[0].strip() for line in steps] == [
        "health",
        "sign in as administrator",
        "register",
        "find the account",
        "confirm the address",
        "sign in",
        "who am I",
        "refresh the tokens",
        "create a resource",
        "read it",
        "list and filter",
        "change it",
        "refuse a stale change",
        "delete it",
        "restore it",
        "destroy it",
        "sign out",
        "delete the account",
    ]
    assert last.startswith(f"{server_url} works: the whole way took ")
    assert Resource.all_objects.count() == 0
    assert list(User.objects.all()) == [administrator]


def test_a_refused_step_is_one_line_and_nothing_is_left(
    server_url: str, administrator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMOKE_ADMIN_PASSWORD", "not the password")

    with pytest.raises(CommandError, match=r"^FAIL  sign in as administrator: POST \S+: expected 200, got 401"):
        call_command("smoke", base_url=server_url, stdout=StringIO())

    assert list(User.objects.all()) == [administrator]


def test_what_was_made_before_a_failure_is_deleted(server_url: str, administrator: User, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"^FAIL  confirm the address: no mail to smoke-\w+@smoke.nook.example in "):
        call_command("smoke", base_url=server_url, mail_folder=tmp_path, mail_seconds=0.1, stdout=StringIO())

    assert list(User.objects.all()) == [administrator]


def test_a_server_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMOKE_ADMIN_EMAIL", "operator@example.com")
    monkeypatch.setenv("SMOKE_ADMIN_PASSWORD", PASSWORD)

    with pytest.raises(CommandError, match=r"^FAIL  health: GET /health/ready: no answer: "):
        call_command("smoke", base_url="http://127.0.0.1:9", stdout=StringIO())


def test_without_an_administrator_it_does_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SMOKE_ADMIN_EMAIL", raising=False)

    with pytest.raises(CommandError, match=r"^Give SMOKE_ADMIN_EMAIL and SMOKE_ADMIN_PASSWORD"):
        call_command("smoke", base_url="http://127.0.0.1:9")


@pytest.mark.parametrize("address", ["api.example.com", "ftp://api.example.com", "https://api.example.com/api/v1"])
def test_an_address_that_is_none_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMOKE_ADMIN_EMAIL", "operator@example.com")
    monkeypatch.setenv("SMOKE_ADMIN_PASSWORD", PASSWORD)

    with pytest.raises(CommandError, match=r"^FAIL  --base-url must be like https://api.example.com, not "):
        call_command("smoke", base_url=address)


def test_the_token_is_read_from_the_mail_to_the_right_address(tmp_path: Path) -> None:
    for number, address in enumerate(("other@example.com", "ada@example.com")):
        mail = EmailMessage()
        mail["To"] = address
        mail.set_content(f"https://nook.example/verify-email?token=nkm_{'x' * 80}{number}\n")
        (tmp_path / f"{number}.eml").write_bytes(mail.as_bytes())

    assert mail_reader(tmp_path, seconds=1)("ada@example.com") == f"nkm_{'x' * 80}1"
