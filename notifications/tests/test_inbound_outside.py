"""A handler that asks another server holds no transaction open meanwhile."""

from typing import Any

import pytest
from django.db import connection

from core.models import OutboxRow
from core.queue import enqueue
from core.tests.spine import Drain
from notifications.inbound_handlers import Inbound, handles_inbound, is_in_transaction
from notifications.models import InboundHandling, InboundWebhook
from notifications.tests.mail_steps import source, tell

HEARD: list[bool] = []
TROUBLE: list[str] = []

pytestmark = pytest.mark.django_db(transaction=True)


@handles_inbound("tests.outside", source="mail", types=("tests.outside",), in_transaction=False)
def _ask_another_server(message: Inbound) -> None:
    HEARD.append(connection.in_atomic_block)
    if TROUBLE:
        raise ValueError(TROUBLE.pop())


@pytest.fixture(autouse=True)
def _forget() -> None:
    HEARD.clear()
    TROUBLE.clear()


def told() -> Any:
    source("postmark", "nook:of-postmark")
    InboundWebhook.objects.all().delete()
    return tell({"RecordType": "Open"}, {"Authorization": "Basic bm9vazpvZi1wb3N0bWFyaw=="})


def handed_out() -> InboundWebhook:
    """Return a message that the handler is about to work off."""
    assert told().status_code == 202
    message = InboundWebhook.objects.get()
    InboundWebhook.objects.update(type="tests.outside")
    return message


def test_it_is_worked_off_once_and_marked_afterwards(drain: Drain) -> None:
    message = handed_out()
    drain()
    enqueue("notifications.tasks.handle_inbound", message_id=message.pk, handler="tests.outside", turn=1)
    drain()

    message.refresh_from_db()
    assert (HEARD, message.state) == ([False], "handled")
    assert InboundHandling.objects.filter(message=message, handler="tests.outside", failed_at=None).count() == 1


def test_one_that_stumbles_is_tried_again_and_marks_nothing_before(drain: Drain) -> None:
    message = handed_out()
    TROUBLE.append("not now")
    drain()
    assert InboundHandling.objects.filter(message=message).count() == 0
    assert OutboxRow.objects.filter(task="notifications.tasks.handle_inbound").count() == 1

    OutboxRow.objects.update(due_at="2020-01-01T00:00:00Z")
    drain()
    message.refresh_from_db()
    assert (HEARD, message.state) == ([False, False], "handled")


def test_the_handshake_of_a_topic_is_such_a_one() -> None:
    assert not is_in_transaction("notifications.sns")
    assert is_in_transaction("notifications.mail")
