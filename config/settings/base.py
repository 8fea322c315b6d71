"""Settings that hold everywhere; what differs stands in development.py, test.py and production.py.

Defaults are the closed ones: private API, HTTPS, no debug, no secret.
"""

from pathlib import Path
from typing import Any

from csp.constants import NONCE, SELF
from csp.constants import NONE as NO_SOURCE

from config import env
from config.clamd import clamd_from_url
from config.database import REPLICA_WAIT_MS, REPLICAS, database_from_url
from config.settings.admin import *  # noqa: F403  # settings are stitched by star imports
from config.settings.alerts import *  # noqa: F403  # as above
from config.settings.mail import *  # noqa: F403  # as above
from config.settings.processes import *  # noqa: F403  # settings are stitched by star imports
from config.settings.push import *  # noqa: F403  # as above
from config.settings.sms import *  # noqa: F403  # as above
from config.settings.social import *  # noqa: F403  # as above
from config.settings.threats import *  # noqa: F403  # as above
from config.settings.webhooks import *  # noqa: F403  # as above
from config.settings.work import *  # noqa: F403  # as above
from core.embedded.locations import Locations
from core.logging import logging_settings, wants_pretty_lines

BASE_DIR = Path(__file__).resolve().parent.parent.parent
DATA_DIR = Path(
    env.text("NOOK_DATA_DIR", str(BASE_DIR / "var"), help="Folder of the embedded servers and local files.")
)
EMBEDDED = Locations(DATA_DIR)

DEBUG = False
SECRET_KEY = env.text(
    "SECRET_KEY", "", help="Signs cursors, links and admin sessions; 32 random bytes or more.", kind="secret"
)
ENCRYPTION_KEYS = env.text(
    "ENCRYPTION_KEYS", "", help="id:base64,id:base64 of 32 bytes each; the first seals, all open.", kind="secret"
)
ALLOWED_HOSTS = env.items("ALLOWED_HOSTS", (), help="Host names that this server answers to.")
PUBLIC_URL = env.text(
    "PUBLIC_URL", "", help="The address that people reach this server at; links in mails start with it."
).rstrip("/")

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "accounts",  # before Django's own auth, whose createsuperuser it replaces
    "config.apps.StaffAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "corsheaders",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "core",
    "notifications",
    "resources",
]

# The edge does for every request what SecurityMiddleware and XFrameOptionsMiddleware do; API paths pass nothing else.
MIDDLEWARE = [
    "core.middleware.EdgeMiddleware",
    "core.api.middleware.ApiCompressionMiddleware",
    "core.middleware.ListedOriginsMiddleware",
    "core.middleware.PageStaticFilesMiddleware",
    "core.middleware.PagePolicyMiddleware",
    "core.middleware.PageSessionMiddleware",
    "core.middleware.PageCsrfMiddleware",
    "accounts.pages.acting.StaffAuthenticationMiddleware",
    "core.middleware.PageMessageMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = False

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
            ]
        },
    }
]

# Data ------------------------------------------------------------------------------------------

DATABASE_URL = env.text("DATABASE_URL", "", help="PostgreSQL 14 or later; empty: the embedded server.", kind="url")
DATABASES = {"default": database_from_url(DATABASE_URL or EMBEDDED.database_url), **REPLICAS}
DATABASE_REPLICAS = list(REPLICAS)
DATABASE_REPLICA_WAIT_MS = REPLICA_WAIT_MS

REDIS_URL = (
    env.text("REDIS_URL", "", help="Redis 7 or Valkey; empty: the embedded server.", kind="url") or EMBEDDED.redis_url
)
CACHE_URL = (
    env.text("CACHE_URL", "", help="The Redis that may evict (cache); empty: REDIS_URL.", kind="url") or REDIS_URL
)
STATE_URL = (
    env.text("STATE_URL", "", help="The Redis that may not evict (rate limits); empty: REDIS_URL.", kind="url")
    or REDIS_URL
)
BROKER_URL = (
    env.text("BROKER_URL", "", help="amqp://… for RabbitMQ, or Redis; empty: REDIS_URL.", kind="url") or REDIS_URL
)

