"""The verbs of this floor: send a message, deliver it, send it again, forget it."""

from notifications.services.delivery import AttemptsExhausted, deliver
from notifications.services.jobs import send_job_finished
from notifications.services.purging import purge_messages
from notifications.services.sending import resend, send, send_to_user

__all__ = ["AttemptsExhausted", "deliver", "purge_messages", "resend", "send", "send_job_finished", "send_to_user"]
