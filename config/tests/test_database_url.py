"""DATABASE_URL as Django's settings, straight to PostgreSQL or through a pooler."""

import pytest

from config.database import database_from_url
from config.env import ConfigurationError


def test_a_url_gives_every_part_and_the_limits_of_the_session() -> None:
    settings = database_from_url("postgres://nook:p%40ss@db.example:6000/link?sslmode=verify-full")

    assert settings == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "link",
        "USER": "nook",
        "PASSWORD": "p@ss",
        "HOST": "db.example",
        "PORT": "6000",
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": False,
        "OPTIONS": {
            "connect_timeout": 5,
            "options": (
                "-c lock_timeout=2000 -c statement_timeout=10000 -c idle_in_transaction_session_timeout=30000"
                " -c random_page_cost=1.1 -c jit=off -c pg_trgm.word_similarity_threshold=0.3"
            ),
            "sslmode": "verify-full",
        },
    }


def test_a_pooled_session_is_given_nothing_that_would_have_to_last() -> None:
    settings = database_from_url("postgres://nook@pgbouncer:6432/nook", pooled=True)

    assert settings["DISABLE_SERVER_SIDE_CURSORS"] is True
    assert settings["OPTIONS"] == {"connect_timeout": 5, "prepare_threshold": None}


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://nook@db/nook", "DATABASE_URL must start with postgres:// or postgresql://."),
        ("postgres://nook@db:five/nook", "DATABASE_URL: the port is not a number."),
        ("postgres://nook@db", "DATABASE_URL names no database."),
    ],
)
def test_a_url_that_leads_nowhere_is_refused_in_one_line(url: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{message}$"):
        database_from_url(url)
