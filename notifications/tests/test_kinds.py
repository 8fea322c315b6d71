"""A kind and a channel of an app of one's own: the files of docs/notifications.md, run as they stand there."""

import importlib
import re
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client
from pytest_django import Settings

from core.tests.spine import Drain
from notifications.channels import CHANNELS, Channel, register_channel
from notifications.channels.sms import send
from notifications.kinds import KINDS, Kind, register_kind
from notifications.models import Message
from notifications.tests.receiver import Receiver, Reply
from notifications.tests.smtp import SmtpSink, html_of, text_of

MODULE = re.compile(r"^```python\n# (?P<path>bookmarks/\w+\.py)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
TEMPLATE = re.compile(r"^```django\n(?P<code>\{# (?P<path>\S+) #\}.*?)^```$", re.MULTILINE | re.DOTALL)
URL = "https://gone.example"
NUMBER = "+436641234567"


@pytest.fixture
def bookmarks(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> Iterator[Any]:
    """The page's app, installed; returns its services."""
    page = (Path(django_settings.BASE_DIR) / "docs" / "notifications.md").read_text(encoding="utf-8")
    modules = {found["path"]: found["code"] for found in MODULE.finditer(page)}
    templates = {f"templates/{found['path']}": found["code"] for found in TEMPLATE.finditer(page)}
    assert (len(modules), len(templates)) == (3, 4)
    for name, content in (modules | templates | {"bookmarks/__init__.py": ""}).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    engine = settings.TEMPLATES[0]
    settings.TEMPLATES = [{**engine, "DIRS": [*engine["DIRS"], tmp_path / "templates"]}]
    settings.OUTBOUND_ALLOWED_HOSTS = [receiver.place]
    monkeypatch.setenv("PAGER_URL", receiver.url)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("bookmarks.kinds")
    yield importlib.import_module("bookmarks.services")
    del KINDS["bookmark.dead"], CHANNELS["pager"]
    for name in [name for name in sys.modules if name.partition(".")[0] == "bookmarks"]:
        del sys.modules[name]


def with_number(user: Any) -> Any:
    type(user).objects.filter(pk=user.pk).update(phone=NUMBER, phone_verified=True)
    return user


def test_they_tell_like_ours(
    bookmarks: Any,
    owner: Any,
    client_of: Callable[[Any], Client],
    drain: Drain,
    smtp_sink: SmtpSink,
    receiver: Receiver,
) -> None:
    for _ in range(2):
        bookmarks.tell_of_dead_link(with_number(owner).pk, URL)
    drain()

    client = client_of(owner)
    (row,) = client.get("/api/v1/notifications").json()["data"]
    deliveries = client.get(f"/api/v1/notifications/{row['id']}/deliveries").json()["data"]
    assert (row["kind"], row["title"]) == ("bookmark.dead", f"{URL} is gone")
    assert smtp_sink.mails[0]["Subject"] == f"{URL} is gone"
    assert text_of(smtp_sink.mails[0]).startswith(f"Hello Olive Owner, {URL} leads nowhere.")
    assert f"<b>{URL}</b>" in html_of(smtp_sink.mails[0])
    assert [received.json for received in receiver.messages] == [{"to": NUMBER, "text": f"{URL} is gone\n"}]
    assert {one["channel"]: one["state"] for one in deliveries} == {
        "in_app": "delivered",
        "email": "sent",
        "pager": "sent",
    }
    shown = client.get("/api/v1/notifications/preferences").json()["data"]["matrix"]["bookmark.dead"]
    assert shown == {"in_app": True, "email": True, "pager": True}


def test_a_pager_that_fails_is_tried_again_and_one_that_knows_nobody_is_not(
    bookmarks: Any, owner: Any, drain: Drain, receiver: Receiver
) -> None:
    receiver.replies.extend([Reply(503), Reply(404)])
    bookmarks.tell_of_dead_link(with_number(owner).pk, URL)
    drain(ahead=timedelta(days=1))

    message = Message.objects.get(channel="pager")
    assert message.state == "failed"
    assert list(message.attempts.order_by("number").values_list("outcome", "answer")) == [
        ("deferred", "the pager answered 503"),
        ("refused", "the pager answered 404"),
    ]


def test_a_code_is_taken_once() -> None:
    with pytest.raises(ValueError, match=r"There is a kind 'account\.welcome' already"):
        register_kind(Kind("account.welcome", "Another", "account"))
    with pytest.raises(ValueError, match="There is a channel 'email' already"):
        register_channel(Channel("email", "Mine", send, address_field="email"))
