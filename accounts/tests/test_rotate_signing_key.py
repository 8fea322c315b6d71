"""`manage.py rotate_signing_key` gives tokens a new signature and signs nobody out."""

from io import StringIO
from pathlib import Path

import jwt
import pytest
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from accounts.tests.answers import bearer
from accounts.tests.factories import access_token_of, create_session
from core.embedded.secrets import load_or_create

RING = "test:" + "dGVz" * 10 + "dGU="


def test_tokens_of_the_old_key_serve_on_and_new_ones_carry_the_new(
    owner: User, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setenv("JWT_KEYS", RING)
    session, printed = create_session(owner), StringIO()
    old_token = access_token_of(session)

    call_command("rotate_signing_key", stdout=printed, stderr=StringIO())
    settings.JWT_KEYS = printed.getvalue().strip()
    new_token = access_token_of(session)

    assert settings.JWT_KEYS.endswith("," + RING)
    assert jwt.get_unverified_header(new_token)["kid"] != "test"
    for token in (old_token, new_token):
        assert Client().get("/api/v1/users/me", headers=bearer(token)).status_code == 200


def test_the_ring_of_a_data_folder_is_changed_in_place(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path
) -> None:
    monkeypatch.delenv("JWT_KEYS", raising=False)
    settings.DATA_DIR = tmp_path
    before = load_or_create(tmp_path)
    settings.JWT_KEYS = f"{before['JWT_KEYS']},older:{RING[5:]},oldest:{RING[5:]}"
    said = StringIO()

    call_command("rotate_signing_key", stdout=said)

    after = load_or_create(tmp_path)
    new, *kept = after["JWT_KEYS"].split(",")
    assert kept == settings.JWT_KEYS.split(",")[:2]
    assert said.getvalue() == f"The key {new.partition(':')[0]} signs from the next start on.\n"
    assert {name: after[name] for name in before if name != "JWT_KEYS"} == {
        name: before[name] for name in before if name != "JWT_KEYS"
    }