REDIS_TIMEOUT_SECONDS = env.number(
    "REDIS_TIMEOUT_SECONDS",
    0.15,
    minimum=0.01,
    help="A Redis that takes longer to answer counts as away: buckets, breakers and reads do without it.",
)
REDIS_KEY_PREFIX = env.text("REDIS_KEY_PREFIX", "nook", help="Starts every key of ours; for a Redis that is shared.")
CACHES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": CACHE_URL,
        "KEY_PREFIX": REDIS_KEY_PREFIX,
        "OPTIONS": {
            # Not pickle: whoever can write to the cache would run code here.
            "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
            "SOCKET_CONNECT_TIMEOUT": 0.2,
            "SOCKET_TIMEOUT": 0.5,
        },
    }
}

# Background work -------------------------------------------------------------------------------

QUEUE_PREFIX = env.text(
    "QUEUE_PREFIX", "nook.", help="Begins the name of every queue, so that installations may share a broker."
)
EVENT_EXCHANGE = env.text(
    "EVENT_EXCHANGE", "", help="The broker's topic exchange that every event goes to (nook.events); empty: none."
)
OUTBOX_LEASE_SECONDS = env.number(
    "OUTBOX_LEASE_SECONDS", 6, minimum=1, help="After this long without a sign of life a worker counts as dead."
)
OUTBOX_RESEND_SECONDS = env.number(
    "OUTBOX_RESEND_SECONDS", 5, minimum=1, help="A message that is in no queue after this long is sent again."
)
TASK_TIME_LIMIT_SECONDS = env.integer(
    "TASK_TIME_LIMIT_SECONDS", 300, minimum=30, help="A task that runs longer is killed and tried again."
)
SCHEDULES = "config.celery.SCHEDULES"
BIN_RETENTION_DAYS = env.integer(
    "BIN_RETENTION_DAYS",
    30,
    minimum=1,
    help="How long deleted rows can come back; resources go by `trash_days` of their type.",
)
TRACE_RETENTION_DAYS = env.integer(
    "TRACE_RETENTION_DAYS", 30, minimum=1, help="How long marks of handled events, schedule runs and jobs are kept."
)

# The edge --------------------------------------------------------------------------------------

TRUSTED_PROXY_COUNT = env.integer(
    "TRUSTED_PROXY_COUNT", 0, help="How many proxies of ours append to X-Forwarded-For; 0 ignores it.", minimum=0
)
CORS_ALLOWED_ORIGINS = env.items("CORS_ALLOWED_ORIGINS", (), help="Origins whose browser code may call the API.")
CORS_ALLOW_CREDENTIALS = True
CORS_URLS_REGEX = r"^/(api/|files/|\.well-known/)"
CORS_ALLOW_HEADERS = [
    "accept",
    "authorization",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "traceparent",
    "x-request-id",
    "x-requested-with",
]
CORS_EXPOSE_HEADERS = [
    "deprecation",
    "etag",
    "idempotency-replayed",
    "link",
    "location",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "retry-after",
    "sunset",
    "x-request-id",
]
OUTBOUND_ALLOWED_HOSTS = env.items(
    "OUTBOUND_ALLOWED_HOSTS", (), help="host or host:port that our requests may reach though not on the open internet."
)
CDN_URL = env.text(
    "CDN_URL",
    "",
    help="https://cdn.example.com in front of this server: for static files and avatars, never for people's files.",
    kind="url",
).rstrip("/")
CDN_ORIGINS = [CDN_URL] if CDN_URL else []
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF, *CDN_ORIGINS],
        "script-src": [SELF, NONCE, *CDN_ORIGINS],
        "style-src": [SELF, NONCE, *CDN_ORIGINS],
        "img-src": [SELF, "data:", *CDN_ORIGINS],
        "object-src": [NO_SOURCE],
        "base-uri": [NO_SOURCE],
        "form-action": [SELF],
        "frame-ancestors": [NO_SOURCE],
    }
}
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"

