"""Production: fails closed; what is missing or weak is told in one line each, and nothing starts.

`manage.py check --deploy` tells the rest.
"""

from config import env
from config.settings.base import *  # noqa: F403  # settings are stitched by star imports
from config.settings.base import ENVIRONMENT_NAME, HASHED_STATIC_FILES, PUBLIC_URL, STORAGES, TRUSTED_PROXY_COUNT
from config.strictness import refuse_faults

refuse_faults(globals())

ENVIRONMENT_NAME = ENVIRONMENT_NAME or "Production"

if not env.is_set("MFA_REQUIRED_ROLES"):
    MFA_REQUIRED_ROLES = ["admin", "moderator"]

# HTTPS everywhere; behind our own proxy the request is as secure as the proxy says it was.
SECURE_SSL_REDIRECT = env.boolean(
    "SECURE_SSL_REDIRECT", True, help="Whether plain HTTP is sent to HTTPS; switch off where the proxy does it."
)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXY_COUNT else None
SECURE_HSTS_SECONDS = env.integer("SECURE_HSTS_SECONDS", 31_536_000, help="How long browsers keep to HTTPS.", minimum=0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.boolean(
    "SECURE_HSTS_INCLUDE_SUBDOMAINS", True, help="Whether that holds for subdomains too."
)

# The browser itself refuses a __Host- cookie that is not secure, not for / or that another host set.
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_NAME = "__Host-session"
CSRF_COOKIE_SECURE = True
CSRF_COOKIE_NAME = "__Host-csrf"
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL.rstrip("/")]

STORAGES = STORAGES | {"staticfiles": HASHED_STATIC_FILES}
