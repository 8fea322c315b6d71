"""The verbs of this floor: send a message, deliver it, send it again."""

from notifications.services.delivery import AttemptsExhausted, deliver
from notifications.services.sending import resend, send, send_to_user

__all__ = ["AttemptsExhausted", "deliver", "resend", "send", "send_to_user"]