# Observing -------------------------------------------------------------------------------------

SERVICE_NAME = env.text("SERVICE_NAME", "nook", help="The name of this process in logs and metrics.")
LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"), help="What is worth a line.")
LOG_FORMAT = env.choice("LOG_FORMAT", "auto", ("auto", "json", "pretty"), help="auto: pretty at a terminal, else JSON.")
LOG_FORMAT = "pretty" if wants_pretty_lines(LOG_FORMAT) else "json"
LOGGING = logging_settings(pretty=LOG_FORMAT == "pretty", level=LOG_LEVEL)
METRICS_DIR = env.text(
    "PROMETHEUS_MULTIPROC_DIR", str(DATA_DIR / "metrics"), help="Folder in which the processes share their metrics."
)
METRICS_TOKEN = env.text("METRICS_TOKEN", "", help="The bearer token that /metrics asks for.", kind="secret")
METRICS_ALLOWED_NETWORKS = env.items(
    "METRICS_ALLOWED_NETWORKS", (), help="Networks that read /metrics without the token, as in 10.0.0.0/8."
)

# Limits ----------------------------------------------------------------------------------------

RATE_LIMIT_SCALE = env.number("RATE_LIMIT_SCALE", 1, help="Multiplies every rate limit; for load tests.", minimum=0.001)

# API -------------------------------------------------------------------------------------------

DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
COMPRESS_RESPONSES = env.boolean(
    "COMPRESS_RESPONSES", True, help="Compress answers here; switch off behind a proxy that does."
)
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Nook Link",
    "DESCRIPTION": "Accounts, typed resources and notifications over REST.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "ENABLE_DJANGO_DEPLOY_CHECK": False,
    "POSTPROCESSING_HOOKS": ["core.api.schema.add_shared_components"],
    "COMPONENT_SPLIT_REQUEST": True,
}
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": [],  # ApiView itself denies what no access row opens
    "DEFAULT_THROTTLE_CLASSES": [],
    "DEFAULT_PARSER_CLASSES": ["core.api.parser.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "core.api.schema.OperationSchema",
    "EXCEPTION_HANDLER": "core.api.errors.exception_handler",
    "UNAUTHENTICATED_USER": "core.api.access.anonymous",
    "URL_FORMAT_OVERRIDE": None,
    "FORMAT_SUFFIX_KWARG": None,
}

# Language and time -----------------------------------------------------------------------------

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

# Accounts --------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.backends.RoleBackend"]
SILENCED_SYSTEM_CHECKS = [
    "auth.W004",  # the unique index on users.email is partial (live rows only), which Django cannot see
    # These ask for Django's own middleware by name; nook.E110 asks for what does their work here.
    "security.W001",
    "security.W002",
    "security.W003",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.BCryptSHA256PasswordHasher",
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "name")},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

# Tokens ----------------------------------------------------------------------------------------

