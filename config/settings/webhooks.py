"""Where webhooks may go, how many there may be, and how long what was sent and told is kept."""

from config import env

WEBHOOK_ALLOWED_HOSTS = env.items(
    "WEBHOOK_ALLOWED_HOSTS", (), help="host or host:port that webhooks may reach though not on the open internet."
)
WEBHOOK_TIMEOUT_SECONDS = env.number(
    "WEBHOOK_TIMEOUT_SECONDS", 10, minimum=0.1, help="After this long a receiver has not taken a webhook."
)
WEBHOOKS_PER_USER = env.integer("WEBHOOKS_PER_USER", 20, minimum=1, help="How many webhooks one may have.")
WEBHOOK_RETENTION_DAYS = env.integer(
    "WEBHOOK_RETENTION_DAYS", 30, minimum=1, help="How long the log of what was sent to webhooks is kept."
)
INBOUND_MAX_BYTES = env.integer(
    "INBOUND_MAX_BYTES", 1024 * 1024, minimum=1024, help="How large a webhook of another program may be."
)
INBOUND_RETENTION_DAYS = env.integer(
    "INBOUND_RETENTION_DAYS", 30, minimum=1, help="How long webhooks of other programs are kept once worked off."
)
