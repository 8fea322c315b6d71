"""The verbs of this floor: tell people, send a message, deliver it, send it again, forget it."""

from notifications.services.announcing import Announcement, announces
from notifications.services.delivery import AttemptsExhausted, deliver
from notifications.services.inbox import mark, mark_all_read, put_away
from notifications.services.jobs import tell_of_job
from notifications.services.notifying import News, Told, notify, notify_sparingly
from notifications.services.purging import purge_messages, purge_notifications
from notifications.services.releasing import release_messages
from notifications.services.sending import resend, send

__all__ = [
    "Announcement",
    "AttemptsExhausted",
    "News",
    "Told",
    "announces",
    "deliver",
    "mark",
    "mark_all_read",
    "notify",
    "notify_sparingly",
    "purge_messages",
    "purge_notifications",
    "put_away",
    "release_messages",
    "resend",
    "send",
    "tell_of_job",
]
