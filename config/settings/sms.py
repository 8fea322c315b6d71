"""Where text messages go, and how many at most."""

from config import env
from config.sms import sms_from_url

SMS_URL = env.text(
    "SMS_URL",
    "",
    help="twilio://SID:TOKEN@api.twilio.com?from=%2B15005550006 (or messaging_service=MG…), or a compatible server's"
    " host; empty: no text messages, and no telephone numbers. Development prints them.",
    kind="url",
)
SMS_TIMEOUT_SECONDS = env.number("SMS_TIMEOUT_SECONDS", 10, help="How long the provider may take.", minimum=0.1)
SMS = sms_from_url(SMS_URL, timeout=SMS_TIMEOUT_SECONDS)
SMS_ALLOWED_PREFIXES = env.items(
    "SMS_ALLOWED_PREFIXES", (), help="What numbers must start with, as in +43,+49; empty: any country."
)
SMS_DAILY_LIMIT = env.integer(
    "SMS_DAILY_LIMIT", 1000, help="How many text messages leave in 24 hours at most.", minimum=1
)
