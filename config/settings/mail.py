"""Where mail goes, and who it comes from."""

from config import env
from config.mail import mail_from_url

EMAIL_URL = env.text(
    "EMAIL_URL",
    "",
    help="smtp://user:password@host:587 (STARTTLS demanded, but on localhost; ?tls=none for a catcher), smtps://…, filemail:///folder"
    " or consolemail://; empty in development: printed in the log.",
    kind="url",
)
EMAIL_TIMEOUT_SECONDS = env.number(
    "EMAIL_TIMEOUT_SECONDS", 10, help="How long a mail server may take for each step.", minimum=0.1
)
EMAIL_IDLE_SECONDS = env.number(
    "EMAIL_IDLE_SECONDS",
    10,
    help="How long a worker keeps its connection to a mail server for the next mail; 0: each mail has one of its own.",
    minimum=0,
)
MAIL = mail_from_url(EMAIL_URL or "consolemail://", timeout=EMAIL_TIMEOUT_SECONDS)
EMAIL_FALLBACK_URL = env.text(
    "EMAIL_FALLBACK_URL",
    "",
    help="A second mail server, in the forms of EMAIL_URL: takes a mail that the first could not even be offered.",
    kind="url",
)
MAIL_FALLBACK = (
    mail_from_url(EMAIL_FALLBACK_URL, timeout=EMAIL_TIMEOUT_SECONDS, name="EMAIL_FALLBACK_URL")
    if EMAIL_FALLBACK_URL
    else {}
)
MAIL_RETRY_SECONDS = env.number(
    "MAIL_RETRY_SECONDS", 30, help="The first wait before a mail is tried again; doubles each time.", minimum=0.01
)
DEFAULT_FROM_EMAIL = env.text("EMAIL_FROM", "Nook Link <no-reply@localhost>", help="The sender of every mail.")
# Whoever reads a link to set a password can use it, so staff see them in development only.
ADMIN_SHOWS_MAIL_SECRETS = False
MESSAGE_RETENTION_DAYS = env.integer(
    "MESSAGE_RETENTION_DAYS", 90, help="How long messages that are done with are kept.", minimum=1
)
NOTIFICATION_RETENTION_DAYS = env.integer(
    "NOTIFICATION_RETENTION_DAYS", 365, help="How long inboxes keep what people were told.", minimum=1
)
