"""Every page of the admin, as those who may open it and as those who may not, with few rows and with many."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count
from typing import Any, Final

import pytest
from django.contrib import admin as site
from django.db import connection, models, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import AccessOfUser, ApiToken, Connection, Impersonation, Passkey, Role, Session, Threat, User
from accounts.tests.factories import create_api_token_of, create_connection, create_session, create_user, start_stay
from core.events import publish
from core.jobs import create_job
from core.models import DeadLetter, Event, Job, OutboxRow, ScheduleRun
from core.permissions import SYSTEM, Caller
from core.queue import enqueue
from notifications import services
from notifications.models import (
    Alert,
    InboundWebhook,
    Message,
    MessageTemplate,
    Notification,
    NotificationPreferences,
    SuppressedAddress,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookSource,
)
from notifications.models.devices import Device
from notifications.services import webhooks
from notifications.services.message_templates import NewTemplate, create_template
from resources.models import Comment, FileVersion, Resource, ResourceType, SavedView, TypeIndex, Watch
from resources.tests.factories import attach, create_file, create_resource

BrowserOf = Callable[[User], Client]
MANY: Final = 30

_numbers = count(1)


def make_event() -> Event:
    with transaction.atomic():
        return publish("role.updated", subject=Role.objects.get(name="user"), actor=SYSTEM)


def make_dead_letter() -> DeadLetter:
    now = timezone.now()
    return DeadLetter.objects.create(
        outbox_id=next(_numbers),
        task="notifications.tasks.deliver",
        queue="notifications",
        attempts=8,
        reason="421 Try later",
        traceback="Traceback …",
        first_at=now,
    )


def make_outbox_row() -> OutboxRow:
    enqueue("notifications.tasks.deliver", message_id="00000000-0000-0000-0000-000000000000")
    return OutboxRow.objects.latest("id")


def make_schedule_run() -> ScheduleRun:
    due_at = timezone.now() - timedelta(minutes=next(_numbers))
    return ScheduleRun.objects.create(name="purge", due_at=due_at, outcome=ScheduleRun.SUCCEEDED)


def make_message() -> Message:
    message = services.send("account.welcome", to=create_user().pk)
    message.attempts.create(number=1, outcome="deferred", answer="421 Try later")
    return message


def make_notification() -> Notification:
    context = {"giver": "Ada", "resource": "March", "access": "viewer"}
    return Notification.objects.create(
        user=create_user(), kind="resource.shared", context=context, dedup_key=f"sweep-{next(_numbers)}"
    )


def make_wording() -> MessageTemplate:
    locale = f"de-{next(_numbers):04}"
    return create_template(
        actor=SYSTEM, new=NewTemplate("account.welcome", "email", locale, subject="Servus", text="Hi {{ name }}")
    )


def make_device() -> Device:
    number = next(_numbers)
    return Device.objects.create(
        user=create_user(),
        platform="fcm",
        address={"token": f"token-{number}"},
        address_digest=number.to_bytes(32),
        last_registered_at=timezone.now(),
    )


def make_passkey() -> Passkey:
    user = create_user()
    name = f"key-{next(_numbers)}"
    return Passkey.objects.create(
        user=user, name=name, credential_id=name, public_key=b"-", user_handle=name, aaguid=user.pk
    )


def make_file() -> FileVersion:
    owner = create_user()
    file = create_file(owner)
    attach(file, create_resource(owner).pk)
    return FileVersion.objects.get(file=file)


def make_comment() -> Comment:
    author = create_user()
    return Comment.objects.create(resource=create_resource(author), author=author, body="A remark")


def make_webhook_delivery() -> WebhookDelivery:
    delivery = WebhookDelivery.objects.create(
        endpoint=make_webhook(), event_id=create_user().pk, event_type="resource.created", body="{}", state="failed"
    )
    delivery.attempts.create(number=1, outcome="refused", status=500)
    return delivery


def make_source() -> WebhookSource:
    return WebhookSource.objects.create(key=f"source-{next(_numbers)}", name="A shop", scheme="hmac", secret="s")


def make_inbound() -> InboundWebhook:
    message = InboundWebhook.objects.create(source=make_source(), event_id="evt_1", body=b"{}", size=2)
    message.handlings.create(handler="a.handler", turn=1)
    return message


def make_webhook() -> WebhookEndpoint:
    return webhooks.create_endpoint(
        actor=Caller.of(create_user()), url="https://hooks.example.com/", events=["threat.*"]
    ).row


def make_type() -> ResourceType:
    return ResourceType.objects.create(key=f"type-{next(_numbers)}", name="A type")


MAKERS: Final[dict[type[models.Model], Callable[[], models.Model]]] = {
    User: create_user,
    Role: lambda: Role.objects.create(name=f"role-{next(_numbers)}", permissions=["read:user"]),
    AccessOfUser: lambda: AccessOfUser.objects.get(pk=create_user().pk),
    Impersonation: lambda: start_stay(create_user("admin"), create_user()).impersonation,
    Session: lambda: create_session(create_user()),
    ApiToken: lambda: create_api_token_of(create_user())[0],
    Connection: lambda: create_connection(create_user()),
    Passkey: make_passkey,
    Threat: lambda: Threat.objects.create(rule="mass_delete", user=create_user(), key="x", summary="Many deletions"),
    Message: make_message,
    Alert: lambda: Alert.objects.create(cause=f"cause-{next(_numbers)}", title="Trouble", text="Some"),
    MessageTemplate: make_wording,
    Device: make_device,
    SuppressedAddress: lambda: SuppressedAddress.objects.create(
        address=f"gone-{next(_numbers)}@example.com", reason="bounce"
    ),
    Notification: make_notification,
    NotificationPreferences: lambda: NotificationPreferences.objects.create(user=create_user()),
    WebhookSource: make_source,
    InboundWebhook: make_inbound,
    WebhookEndpoint: make_webhook,
    WebhookDelivery: make_webhook_delivery,
    Event: make_event,
    DeadLetter: make_dead_letter,
    Job: lambda: create_job("profile.export", actor=Caller.of(create_user())),
    OutboxRow: make_outbox_row,
    ScheduleRun: make_schedule_run,
    Resource: lambda: create_resource(create_user()),
    FileVersion: make_file,
    Comment: make_comment,
    Watch: lambda: Watch.objects.create(resource=create_resource(create_user()), user=create_user()),
    SavedView: lambda: SavedView.objects.create(owner=create_user(), name="Mine", filters={"owner": "me"}),
    TypeIndex: lambda: TypeIndex.objects.create(type=make_type(), path=["total"], measure="number"),
    ResourceType: make_type,
}


def registered() -> list[type[models.Model]]:
    return sorted(site.site._registry, key=lambda model: model._meta.label)


def url(model: type[models.Model], page: str, *arguments: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=arguments)


def list_addresses(browser: Client, model: type[models.Model]) -> Iterator[str]:
    """Yield the list, the list searched, and the list under each choice of each filter."""
    address = url(model, "changelist")
    yield address
    yield f"{address}?q=a"
    changes = context_of(browser, address)["cl"]
    for filter_ in changes.filter_specs:
        yield from (address + str(choice["query_string"]) for choice in filter_.choices(changes))


def context_of(browser: Client, address: str) -> dict[str, Any]:
    """Return what the page's template was given."""
    response: Any = browser.get(address)
    return dict(response.context_data)


