"""A kind and a channel of an app of one's own, as docs/notifications.md says it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from core.tests.spine import Drain
from notifications.channels import CHANNELS, Channel, Fence, Outgoing, register_channel
from notifications.kinds import KINDS, Kind, register_kind
from notifications.models import Message, Notification
from notifications.services import News, notify
from notifications.templates import title_and_text
from notifications.tests.smtp import SmtpSink, text_of

DEAD = Kind(
    "bookmark.dead",
    "A bookmark leads nowhere",
    "bookmarks",
    channels=("in_app", "email", "pager"),
    required=frozenset({"url"}),
)
TEMPLATES = {
    "emails/bookmark.dead.subject.txt": "{{ url }} is gone",
    "emails/bookmark.dead.txt": "Hello {{ name }}, {{ url }} leads nowhere.",
    "emails/bookmark.dead.html": "<p>{{ url }}</p>",
    "pager/bookmark.dead.txt": "{{ url }}",
}
PAGED: list[tuple[str, str]] = []


def page(outgoing: Outgoing, *, fence: Fence) -> str:
    fence()
    PAGED.append((outgoing.address, outgoing.text.strip()))
    return "beeped"


@pytest.fixture
def _own_app(tmp_path: Path, settings: Settings) -> Iterator[None]:
    for name, text in TEMPLATES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    templates = settings.TEMPLATES[0]
    settings.TEMPLATES = [{**templates, "DIRS": [*templates["DIRS"], tmp_path]}]
    register_kind(DEAD)
    register_channel(Channel("pager", "Pager", page, address_field="email"))
    PAGED.clear()
    yield
    del KINDS[DEAD.code], CHANNELS["pager"]


@pytest.mark.usefixtures("_own_app")
def test_a_kind_and_a_channel_of_ones_own_tell_like_ours(owner: Any, drain: Drain, smtp_sink: SmtpSink) -> None:
    notify(News(DEAD.code, {"url": "https://gone.example"}), to=[owner.pk])
    drain()

    assert title_and_text(Notification.objects.get(), "en") == ("https://gone.example is gone", "")
    assert text_of(smtp_sink.mails[0]).startswith("Hello Olive Owner, https://gone.example leads nowhere.")
    assert [(owner.email, "https://gone.example")] == PAGED
    assert set(Message.objects.values_list("channel", "state")) == {("email", "sent"), ("pager", "sent")}


@pytest.mark.usefixtures("_own_app")
def test_a_code_is_taken_once() -> None:
    with pytest.raises(ValueError, match=r"There is a kind 'bookmark\.dead' already"):
        register_kind(Kind(DEAD.code, "Another", "bookmarks"))
    with pytest.raises(ValueError, match="There is a channel 'email' already"):
        register_channel(Channel("email", "Mine", page, address_field="email"))
