"""What tells of the safety of an account stands in its owner's inbox too; what holds a secret is a mail alone."""

import pytest
from django.test import Client

from accounts.models import User
from accounts.tests.answers import ClientOf, kinds_sent_to
from accounts.tests.factories import PASSWORD
from core.models import OutboxRow
from core.tests.spine import Drain
from notifications.models import Message, Notification
from notifications.tests.smtp import SmtpSink

pytestmark = pytest.mark.django_db
INBOX = "/api/v1/notifications"


def test_a_changed_password_is_mailed_at_once_and_stands_in_the_inbox(
    owner: User, client_of: ClientOf, drain: Drain, smtp_sink: SmtpSink
) -> None:
    client = client_of(owner)
    wishes = {"digest": "daily", "quiet_hours": {"start": "00:00", "end": "23:59"}}
    assert client.put(f"{INBOX}/preferences", wishes).status_code == 200
    new = {"current_password": PASSWORD, "new_password": "a-new-horse-and-battery"}
    assert client.post("/api/v1/auth/change-password", new).status_code == 200
    assert set(OutboxRow.objects.filter(task="notifications.tasks.deliver").values_list("queue", flat=True)) == {
        "critical"
    }
    drain()

    (row,) = client.get(INBOX, {"unread": "true"}).json()["data"]
    deliveries = client.get(f"{INBOX}/{row['id']}/deliveries").json()["data"]
    assert (row["kind"], row["title"]) == ("account.password_changed", smtp_sink.to(owner.email)[0]["Subject"])
    assert [(one["channel"], one["state"]) for one in deliveries] == [("in_app", "delivered"), ("email", "sent")]
    assert len(smtp_sink.to(owner.email)) == 1


def test_a_changed_role_stands_there_too(owner: User, admin: User, client_of: ClientOf, drain: Drain) -> None:
    client_of(admin).patch(f"/api/v1/users/{owner.pk}", {"role": "moderator"})
    drain()

    assert kinds_sent_to(owner.email) == ["account.role_changed"]
    assert list(Notification.objects.filter(user=owner).values_list("kind", flat=True)) == ["account.role_changed"]


def test_a_link_with_a_secret_stands_in_no_inbox(owner: User, anonymous: Client, drain: Drain) -> None:
    anonymous.post("/api/v1/auth/forgot-password", {"email": owner.email})
    drain()

    assert kinds_sent_to(owner.email) == ["account.password_reset"]
    assert (Notification.objects.count(), Message.objects.exclude(notification=None).count()) == (0, 0)
