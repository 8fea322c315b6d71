"""What a deployment must not have (`check --deploy`), each with a number and what to do about it."""

from collections.abc import Callable, Iterator
from ipaddress import ip_network
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import checks
from django.core.checks import CheckMessage, Error, Warning
from django.db import connection

_YEAR: Final = 31_536_000
_LIMITS: Final = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
_DEMO_ADDRESSES: Final = "@example.com"
_GOOD_HASHERS: Final = ("BCryptSHA256PasswordHasher", "Argon2PasswordHasher")


@checks.register("nook", deploy=True)
def check_deployment(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Return every setting that production must not have."""
    return [message for rule in _RULES for message in rule()]


@checks.register(checks.Tags.database, deploy=True)
def check_database(app_configs: Any, *, databases: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Return what the database itself lacks; asked for by `check --deploy --database default`."""
    if not databases or "default" not in databases:
        return []
    return [*_time_limits(), *_append_only_log(), *_demo_users()]


@checks.register("nook")
def check_networks(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Return the networks that are none."""
    return [
        Error(
            f"METRICS_ALLOWED_NETWORKS: {network!r} is no network.",
            hint="Write an address or a network, as in 10.0.0.0/8.",
            id="nook.E114",
        )
        for network in settings.METRICS_ALLOWED_NETWORKS
        if not _is_network(network)
    ]


def _debug() -> Iterator[CheckMessage]:
    if settings.DEBUG:
        yield Error("DEBUG is on.", hint="Run with config.settings.production.", id="nook.E101")


def _hosts() -> Iterator[CheckMessage]:
    if not settings.ALLOWED_HOSTS or any(host.startswith(("*", ".")) for host in settings.ALLOWED_HOSTS):
        hint = "Name each host that is ours, without wildcards."
        yield Error("ALLOWED_HOSTS is not exact.", hint=hint, id="nook.E102")
    host = urlsplit(settings.PUBLIC_URL).hostname
    if host is not None and host not in settings.ALLOWED_HOSTS:
        hint = "Add the host of PUBLIC_URL to ALLOWED_HOSTS."
        yield Error(f"Links lead to {host}, which this server does not answer to.", hint=hint, id="nook.E122")


def _https() -> Iterator[CheckMessage]:
    if settings.SECURE_HSTS_SECONDS < _YEAR:
        hint = "Set SECURE_HSTS_SECONDS to 31536000."
        yield Error("Browsers are not told to keep to HTTPS for a year.", hint=hint, id="nook.E103")
    if not settings.PUBLIC_URL.startswith("https://"):
        hint = "Set PUBLIC_URL to the https:// address that people use."
        yield Error("Links in mails do not lead to HTTPS.", hint=hint, id="nook.E104")


def _cookies() -> Iterator[CheckMessage]:
    for kind in ("SESSION", "CSRF"):
        name, secure = getattr(settings, f"{kind}_COOKIE_NAME"), getattr(settings, f"{kind}_COOKIE_SECURE")
        if not secure or not name.startswith("__Host-"):
            hint = f"Set {kind}_COOKIE_SECURE, and a {kind}_COOKIE_NAME that starts with __Host-."
            yield Error(f"The cookie {name} is not bound to this host over HTTPS.", hint=hint, id="nook.E105")


def _proxies() -> Iterator[CheckMessage]:
    if settings.USE_X_FORWARDED_HOST:
        hint = "Leave USE_X_FORWARDED_HOST off; have the proxy pass Host on."
        yield Error("Any client can say which host it asked.", hint=hint, id="nook.E106")
    if settings.SECURE_PROXY_SSL_HEADER and not settings.TRUSTED_PROXY_COUNT:
        hint = "Set TRUSTED_PROXY_COUNT to the number of proxies, or drop SECURE_PROXY_SSL_HEADER."
        yield Error("Any client can say that it came over HTTPS.", hint=hint, id="nook.E107")


def _media_types() -> Iterator[CheckMessage]:
    rest = settings.REST_FRAMEWORK
    if rest.get("DEFAULT_PARSER_CLASSES") != ["core.api.parser.StrictJSONParser"]:
        yield Error("The API parses more than strict JSON.", hint="Keep StrictJSONParser alone.", id="nook.E108")
    if rest.get("DEFAULT_RENDERER_CLASSES") != ["rest_framework.renderers.JSONRenderer"]:
        yield Error("The API renders more than JSON.", hint="Keep JSONRenderer alone.", id="nook.E109")


def _middleware() -> Iterator[CheckMessage]:
    wanted = (
        "core.middleware.EdgeMiddleware",
        "core.middleware.PageCsrfMiddleware",
        "core.middleware.PagePolicyMiddleware",
    )
    if settings.MIDDLEWARE[0] != wanted[0] or not set(wanted) <= set(settings.MIDDLEWARE):
        hint = f"Keep {', '.join(wanted)} in MIDDLEWARE, the first one first."
        yield Error("Answers lack security headers, CSRF protection or a content policy.", hint=hint, id="nook.E110")


def _hashers() -> Iterator[CheckMessage]:
    if not settings.PASSWORD_HASHERS[0].endswith(_GOOD_HASHERS):
        hint = "Put BCryptSHA256PasswordHasher or Argon2PasswordHasher first."
        yield Error("New passwords are hashed by neither bcrypt nor Argon2.", hint=hint, id="nook.E111")


def _redis() -> Iterator[CheckMessage]:
    caches: dict[str, Any] = settings.CACHES
    for alias, cache in caches.items():
        options = cache.get("OPTIONS", {})
        if "pickle" in options.get("SERIALIZER", "pickle").lower():
            hint = "Use django_redis.serializers.json.JSONSerializer."
            yield Error(f"The cache {alias!r} unpickles: whoever writes to it runs code.", hint=hint, id="nook.E112")
        if not (options.get("SOCKET_TIMEOUT") and options.get("SOCKET_CONNECT_TIMEOUT")):
            hint = "Set SOCKET_TIMEOUT and SOCKET_CONNECT_TIMEOUT."
            yield Error(f"The cache {alias!r} may hang for ever.", hint=hint, id="nook.E113")
    for name in ("CACHE_URL", "STATE_URL"):
        parts = urlsplit(getattr(settings, name))
        if parts.scheme.startswith("redis") and parts.password is None and parts.hostname not in {"127.0.0.1", "::1"}:
            hint = "Give the server an ACL user of its own: redis://user:password@host:6379/0."
            yield Warning(f"{name} has no password.", hint=hint, id="nook.W115")


def _broker() -> Iterator[CheckMessage]:
    parts = urlsplit(settings.BROKER_URL)
    if parts.scheme.startswith("amqp") and (parts.username or "guest") == "guest":
        hint = "Make a user and a vhost of its own."
        yield Error("The broker's user is guest.", hint=hint, id="nook.E116")


def _origins() -> Iterator[CheckMessage]:
    wild = getattr(settings, "CORS_ALLOW_ALL_ORIGINS", False) or getattr(settings, "CORS_ALLOWED_ORIGIN_REGEXES", ())
    if wild or any(not origin.startswith("https://") or "*" in origin for origin in settings.CORS_ALLOWED_ORIGINS):
        hint = "List exact https:// origins in CORS_ALLOWED_ORIGINS."
        yield Error("Browser code of origins that are not listed exactly may call the API.", hint=hint, id="nook.E117")


def _limits() -> Iterator[CheckMessage]:
    if settings.RATE_LIMIT_SCALE != 1:
        hint = "Unset RATE_LIMIT_SCALE; it is for load tests."
        yield Warning(f"Rate limits are multiplied by {settings.RATE_LIMIT_SCALE:g}.", hint=hint, id="nook.W118")


def _ways_out() -> Iterator[CheckMessage]:
    if settings.OUTBOUND_ALLOWED_HOSTS:
        hosts = ", ".join(settings.OUTBOUND_ALLOWED_HOSTS)
        hint = "Empty OUTBOUND_ALLOWED_HOSTS unless that is meant."
        yield Warning(f"Requests of ours may reach {hosts} past the address guard.", hint=hint, id="nook.W119")


def _metrics() -> Iterator[CheckMessage]:
    networks = [network for network in settings.METRICS_ALLOWED_NETWORKS if _is_network(network)]
    if any(ip_network(network, strict=False).prefixlen == 0 for network in networks):
        hint = "Narrow METRICS_ALLOWED_NETWORKS, or use METRICS_TOKEN."
        yield Error("Everybody may read /metrics.", hint=hint, id="nook.E120")


def _mail() -> Iterator[CheckMessage]:
    if not settings.EMAIL_URL.startswith(("smtp://", "smtps://")):
        hint = "Set EMAIL_URL to smtp:// or smtps://."
        yield Error("Mail reaches nobody.", hint=hint, id="nook.E121")
    elif "tls=none" in settings.EMAIL_URL:
        yield Warning("Mail goes out in the clear.", hint="Drop tls=none from EMAIL_URL.", id="nook.W123")


def _text_messages() -> Iterator[CheckMessage]:
    if settings.SMS.get("scheme") == "console":
        hint = "Set SMS_URL to twilio://…, or leave it empty: then there are no telephone numbers."
        yield Error("Codes by text message are printed in the log.", hint=hint, id="nook.E124")
    elif settings.SMS and not settings.SMS_ALLOWED_PREFIXES:
        hint = "Name the countries that your people live in: SMS_ALLOWED_PREFIXES=+43,+49."
        yield Warning("Anybody may have text messages sent to any country, at your cost.", hint=hint, id="nook.W125")


_RULES: Final[tuple[Callable[[], Iterator[CheckMessage]], ...]] = (
    _debug,
    _hosts,
    _https,
    _cookies,
    _proxies,
    _media_types,
    _middleware,
    _hashers,
    _redis,
    _broker,
    _origins,
    _limits,
    _ways_out,
    _metrics,
    _mail,
    _text_messages,
)


def _time_limits() -> Iterator[CheckMessage]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_settings WHERE name = ANY(%s) AND setting = '0'", [list(_LIMITS)])
        unlimited = sorted(name for (name,) in cursor.fetchall())
    if unlimited:
        hint = "ALTER ROLE … SET " + " = …, ".join(unlimited) + " = …; or connect without a pooler, which sets them."
        yield Error(f"The database gives sessions no {', '.join(unlimited)}.", hint=hint, id="nook.E130")


def _append_only_log() -> Iterator[CheckMessage]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_trigger"
            " WHERE tgrelid = to_regclass('events') AND tgname = 'append_only' AND tgenabled <> 'D'"
        )
        (count,) = cursor.fetchone()
    if not count:
        hint = "Migrate; if a trigger was disabled, enable it: ALTER TABLE events ENABLE TRIGGER ALL."
        yield Error("The event log can be rewritten.", hint=hint, id="nook.E131")


def _demo_users() -> Iterator[CheckMessage]:
    users = get_user_model()._default_manager.filter(email__endswith=_DEMO_ADDRESSES, is_active=True)
    if users.exists():
        hint = "Delete or disable every user at example.com."
        yield Error("The users of the demo can sign in.", hint=hint, id="nook.E132")


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True
