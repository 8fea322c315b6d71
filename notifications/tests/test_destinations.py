from collections.abc import Callable
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
from pytest_django import Settings

from notifications import services
from notifications.models import Message
from notifications.tests.smtp import text_of

Drain = Callable[..., int]
LINK = "https://nook.example/verify-email?token=nkm_secret_0123456789"


def send_verification() -> Message:
    return services.send("account.verify_email", address="ada@example.com", context={"link": LINK})


def test_a_mail_folder_gets_one_file_for_each_mail(drain: Drain, settings: Settings, tmp_path: Path) -> None:
    settings.MAIL = {"scheme": "folder", "folder": str(tmp_path / "mails")}
    message = send_verification()
    drain()

    (file,) = (tmp_path / "mails").iterdir()
    mail = message_from_bytes(file.read_bytes(), policy=default)
    assert (file.suffix, mail["To"], mail["Message-ID"]) == (".eml", "ada@example.com", message.message_id)
    assert LINK in text_of(mail)


def test_a_mail_folder_that_cannot_be_written_is_tried_again(drain: Drain, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, not a folder")
    settings.MAIL = {"scheme": "folder", "folder": str(tmp_path / "taken")}
    message = send_verification()
    drain()

    message.refresh_from_db()
    assert (message.state, message.attempts.get().answer) == ("queued", "mail folder: File exists")


def test_the_console_shows_the_link_whole(drain: Drain, settings: Settings, capfd: pytest.CaptureFixture[str]) -> None:
    settings.MAIL = {"scheme": "console"}
    send_verification()
    drain()

    printed = capfd.readouterr().out
    assert "--- mail to ada@example.com: Confirm your e-mail address" in printed
    assert LINK in printed
