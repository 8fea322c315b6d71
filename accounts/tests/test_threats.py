"""Threat rules: what is seen on the event log, whom it is told, and how often."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from accounts.checks import check_countries
from accounts.models import KnownDevice, Session, Threat, User
from accounts.services import threats
from accounts.services.refreshing import refresh_session
from accounts.services.threats import Finding, look_for_masses, purge_threats, review_threats, threat_rule
from accounts.tests.answers import kinds_sent_to, tokens_of, variables_of
from accounts.tests.factories import PASSWORD
from accounts.tests.mfa import give_phone, mfa_token_of, verify
from accounts.tests.mmdb import write_countries
from accounts.tests.passkeys import passkey_of, sign_in_by
from accounts.tests.test_refresh import leave_grace
from accounts.tests.test_sign_in_throttle import attempt
from core import events as log
from core.events import publish
from core.models import Event, EventDelivery, OutboxRow
from core.permissions import Caller
from notifications.models import Message

Drain = Callable[..., int]

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture(autouse=True)
def _no_limits(settings: Any) -> None:
    settings.RATE_LIMIT_SCALE = 1000


def from_device(ip: str, agent: str = "curl/8") -> Client:
    return Client(REMOTE_ADDR=ip, headers={"User-Agent": agent})


def sign_in_from(ip: str, user: User, agent: str = "curl/8") -> Client:
    """Sign the user in on a device of their own there; return the device."""
    client = from_device(ip, agent)
    sign_in_with(client, user)
    return client


def sign_in_with(client: Client, user: User) -> None:
    body = {"email": user.email, "password": PASSWORD}
    assert client.post("/api/v1/auth/login", body, "application/json").status_code == 200


def delete_resources(user: User, number: int) -> None:
    with transaction.atomic():
        for _ in range(number):
            publish("resource.deleted", subject=None, actor=Caller.of(user))


def told(address: str) -> list[str]:
    return [kind for kind in kinds_sent_to(address) if kind != "account.welcome"]


def test_the_first_sign_in_of_an_account_is_no_news(owner: User, drain: Drain) -> None:
    sign_in_from("81.2.69.142", owner)
    drain()

    assert told(owner.email) == []
    assert not Threat.objects.exists()


def test_the_owner_hears_of_a_device_that_is_not_known(owner: User, admin: User, drain: Drain) -> None:
    sign_in_from("81.2.69.142", owner)
    sign_in_from("203.0.113.9", owner, FIREFOX)
    drain()

    message = Message.objects.get(address=owner.email)
    moment = Session.objects.latest("created_at").created_at
    assert message.kind == "account.new_device"
    assert variables_of(message) == {
        "device": "Firefox on Linux",
        "ip": "203.0.113.9",
        "time": f"{moment:%d %B %Y, %H:%M} UTC",
    }
    assert Threat.objects.get().rule == "new_device"
    assert told(admin.email) == []


def test_each_new_device_is_told_of(owner: User, drain: Drain) -> None:
    sign_in_from("81.2.69.142", owner)
    for number in range(1, 4):
        sign_in_from(f"203.0.113.{number}", owner)
    drain()

    assert told(owner.email) == ["account.new_device"] * 3


def test_a_known_device_is_no_news_wherever_it_is(owner: User, drain: Drain) -> None:
    sign_in_from("81.2.69.142", owner)
    phone = sign_in_from("203.0.113.9", owner, FIREFOX)
    drain()
    Message.objects.all().delete()

    phone.defaults["REMOTE_ADDR"] = "198.51.100.7"
    sign_in_with(phone, owner)
    drain()

    assert KnownDevice.objects.count() == 2
    assert told(owner.email) == []


def test_an_app_without_cookies_is_known_where_it_has_been(owner: User, drain: Drain) -> None:
    for _ in range(3):
        sign_in_from("81.2.69.142", owner, "NookApp/1.0 okhttp")
    drain()

    assert told(owner.email) == []


def test_an_event_that_comes_again_tells_nobody_twice(owner: User, drain: Drain) -> None:
    sign_in_from("81.2.69.142", owner)
    sign_in_from("203.0.113.9", owner)
    drain()

    event = Event.objects.filter(type="session.created").latest("seq")
    EventDelivery.objects.all().delete()
    log.promise(event.id, ["threats.new_device"])
    drain()

    assert told(owner.email) == ["account.new_device"]
    assert Event.objects.filter(type="threat.detected").count() == 1


@pytest.fixture
def countries(settings: Any, tmp_path: Path) -> None:
    """A file in which 81/8 is in Great Britain, 5/8 in Germany; the rest nobody knows."""
    path = write_countries(tmp_path / "countries.mmdb", {"81.0.0.0/8": "GB", "5.0.0.0/8": "DE"})
    settings.GEOIP_DATABASE = str(path)


@pytest.mark.usefixtures("countries")
def test_a_sign_in_from_a_new_country_is_told_to_owner_and_staff(owner: User, admin: User, drain: Drain) -> None:
    device = sign_in_from("81.2.69.142", owner)
    device.defaults["REMOTE_ADDR"] = "5.9.0.1"
    sign_in_with(device, owner)
    drain()

    threat = Threat.objects.get(rule="new_country")
    assert threat.evidence["country"] == "DE"
    assert told(owner.email) == ["account.unusual_activity"]
    assert told(admin.email) == ["ops.alert"]
    alert = Message.objects.get(address=admin.email)
    assert variables_of(alert)["link"] == f"https://nook.example/admin/accounts/threat/{threat.pk}/change/"


@pytest.mark.usefixtures("countries")
def test_neither_the_same_country_nor_an_unknown_one_is_new(owner: User, drain: Drain) -> None:
    device = sign_in_from("81.2.69.142", owner)
    for ip in ("81.200.0.1", "192.0.2.7", "81.2.69.142"):
        device.defaults["REMOTE_ADDR"] = ip
        sign_in_with(device, owner)
    drain()

    assert not Threat.objects.exists()


@pytest.mark.usefixtures("countries")
def test_the_notice_of_a_new_device_names_the_country(owner: User, drain: Drain) -> None:
    sign_in_from("81.2.69.142", owner)
    sign_in_from("81.99.0.1", owner, FIREFOX)
    drain()

    assert variables_of(Message.objects.get(address=owner.email))["country"] == "GB"


def test_without_a_file_no_country_is_new(owner: User, drain: Drain) -> None:
    device = sign_in_from("81.2.69.142", owner)
    device.defaults["REMOTE_ADDR"] = "5.9.0.1"
    sign_in_with(device, owner)
    drain()

    assert not Threat.objects.exists()


def test_a_file_that_is_none_is_said_at_the_start(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "text.mmdb").write_text("no database")
    found = []
    for name in ("text.mmdb", "missing.mmdb"):
        settings.GEOIP_DATABASE = str(tmp_path / name)
        found += [error.id for error in check_countries(None)]

    settings.GEOIP_DATABASE = ""
    assert found == ["nook.E142"] * 2
    assert check_countries(None) == []


def test_many_wrong_passwords_are_told_to_owner_and_staff_once(owner: User, admin: User, drain: Drain) -> None:
    for _ in range(8):
        attempt(owner.email)
    drain()

    event = Event.objects.get(type="user.sign_in_blocked")
    assert event.ip == variables_of(Message.objects.get(address=owner.email))["ip"]
    assert str(event.ip).startswith("10.20.")
    assert told(owner.email) == ["account.locked"]
    assert told(admin.email) == ["ops.alert"]
    assert Threat.objects.get().rule == "sign_in_failures"


def test_four_wrong_passwords_are_no_news(owner: User, drain: Drain) -> None:
    for _ in range(4):
        attempt(owner.email)
    drain()

    assert not Event.objects.filter(type="user.sign_in_blocked").exists()


def test_wrong_passwords_for_nobody_leave_nothing_behind(admin: User, drain: Drain) -> None:
    for _ in range(7):
        attempt("nobody@example.com")
    waiting = OutboxRow.objects.count()
    drain()

    assert waiting == 1
    assert OutboxRow.objects.count() == 0
    assert Event.objects.count() == 0
    assert Message.objects.count() == 0


def test_a_known_and_an_unknown_address_promise_the_same_work(owner: User) -> None:
    counts = []
    for email in (owner.email, "nobody@example.com"):
        before = OutboxRow.objects.count()
        for _ in range(5):
            attempt(email)
        counts.append(OutboxRow.objects.count() - before)

    assert counts == [1, 1]


def test_many_wrong_second_factors_are_told(owner: User, admin: User, anonymous: Client, drain: Drain) -> None:
    give_phone(owner)
    token = mfa_token_of(anonymous, owner)
    for _ in range(5):
        verify(anonymous, token, "000000")
    drain()

    assert told(owner.email) == ["account.unusual_activity"]
    assert told(admin.email) == ["ops.alert"]
    assert Threat.objects.get(rule="second_factor_failures").evidence["failures"] == 5


def test_a_refresh_token_used_twice_is_told_to_staff(owner: User, admin: User, anonymous: Client, drain: Drain) -> None:
    token = tokens_of(anonymous, owner)["refresh_token"]
    refresh_session(refresh_token=token)
    leave_grace()
    anonymous.post("/api/v1/auth/refresh-token", {"refresh_token": token})
    drain()

    assert told(owner.email) == ["account.token_reuse"]
    assert told(admin.email) == ["ops.alert"]


def test_a_copied_passkey_is_told(owner: User, admin: User, anonymous: Client, drain: Drain) -> None:
    authenticator = passkey_of(owner, sign_count=7)
    sign_in_by(anonymous, authenticator)
    drain()

    assert told(owner.email) == ["account.mfa_changed", "account.unusual_activity"]
    assert told(admin.email) == ["ops.alert"]


def test_who_deletes_much_is_told_of_once(owner: User, admin: User, settings: Any, drain: Drain) -> None:
    settings.THREAT_DELETIONS_PER_HOUR = 3
    delete_resources(owner, 3)
    before = look_for_masses()
    delete_resources(owner, 1)

    found = [look_for_masses() for _ in range(3)]
    delete_resources(owner, 1)
    look_for_masses()
    drain()

    threat = Threat.objects.get()
    assert (before, found) == (0, [1, 0, 0])
    assert (threat.rule, threat.user, threat.count) == ("mass_delete", owner, 2)
    assert threat.evidence == {"number": 5, "most": 3}
    assert told(owner.email) == ["account.unusual_activity"]
    assert told(admin.email) == ["ops.alert"]


def test_who_exports_much_is_told_of(owner: User, settings: Any) -> None:
    settings.THREAT_EXPORTS_PER_HOUR = 1
    with transaction.atomic():
        for kind in ("accounts.profile_export", "resources.export", "resources.import"):
            publish("job.created", subject=None, actor=Caller.of(owner), data={"kind": kind})

    look_for_masses()

    assert Threat.objects.get().evidence == {"number": 2, "most": 1}


def test_nought_switches_a_mass_rule_off(owner: User, settings: Any) -> None:
    settings.THREAT_DELETIONS_PER_HOUR = 0
    delete_resources(owner, 5)

    assert look_for_masses() == 0


def test_a_rule_of_an_adopter_s_own(owner: User, admin: User, drain: Drain, request: Any) -> None:
    request.addfinalizer(lambda: (threats.RULES.pop("odd"), log.SUBSCRIBERS.pop("threats.odd")))

    @threat_rule("odd", "An odd deletion", "resource.deleted")
    def odd(event: Event) -> Finding | None:
        return Finding(event.actor, "Something odd was deleted.", {"event": str(event.id)}) if event.actor else None

    delete_resources(owner, 2)
    drain()

    assert Threat.objects.get().count == 2
    assert variables_of(Message.objects.get(address=owner.email))["title"] == "An odd deletion"
    with pytest.raises(ValueError, match="'odd'"):
        threat_rule("odd", "Again", "resource.deleted")(odd)


def test_of_a_user_who_is_gone_nobody_is_told(owner: User, admin: User, settings: Any) -> None:
    settings.THREAT_DELETIONS_PER_HOUR = 1
    delete_resources(owner, 3)
    owner.deleted_at = datetime.now(UTC)
    owner.save(update_fields=["deleted_at"])

    assert look_for_masses() == 0
    assert Message.objects.count() == 0


def make_threat(user: User, **fields: Any) -> Threat:
    return Threat.objects.create(
        **{"rule": "mass_delete", "user": user, "key": "x", "summary": "Many deletions", **fields}
    )


def test_staff_mark_threats_as_reviewed(owner: User, admin: User, browser_of: Callable[[User], Client]) -> None:
    threat = make_threat(owner)
    action = {"action": "mark_as_reviewed", "_selected_action": [str(threat.pk)]}

    page = browser_of(admin).post("/admin/accounts/threat/", action, follow=True)

    threat.refresh_from_db()
    assert "1 threats marked as reviewed" in page.content.decode()
    assert threat.reviewed_by == admin
    assert Event.objects.get(type="threat.reviewed").actor == admin.pk
    assert review_threats(ids=[threat.pk], actor=Caller.of(admin)) == 0


def test_threats_are_for_auditors(owner: User, moderator: User, browser_of: Callable[[User], Client]) -> None:
    threat = make_threat(owner)

    assert browser_of(moderator).get(f"/admin/accounts/threat/{threat.pk}/change/").status_code == 403


def test_threats_of_last_year_are_purged(owner: User) -> None:
    make_threat(owner, last_seen_at=datetime.now(UTC) - timedelta(days=366))
    kept = make_threat(owner, key="y")

    assert purge_threats() == 1
    assert Threat.objects.get() == kept
