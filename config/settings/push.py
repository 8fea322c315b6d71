"""Where push notices go: browsers, Firebase, Apple."""

from config import env
from config.push import apns_key, fcm_account, vapid_key

VAPID_PRIVATE_KEY = vapid_key(
    env.text(
        "VAPID_PRIVATE_KEY",
        "",
        help="Key of Web Push, as `manage.py vapid_keys` makes it; empty: no push to browsers. `manage.py up` makes one"
        " for itself.",
        kind="secret",
    )
)
VAPID_SUBJECT = env.text(
    "VAPID_SUBJECT", "", help="mailto: or https: address where a push service reaches you; empty: PUBLIC_URL."
)
FCM_SERVICE_ACCOUNT = fcm_account(
    env.text(
        "FCM_SERVICE_ACCOUNT",
        "",
        help="The JSON key of a Firebase service account (best by FCM_SERVICE_ACCOUNT_FILE); empty: no push by FCM.",
        kind="secret",
    )
)
FCM_URL = env.text("FCM_URL", "https://fcm.googleapis.com", help="Where Firebase listens.", kind="url").rstrip("/")
APNS_KEY = apns_key(
    env.text(
        "APNS_KEY",
        "",
        help="The .p8 key of Apple's push service (best by APNS_KEY_FILE); empty: no push to Apple's devices.",
        kind="secret",
    )
)
APNS_KEY_ID = env.text("APNS_KEY_ID", "", help="The id of that key.")
APNS_TEAM_ID = env.text("APNS_TEAM_ID", "", help="The id of your team at Apple.")
APNS_TOPIC = env.text("APNS_TOPIC", "", help="The bundle id of the app.")
APNS_URL = env.text(
    "APNS_URL",
    "https://api.push.apple.com",
    help="Where Apple listens; https://api.sandbox.push.apple.com for builds from Xcode.",
    kind="url",
).rstrip("/")
if APNS_KEY and not (APNS_KEY_ID and APNS_TEAM_ID and APNS_TOPIC):
    raise env.ConfigurationError("APNS_KEY needs APNS_KEY_ID, APNS_TEAM_ID and APNS_TOPIC as well.")

PUSH_TIMEOUT_SECONDS = env.number(
    "PUSH_TIMEOUT_SECONDS", 10, help="How long a push provider may take for a notice.", minimum=0.1
)
PUSH_ALLOWED_HOSTS = env.items(
    "PUSH_ALLOWED_HOSTS", (), help="host or host:port that push to browsers may reach though not on the open internet."
)