def queries_of(browser: Client, address: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert browser.get(address).status_code == 200, address
    return len(queries)


def own_pages() -> Iterator[tuple[type[models.Model], str, str]]:
    """Yield model, name and route of every page beyond the five that Django gives each model."""
    standard = {"changelist", "add", "history", "delete", "change"}
    for model, page in site.site._registry.items():
        start = f"{model._meta.app_label}_{model._meta.model_name}_"
        for pattern in page.get_urls():
            if pattern.name and pattern.name.removeprefix(start) not in standard:
                yield model, pattern.name, str(pattern.pattern)


def test_every_page_of_our_own_is_open_to_staff_alone_and_fails_for_nobody(
    moderator: User, admin: User, browser_of: BrowserOf
) -> None:
    addresses = {
        name: reverse(f"admin:{name}", args=[MAKERS[model]().pk] if "<" in route else [])
        for model, name, route in own_pages()
    }
    assert "resources_resourcetype_check" in addresses
    by_admin, by_moderator = browser_of(admin), browser_of(moderator)

    for name, address in addresses.items():
        for browser, statuses in ((by_admin, {200, 302, 405}), (by_moderator, {200, 302, 403, 404, 405})):
            assert browser.get(address).status_code in statuses, name
            assert browser.post(address).status_code in statuses | {400, 404}, name
        for stranger in (Client().get(address), Client().post(address)):
            assert (stranger.status_code, stranger.headers["Location"][:14]) == (302, "/admin/login/?"), name


def test_every_page_has_its_rows_here() -> None:
    assert set(registered()) == set(MAKERS)


@pytest.mark.parametrize("model", registered(), ids=lambda model: model._meta.label)
def test_the_admin_opens_every_page(model: type[models.Model], admin: User, browser_of: BrowserOf) -> None:
    row = MAKERS[model]()
    browser = browser_of(admin)

    answers = {address: browser.get(address).status_code for address in list_addresses(browser, model)}
    add = browser.get(url(model, "add")).status_code
    change = browser.get(url(model, "change", row.pk)).status_code

    assert set(answers.values()) == {200}, answers
    assert (add in {200, 403}, change) == (True, 200)
    assert browser.get(url(model, "change", "nothing")).status_code == 302


@pytest.mark.parametrize("model", registered(), ids=lambda model: model._meta.label)
def test_a_moderator_opens_what_the_role_permits(
    model: type[models.Model], moderator: User, browser_of: BrowserOf
) -> None:
    row = MAKERS[model]()
    label = f"{model._meta.app_label}.view_{model._meta.model_name}"
    allowed = 200 if moderator.has_perm(label) else 403
    browser = browser_of(moderator)

    assert browser.get(url(model, "changelist")).status_code == allowed
    assert browser.get(url(model, "change", row.pk)).status_code == allowed
    assert browser.get(url(model, "add")).status_code in {allowed, 403}


@pytest.mark.parametrize("model", registered(), ids=lambda model: model._meta.label)
def test_a_list_of_many_rows_asks_as_little_as_a_list_of_one(
    model: type[models.Model], admin: User, browser_of: BrowserOf
) -> None:
    MAKERS[model]()
    browser = browser_of(admin)
    browser.get(url(model, "changelist"))
    few = queries_of(browser, url(model, "changelist"))

    for _ in range(MANY - 1):
        MAKERS[model]()

    assert queries_of(browser, url(model, "changelist")) == few
    assert few <= 12


def test_the_sidebar_leads_an_administrator_to_every_page(admin: User, browser_of: BrowserOf) -> None:
    page = browser_of(admin).get("/admin/").content.decode()

    assert [model for model in registered() if f'href="{url(model, "changelist")}"' not in page] == []
    assert "API tokens" in page


def test_strangers_and_plain_users_open_nothing(owner: User) -> None:
    for model in registered():
        response = Client().get(url(model, "changelist"))

        assert response.status_code == 302
        assert response.headers["Location"].startswith("/admin/login/")


def test_the_first_page_asks_a_fixed_handful(admin: User, browser_of: BrowserOf) -> None:
    browser = browser_of(admin)
    browser.get("/admin/")
    few = queries_of(browser, "/admin/")

    for make in MAKERS.values():
        for _ in range(5):
            make()

    assert queries_of(browser, "/admin/") == few
    assert few <= 16


def test_the_first_page_tells_a_moderator_nothing_of_operations(moderator: User, browser_of: BrowserOf) -> None:
    page = browser_of(moderator).get("/admin/").content.decode()

    assert "Sign-ups" in page
    for secret in ("Dead letters", "Failed mails", "Work behind the scenes", "Latest events"):
        assert secret not in page


def test_the_first_page_tells_what_went_wrong(admin: User, browser_of: BrowserOf) -> None:
    make_dead_letter()
    Message.objects.filter(pk=make_message().pk).update(state="failed")
    make_schedule_run()
    browser = browser_of(admin)

    cards = {card.title: (card.value, card.is_bad) for card in context_of(browser, "/admin/")["cards"]}

    assert cards["Dead letters"] == ("1", True)
    assert cards["Failed mails"] == ("1", True)
    assert "purge" in browser.get("/admin/").content.decode()
