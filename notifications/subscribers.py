"""What the event log makes us say."""

from uuid import UUID

from core.events import subscriber
from core.models import Event
from notifications import services
from notifications.inbound_handlers import ANY_SOURCE, Inbound, handles_inbound
from notifications.models.inbound import ANSWERS_TO_TEXTS, TEXTS
from notifications.services import (
    News,
    devices,
    feedback,
    inbound,
    mail_reports,
    suppression,
    text_reports,
    text_words,
    webhooks,
)


@subscriber("notifications.welcome", "user.email_verified")
def welcome(event: Event) -> None:
    """Welcome whoever has confirmed their address: once, also when the log is replayed."""
    news = News("account.welcome", event_id=event.id, dedup_key=f"welcome:{event.subject_id}")
    services.notify(news, to=[UUID(event.subject_id)])


@subscriber("notifications.jobs", "job.succeeded", "job.failed")
def tell_of_job(event: Event) -> None:
    """Tell the owner how their job ended, if its kind is of those that tell."""
    services.tell_of_job(job_id=UUID(event.subject_id), event_id=event.id)


@subscriber("notifications.webhooks", "*", awaited=webhooks.is_awaited)
def tell_endpoints(event: Event) -> None:
    """Write what the endpoints that ask for the event are to be sent."""
    webhooks.fan_out(event)


@subscriber("notifications.devices", "session.revoked", awaited=devices.is_awaited)
def forget_devices(event: Event) -> None:
    """Tell nothing more to the browser or app whose session has ended."""
    devices.remove_devices_of_session(UUID(event.subject_id))


@subscriber("notifications.inbound", "webhook.received")
def hand_out_inbound(event: Event) -> None:
    """Give what another program told to its handlers."""
    inbound.hand_out(message_id=UUID(event.subject_id))


@handles_inbound("notifications.mail", source=feedback.SOURCE, types=mail_reports.TYPES)
def hear_of_mail(message: Inbound) -> None:
    """Note what the mail system tells of mails that it took; a body in another form fails, for staff to see."""
    for report in mail_reports.reports_in(message.type, message.json()):
        feedback.hear(report)


@handles_inbound("notifications.sms", source=TEXTS, types=text_reports.TYPES)
def hear_of_text(message: Inbound) -> None:
    """Note what became of a text message."""
    text_reports.hear_of_text(text_reports.TextReport.read(message.body, message.query))


@handles_inbound("notifications.text_words", source=TEXTS, types=(ANSWERS_TO_TEXTS,))
def hear_answer_to_text(message: Inbound) -> None:
    """Note who wants no more text messages, and who wants them again."""
    text_words.hear_answer(text_words.TextAnswer.read(message.body))


@handles_inbound("notifications.sns", source=ANY_SOURCE, types=(inbound.HANDSHAKE,), in_transaction=False)
def confirm_subscription(message: Inbound) -> None:
    """Answer the handshake of a topic that staff have registered."""
    inbound.confirm_subscription(message.json())


@subscriber("notifications.proved_address", "user.email_verified")
def trust_proved_address(event: Event) -> None:
    """Take the address that somebody has just confirmed off the suppression list."""
    suppression.trust_proved_address(UUID(event.subject_id))


@subscriber("notifications.proved_number", "user.phone_verified")
def trust_proved_number(event: Event) -> None:
    """Take the number that somebody has just confirmed off the suppression list."""
    suppression.trust_proved_number(UUID(event.subject_id))
