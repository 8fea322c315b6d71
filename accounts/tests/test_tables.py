"""What the database itself promises of users, roles and sessions."""

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.models import Role, Session, User

COLUMNS = """
    SELECT column_name, data_type, character_maximum_length, is_nullable = 'YES', column_default
    FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = %s
"""


def rows(sql: str, *parameters: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else []


def columns(table: str) -> dict[object, tuple[object, ...]]:
    return {name: tuple(rest) for name, *rest in rows(COLUMNS, table)}


def test_users_have_the_columns_of_the_contract(db: None) -> None:
    found = columns("users")

    assert found["id"][:3] == ("uuid", None, False)
    assert found["id"][3] == "nook_uuid7()"
    assert found["email"] == ("character varying", 255, False, None)
    assert found["password_hash"] == ("character varying", 255, False, None)
    assert found["name"] == ("character varying", 255, False, None)
    assert found["role_id"] == ("integer", None, False, "nook_default_role()")
    assert found["is_active"] == ("boolean", None, False, "true")
    assert found["email_verified"] == ("boolean", None, False, "false")
    assert found["deleted_at"][2] is True


def test_roles_have_the_columns_of_the_contract(db: None) -> None:
    found = columns("roles")

    assert found["id"][0] == "integer"
    assert found["name"] == ("character varying", 50, False, None)
    assert found["permissions"] == ("jsonb", None, False, "'[]'::jsonb")


def test_sessions_have_the_columns_of_the_contract(db: None) -> None:
    found = columns("sessions")

    assert found["user_id"] == ("uuid", None, False, None)
    assert found["token"] == ("character varying", 64, False, None)
    assert found["expires_at"][:3] == ("timestamp with time zone", None, False)


@pytest.mark.parametrize(
    ("index", "part"),
    [
        (
            "idx_users_email",
            "UNIQUE INDEX idx_users_email ON public.users USING btree (email) WHERE (deleted_at IS NULL)",
        ),
        ("idx_users_role_id", "(role_id)"),
        ("idx_users_created_at", "(created_at DESC, id DESC)"),
        ("idx_sessions_user_id", "(user_id, created_at DESC)"),
        ("idx_sessions_token", "UNIQUE INDEX idx_sessions_token ON public.sessions USING btree (token)"),
    ],
)
def test_the_named_indexes_are_there(db: None, index: str, part: str) -> None:
    ((definition,),) = rows("SELECT indexdef FROM pg_indexes WHERE indexname = %s", index)

    assert part in str(definition)


def test_a_row_can_be_written_without_the_application(db: None) -> None:
    rows("INSERT INTO users (email, password_hash, name) VALUES ('raw@example.com', '!', 'Raw')")
    rows("INSERT INTO roles (name) VALUES ('raw')")
    rows("INSERT INTO sessions (user_id, token, expires_at) SELECT id, 'x', now() + interval '1 day' FROM users")

    user = User.objects.select_related("role").get()
    assert (user.role_name, user.is_active, user.email_verified, user.pk.version) == ("user", True, False, 7)
    assert Role.objects.get(name="raw").permissions == []
    assert Session.objects.live().get().amr == ["pwd"]


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("INSERT INTO users (email, password_hash, name) VALUES ('Raw@example.com', '!', 'R')", "ck_users_email_lower"),
        ("INSERT INTO users (email, password_hash, name) VALUES ('owner@example.com', '!', 'R')", "idx_users_email"),
        ("INSERT INTO roles (name) VALUES ('user')", "roles_name_key"),
    ],
)
def test_the_database_refuses_what_must_not_be(owner: User, statement: str, constraint: str) -> None:
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        rows(statement)


def test_times_of_change_follow_raw_updates(owner: User) -> None:
    rows("UPDATE users SET name = 'Raw'")

    assert User.objects.get().updated_at > owner.updated_at
