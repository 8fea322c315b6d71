"""Each thing that a deployment must not have is found, numbered and told what to do about."""

from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from core.checks import check_database, check_deployment, check_networks


@pytest.fixture(autouse=True)
def _good_deployment(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["api.nook.example"]
    settings.PUBLIC_URL = "https://api.nook.example"
    settings.EMAIL_URL = "smtp://nook:secret@mail.internal:587"
    settings.SECURE_HSTS_SECONDS = 31_536_000
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME = "__Host-session", "__Host-csrf"
    settings.CACHE_URL = settings.STATE_URL = "redis://nook:secret@redis.internal:6379/0"
    settings.BROKER_URL = "amqp://nook:secret@rabbitmq.internal:5672//"
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.BCryptSHA256PasswordHasher"]


def found() -> list[str]:
    return [str(message.id) for message in check_deployment(None)]


def test_a_good_deployment_has_nothing_to_say() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("name", "value", "number"),
    [
        ("DEBUG", True, "nook.E101"),
        ("ALLOWED_HOSTS", [], "nook.E102"),
        ("ALLOWED_HOSTS", ["*"], "nook.E102"),
        ("ALLOWED_HOSTS", [".nook.example"], "nook.E102"),
        ("SECURE_HSTS_SECONDS", 3600, "nook.E103"),
        ("PUBLIC_URL", "http://api.nook.example", "nook.E104"),
        ("SESSION_COOKIE_SECURE", False, "nook.E105"),
        ("CSRF_COOKIE_NAME", "csrftoken", "nook.E105"),
        ("USE_X_FORWARDED_HOST", True, "nook.E106"),
        ("SECURE_PROXY_SSL_HEADER", ("HTTP_X_FORWARDED_PROTO", "https"), "nook.E107"),
        ("REST_FRAMEWORK", {"DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.FormParser"]}, "nook.E108"),
        ("MIDDLEWARE", ["django.middleware.common.CommonMiddleware"], "nook.E110"),
        ("PASSWORD_HASHERS", ["django.contrib.auth.hashers.MD5PasswordHasher"], "nook.E111"),
        ("CACHES", {"default": {"BACKEND": "django_redis.cache.RedisCache"}}, "nook.E112"),
        ("STATE_URL", "redis://redis.internal:6379/0", "nook.W115"),
        ("BROKER_URL", "amqp://guest:guest@rabbitmq.internal:5672//", "nook.E116"),
        ("BROKER_URL", "amqp://rabbitmq.internal:5672//", "nook.E116"),
        ("CORS_ALLOW_ALL_ORIGINS", True, "nook.E117"),
        ("CORS_ALLOWED_ORIGIN_REGEXES", [".*"], "nook.E117"),
        ("CORS_ALLOWED_ORIGINS", ["http://app.example"], "nook.E117"),
        ("RATE_LIMIT_SCALE", 100, "nook.W118"),
        ("OUTBOUND_ALLOWED_HOSTS", ["metadata.internal"], "nook.W119"),
        ("METRICS_ALLOWED_NETWORKS", ["0.0.0.0/0"], "nook.E120"),
        ("EMAIL_URL", "consolemail://", "nook.E121"),
        ("PUBLIC_URL", "https://www.nook.example", "nook.E122"),
        ("EMAIL_URL", "smtp://mail.internal:25?tls=none", "nook.W123"),
    ],
)
def test_what_must_not_be_is_found(settings: Settings, name: str, value: Any, number: str) -> None:
    setattr(settings, name, value)

    assert number in found()
    assert all(message.hint for message in check_deployment(None))


def test_a_network_that_is_none_is_found_everywhere(settings: Settings) -> None:
    settings.METRICS_ALLOWED_NETWORKS = ["10.0.0.0/8", "10.0.0.0/99"]

    assert [message.msg for message in check_networks(None)] == [
        "METRICS_ALLOWED_NETWORKS: '10.0.0.0/99' is no network."
    ]


@pytest.mark.django_db
def test_a_migrated_database_with_limits_has_nothing_to_say() -> None:
    assert check_database(None, databases=["default"]) == []


@pytest.mark.django_db
def test_a_session_without_limits_is_found() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = 0")

    assert [message.id for message in check_database(None, databases=["default"])] == ["nook.E130"]


@pytest.mark.django_db
def test_a_log_that_can_be_rewritten_is_found() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE events DISABLE TRIGGER append_only")

    assert [message.id for message in check_database(None, databases=["default"])] == ["nook.E131"]


def test_a_user_of_the_demo_is_found(owner: Any) -> None:
    assert owner.email == "owner@example.com"

    assert [message.id for message in check_database(None, databases=["default"])] == ["nook.E132"]
