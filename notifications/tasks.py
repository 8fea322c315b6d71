"""The work of this floor that happens after the request."""

from uuid import UUID

from core.queue import GiveUp, RetryLater, task
from notifications import services
from notifications.channels import DeliveryFailed
from notifications.services import alerts, heartbeat, inbound, webhooks


# Twelve of the runs are attempts to deliver (the message counts them); the rest may have found another at work.
@task(queue="notifications", max_attempts=24)
def deliver(*, message_id: str, **_unknown: object) -> None:
    """Deliver one message; safe to run twice, and in parallel."""
    try:
        postponed = services.deliver(message_id=UUID(message_id))
    except services.AttemptsExhausted as exhausted:
        raise GiveUp(str(exhausted)) from exhausted
    if postponed is not None:
        raise RetryLater(after=postponed.wait, reason=postponed.reason, is_attempt=postponed.is_attempt)


@task(queue="maintenance")
def purge(**_unknown: object) -> None:
    """Delete the messages, webhook deliveries and inbound webhooks that are past their time."""
    services.purge_messages()
    webhooks.purge_deliveries()
    inbound.purge_inbound()
    alerts.purge_alerts()


@task(queue="webhooks")
def send_webhooks(**_unknown: object) -> None:
    """Send the webhooks that are due; safe to run twice, and in parallel."""
    webhooks.send_due()


@task(queue="notifications")
def release(**_unknown: object) -> None:
    """Let go what waited and is due."""
    services.release_messages()


def _give_up_inbound(*, message_id: str, handler: str, turn: int, **_unknown: object) -> None:
    inbound.give_up(message_id=UUID(message_id), handler=handler, turn=turn)


@task(queue="webhooks", given_up=_give_up_inbound)
def handle_inbound(*, message_id: str, handler: str, turn: int, **_unknown: object) -> None:
    """Let one handler work off one inbound webhook, once."""
    inbound.handle(message_id=UUID(message_id), handler=handler, turn=turn)


@task(queue="maintenance")
def watch_operations(**_unknown: object) -> None:
    """Alert staff of what is wrong with the whole, and of what is over."""
    alerts.watch()


@task(queue="maintenance")
def beat_heart(**_unknown: object) -> None:
    """Give the watch outside a sign of life."""
    heartbeat.beat()


@task(queue="notifications")
def tell_chat(*, alert_id: str, is_over: bool, number: int, **_unknown: object) -> None:
    """Tell one chat of an alert."""
    try:
        alerts.tell_chat(alert_id=UUID(alert_id), is_over=is_over, number=number)
    except DeliveryFailed as failure:
        if failure.permanent:
            raise GiveUp(failure.answer) from failure
        raise
