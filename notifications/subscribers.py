"""What the event log makes us say."""

from uuid import UUID

from core.events import subscriber
from core.models import Event
from notifications import services
from notifications.inbound_handlers import Inbound, handles_inbound
from notifications.services import News, devices, feedback, inbound, suppression, webhooks


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


@handles_inbound(
    "notifications.mail", source=feedback.SOURCE, types=(feedback.ARRIVED, feedback.CAME_BACK, feedback.UNWANTED)
)
def hear_of_mail(message: Inbound) -> None:
    """Note what the mail system tells of a mail that it took; a body in another form fails, for staff to see."""
    feedback.hear(feedback.Feedback.read(message.json()))


@subscriber("notifications.proved_address", "user.email_verified")
def trust_proved_address(event: Event) -> None:
    """Take the address that somebody has just confirmed off the suppression list."""
    suppression.trust_proved_address(UUID(event.subject_id))
