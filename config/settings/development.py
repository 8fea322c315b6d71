"""Development and the embedded default: everything on this machine, secrets made at the first start."""

from config import env
from config.settings.base import *  # noqa: F403  # settings are stitched by star imports
from config.settings.base import (
    ALLOWED_HOSTS,
    CORES,
    EMBEDDED,
    ENCRYPTION_KEYS,
    ENVIRONMENT_NAME,
    JWT_KEYS,
    METRICS_ALLOWED_NETWORKS,
    NOOK_HOST,
    NOOK_PORT,
    NOOK_WORKERS,
    PUBLIC_URL,
    SECRET_KEY,
    SMS,
    SMS_TIMEOUT_SECONDS,
    VAPID_PRIVATE_KEY,
)
from core.embedded.secrets import load_or_create

_secrets = load_or_create(EMBEDDED.data_dir)
SECRET_KEY = SECRET_KEY or _secrets["SECRET_KEY"]
ENCRYPTION_KEYS = ENCRYPTION_KEYS or _secrets["ENCRYPTION_KEYS"]
JWT_KEYS = JWT_KEYS or _secrets["JWT_KEYS"]
VAPID_PRIVATE_KEY = VAPID_PRIVATE_KEY or _secrets["VAPID_PRIVATE_KEY"]
ALLOWED_HOSTS = ALLOWED_HOSTS or ["localhost", "127.0.0.1", "[::1]"]
METRICS_ALLOWED_NETWORKS = METRICS_ALLOWED_NETWORKS or ["127.0.0.0/8", "::1"]

_name = "localhost" if NOOK_HOST in {"0.0.0.0", "::", ""} else NOOK_HOST  # noqa: S104  # listening everywhere
PUBLIC_URL = PUBLIC_URL or f"http://{_name}:{NOOK_PORT}"
# As with mail, a developer reads text messages in the log.
SMS = SMS or {"scheme": "console", "timeout": SMS_TIMEOUT_SECONDS}
DEMO_DATA_ALLOWED = True
NOOK_DEMO = env.boolean("NOOK_DEMO", True, help="Whether the first start of `manage.py up` makes demo data.")
# A laptop has other work to do.
WEB_PROCESSES = NOOK_WORKERS or min(CORES, 2)
# In development the admin is where mail is read, so its links have to work there.
ADMIN_SHOWS_MAIL_SECRETS = True
ENVIRONMENT_NAME = ENVIRONMENT_NAME or "Development"
