"""The mail that tells how a job ended."""

from datetime import timedelta
from typing import Any

import pytest

from core import jobs
from core.models import Event
from core.permissions import SYSTEM, Caller
from core.tests.job_kinds import TROUBLE
from core.tests.spine import Drain
from notifications.models import Message
from notifications.services import Told, tell_of_job
from notifications.tests.smtp import SmtpSink


@pytest.fixture(autouse=True)
def _forget() -> None:
    TROUBLE.clear()


def test_the_owner_of_a_job_that_tells_reads_how_it_ended(owner: Any, drain: Drain, smtp_sink: SmtpSink) -> None:
    jobs.create_job("test.count", actor=Caller.of(owner), total=10)
    drain()
    jobs.create_job("test.count", actor=Caller.of(owner), total=10)
    TROUBLE.extend(ValueError("hunter2") for _ in range(8))
    drain(ahead=timedelta(hours=1))

    done, failed = smtp_sink.to(owner.email)
    assert (done["Subject"], failed["Subject"]) == ("Counting has succeeded", "Counting has failed")
    assert "This failed on our side" in str(failed.get_body(("plain",)))
    assert "hunter2" not in failed.as_string()


def test_a_replayed_event_tells_once(owner: Any, drain: Drain, smtp_sink: SmtpSink) -> None:
    job = jobs.create_job("test.count", actor=Caller.of(owner), total=10)
    drain()
    told = Message.objects.get()

    event = Event.objects.get(type="job.succeeded")
    again = tell_of_job(job_id=job.pk, event_id=event.id)

    assert again == Told(0, 0)
    assert Message.objects.get() == told


@pytest.mark.parametrize("kind", ["test.write", "test.refuse"])
def test_a_kind_that_does_not_tell_sends_nothing(
    local_files: Any, owner: Any, drain: Drain, smtp_sink: SmtpSink, kind: str
) -> None:
    jobs.create_job(kind, actor=Caller.of(owner), total=10)
    drain()

    assert smtp_sink.mails == []


def test_a_job_without_an_owner_tells_nobody(drain: Drain, smtp_sink: SmtpSink) -> None:
    jobs.create_job("test.count", actor=SYSTEM, total=10)
    drain()

    assert (smtp_sink.mails, Message.objects.count()) == ([], 0)
