"""The verbs of this floor: send a message, deliver it, send it again."""

from notifications.services.delivery import AttemptsExhausted, deliver
from notifications.services.sending import resend, send

__all__ = ["AttemptsExhausted", "deliver", "resend", "send"]
