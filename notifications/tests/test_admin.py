from collections.abc import Callable
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.test import Client
from pytest_django import Settings

from core.models import OutboxRow
from notifications import services
from notifications.models import Message
from notifications.tests.smtp import SmtpSink

BrowserOf = Callable[[Any], Client]
Drain = Callable[..., int]
LIST = "/admin/notifications/message/"
LINK = "https://nook.example/verify-email?token=nkm_secret_0123456789"


def verification() -> Message:
    return services.send("account.verify_email", address="ada@example.com", context={"link": LINK})


def page_of(browser: Client, message: Message) -> str:
    return browser.get(f"{LIST}{message.pk}/change/").content.decode()


def send_again(browser: Client, *messages: Message) -> Any:
    chosen = [str(message.pk) for message in messages]
    return browser.post(LIST, {"action": "send_again", "_selected_action": chosen}, follow=True)


def test_in_development_the_mail_is_read_here_with_its_link(
    admin: AbstractBaseUser, browser_of: BrowserOf, settings: Settings
) -> None:
    settings.ADMIN_SHOWS_MAIL_SECRETS = True

    page = page_of(browser_of(admin), verification())

    assert f'<a class="nook-button" href="{LINK}"' in page
    assert "Confirm your e-mail address" in page


def test_elsewhere_the_secret_of_the_link_is_masked(admin: AbstractBaseUser, browser_of: BrowserOf) -> None:
    page = page_of(browser_of(admin), verification())

    assert "https://nook.example/verify-email?token=••••••••" in page
    assert "nkm_secret" not in page


def test_markup_in_a_mail_stays_text(admin: AbstractBaseUser, browser_of: BrowserOf) -> None:
    message = services.send("account.welcome", address="ada@example.com", name="<script>alert(1)</script>")

    page = page_of(browser_of(admin), message)

    assert "<script>alert(1)" not in page
    assert "Hello &lt;script&gt;alert(1)&lt;/script&gt;," in page


def test_only_the_role_admin_reads_the_text(moderator: Any, browser_of: BrowserOf, settings: Settings) -> None:
    settings.ADMIN_SHOWS_MAIL_SECRETS = True
    moderator.role.permissions = ["read:user", "send:notification"]
    moderator.role.save()

    page = page_of(browser_of(moderator), verification())

    assert "The text of a message is shown to the role admin only." in page
    assert "nkm_secret" not in page


def test_a_moderator_sees_no_messages(moderator: AbstractBaseUser, browser_of: BrowserOf) -> None:
    message = verification()
    browser = browser_of(moderator)

    assert browser.get(LIST).status_code == 403
    assert browser.get(f"{LIST}{message.pk}/change/").status_code == 403


def test_a_failed_mail_is_sent_again(
    admin: AbstractBaseUser,
    browser_of: BrowserOf,
    drain: Drain,
    smtp_sink: SmtpSink,
    events: Callable[..., Any],
) -> None:
    smtp_sink.answers_to_rcpt.append("550 5.1.1 No such user")
    message = verification()
    drain()

    response = send_again(browser_of(admin), message)
    drain()

    assert "1 of 1 messages queued again." in response.content.decode()
    assert len(smtp_sink.to("ada@example.com")) == 1
    message.refresh_from_db()
    assert (message.state, message.attempts.count()) == ("sent", 2)
    (event,) = events("notification.resent")
    assert (event.actor, event.subject_id) == (admin.pk, str(message.pk))
    assert event.payload == {
        "kind": "account.verify_email",
        "before": {"state": "failed"},
        "after": {"state": "queued"},
    }


def test_a_mail_that_is_under_way_is_left_alone(
    admin: AbstractBaseUser, browser_of: BrowserOf, events: Callable[..., Any]
) -> None:
    message = verification()

    response = send_again(browser_of(admin), message)

    page = response.content.decode()
    assert "0 of 1 messages queued again." in page
    assert "Messages that are under way already were left alone." in page
    assert OutboxRow.objects.filter(task="notifications.tasks.deliver").count() == 1
    assert events("notification.resent") == []


def test_messages_cannot_be_added_changed_or_deleted(admin: AbstractBaseUser, browser_of: BrowserOf) -> None:
    message = verification()
    browser = browser_of(admin)

    assert browser.get(f"{LIST}add/").status_code == 403
    assert browser.post(f"{LIST}{message.pk}/change/", {"address": "eve@example.com"}).status_code == 403
    assert browser.post(f"{LIST}{message.pk}/delete/", {"post": "yes"}).status_code == 403
    message.refresh_from_db()
    assert message.address == "ada@example.com"


def test_a_message_is_found_by_address_and_state(admin: AbstractBaseUser, browser_of: BrowserOf) -> None:
    verification()
    services.send("account.welcome", address="grace@example.com")
    browser = browser_of(admin)

    found = browser.get(LIST, {"q": "ada@example.com"}).content.decode()
    failed = browser.get(LIST, {"state": "failed"}).content.decode()

    assert ("ada@example.com" in found, "grace@example.com" in found) == (True, False)
    assert "ada@example.com" not in failed