JWT_KEYS = env.text(
    "JWT_KEYS",
    "",
    help="Signs access tokens: id:secret,… (secret: openssl rand -base64 32); the first signs, all verify.",
    kind="secret",
)
JWT_ISSUER = (
    env.text("JWT_ISSUER", "", help="The `iss` of access tokens; empty: PUBLIC_URL.") or PUBLIC_URL or "nook-link"
)
JWT_AUDIENCE = env.text("JWT_AUDIENCE", "nook-link", help="The `aud` of access tokens.")
ACCESS_TOKEN_SECONDS = env.integer("ACCESS_TOKEN_SECONDS", 900, help="How long an access token serves.", minimum=10)
REFRESH_TOKEN_DAYS = env.integer(
    "REFRESH_TOKEN_DAYS", 30, help="How long a session lives without being refreshed.", minimum=1
)
REFRESH_GRACE_SECONDS = 10
API_TOKEN_MAX_DAYS = env.integer(
    "API_TOKEN_MAX_DAYS", 365, help="How long a personal access token serves at most.", minimum=1
)
API_TOKENS_PER_USER = env.integer(
    "API_TOKENS_PER_USER", 50, help="How many personal access tokens one may have that still serve.", minimum=1
)
# How old the state of a session may be that a request is judged by: the promise is one second, so a little less.
AUTHENTICATION_SNAPSHOT_SECONDS = 0.9
EMAIL_VERIFICATION_REQUIRED = env.boolean(
    "EMAIL_VERIFICATION_REQUIRED", True, help="Whether an address must be confirmed before the first sign-in."
)
MFA_REQUIRED_ROLES = env.items(
    "MFA_REQUIRED_ROLES",
    (),
    help="Roles that demand two-factor sign-in (besides those marked so); in production `admin,moderator`.",
)
PASSKEY_RP_ID = env.text(
    "PASSKEY_RP_ID", "", help="Domain that passkeys are bound to; a change makes all useless. Empty: PUBLIC_URL's host."
)
PASSKEY_ORIGINS = env.items(
    "PASSKEY_ORIGINS", (), help="Origins (https://app.example.com) whose pages may use passkeys; empty: PUBLIC_URL's."
)
ACCOUNT_GRACE_DAYS = env.integer(
    "ACCOUNT_GRACE_DAYS", 30, help="How long a deleted account can come back before it is anonymised.", minimum=0
)
SIMPLE_JWT = {"ALGORITHM": "ES256", "SIGNING_KEY": "", "TOKEN_TYPE_CLAIM": "typ", "USER_ID_CLAIM": "sub"}

# Files -----------------------------------------------------------------------------------------

S3_BUCKET = env.text("S3_BUCKET", "", help="The bucket that files go to; empty: the folder `files` of NOOK_DATA_DIR.")
_S3 = {
    "bucket_name": S3_BUCKET,
    "endpoint_url": env.text("S3_ENDPOINT_URL", "", help="The S3 server; empty: Amazon's.", kind="url") or None,
    "region_name": env.text("S3_REGION", "us-east-1", help="The region of the bucket."),
    "access_key": env.text("S3_ACCESS_KEY", "", help="The key's id; empty: the machine's own role.") or None,
    "secret_key": env.text("S3_SECRET_KEY", "", help="The key's secret.", kind="secret") or None,
}
_FILES: dict[str, Any] = {"location": DATA_DIR / "files", "allow_overwrite": False}
STORAGES: dict[str, Any] = {
    "default": {"BACKEND": "core.storage.s3.GuardedS3Storage", "OPTIONS": _S3}
    if S3_BUCKET
    else {"BACKEND": "core.storage.LocalStorage", "OPTIONS": _FILES},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
FILES_QUOTA_MEBIBYTES = env.integer(
    "FILES_QUOTA_MEBIBYTES", 1024, help="How much one user may keep in files, all versions together.", minimum=1
)
FILES_PRESIGN_MEBIBYTES = env.integer(
    "FILES_PRESIGN_MEBIBYTES",
    1024,
    help="How large a file may be that a client uploads straight to the storage; S3 takes no more than 5120.",
    minimum=1,
    maximum=5120,
)
CLAMD_URL = env.text(
    "CLAMD_URL",
    "",
    help="tcp://host:3310 or unix:///path of a clamd that looks at each file before anybody is sent it; empty: none.",
    kind="url",
)
CLAMD = clamd_from_url(CLAMD_URL)
CLAMD_TIMEOUT_SECONDS = env.number("CLAMD_TIMEOUT_SECONDS", 120, help="How long one scan may take.", minimum=1)

# Static files ----------------------------------------------------------------------------------

STATIC_URL = f"{CDN_URL}/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
# What the image's build collects and production serves: compressed, with names that may be cached for ever.
HASHED_STATIC_FILES = {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
WHITENOISE_USE_FINDERS = not STATIC_ROOT.is_dir()
