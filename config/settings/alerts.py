"""When staff are told that something needs an operator, and in which chats."""

from config import env

ALERT_URLS = env.items(
    "ALERT_URLS",
    (),
    help="Where alerts go beside the inboxes of administrators, in the forms of apprise: slack://…, msteams://…, tgram://…,"
    " json://…; hold secrets.",
)
ALERT_TIMEOUT_SECONDS = env.number(
    "ALERT_TIMEOUT_SECONDS", 10, minimum=0.1, help="How long a chat may take to take an alert."
)
ALERT_OUTBOX_LAG_SECONDS = env.integer(
    "ALERT_OUTBOX_LAG_SECONDS", 300, minimum=1, help="Staff are told when due work has waited this long."
)
ALERT_DEAD_LETTERS_PER_HOUR = env.integer(
    "ALERT_DEAD_LETTERS_PER_HOUR", 5, minimum=1, help="Staff are told when this many tasks were given up in an hour."
)
HEARTBEAT_URL = env.text(
    "HEARTBEAT_URL",
    "",
    help="An address that is asked each minute while clock, relay and workers keep up; who watches it tells you when"
    " that ends. Empty: none.",
    kind="url",
)
