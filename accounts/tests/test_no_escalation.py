"""Whatever somebody without `admin` asks of the API, in whatever order: nobody comes to hold more than they do."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import pytest
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from accounts.models import Role, User
from accounts.tests.answers import bearer
from accounts.tests.factories import access_token_of, create_session, create_user
from core.permissions import ADMIN, PERMISSIONS

NAMES: Final = ("first", "second", "third")
PEOPLE: Final = 4

Step: TypeAlias = tuple[str, int, dict[str, Any]]

_permissions = st.lists(st.sampled_from(sorted(PERMISSIONS)), unique=True, max_size=6)
_of_staff = st.lists(st.sampled_from(sorted(PERMISSIONS.keys() - {ADMIN})), unique=True, min_size=1)
_role_names = st.sampled_from((*NAMES, "user", "moderator", "admin"))
_user_changes = st.fixed_dictionaries(
    {},
    optional={
        "name": st.just("Changed"),
        "role": _role_names,
        "is_active": st.booleans(),
        "email_verified": st.booleans(),
        "email": st.sampled_from(("mine@example.com", "person@example.com")),
    },
)
_role_changes = st.fixed_dictionaries({}, optional={"permissions": _permissions, "require_mfa": st.booleans()})
_new_user = st.fixed_dictionaries(
    {
        "email": st.integers(0, 9).map("new-{}@example.com".format),
        "name": st.just("New"),
        "password": st.just("correct-horse-battery-staple"),
    },
    optional={"role": _role_names, "is_active": st.booleans(), "email_verified": st.booleans()},
)
_steps: st.SearchStrategy[Step] = st.one_of(
    st.tuples(st.just("create user"), st.just(0), _new_user),
    st.tuples(st.just("patch user"), st.integers(0, PEOPLE), _user_changes),
    st.tuples(st.just("delete user"), st.integers(0, PEOPLE), st.just({})),
    st.tuples(st.just("restore user"), st.integers(0, PEOPLE), st.just({})),
    st.tuples(
        st.just("create role"), st.just(0), st.builds(lambda held: {"name": "new", "permissions": held}, _permissions)
    ),
    st.tuples(st.just("patch role"), st.integers(0, len(NAMES) - 1), _role_changes),
    st.tuples(st.just("delete role"), st.integers(0, len(NAMES) - 1), st.just({})),
)


class House:
    """The actor in the first role, an administrator, and people in the others, some disabled, some deleted."""

    def __init__(self, roles: list[list[str]], people: list[tuple[str, str]]) -> None:
        create_user("admin")
        self.roles = [Role.objects.create(name=name, permissions=held) for name, held in zip(NAMES, roles, strict=True)]
        self.actor = create_user(NAMES[0])
        self.people = [self.actor, *(self._person(role, state) for role, state in people)]
        headers = bearer(access_token_of(create_session(self.actor)))
        self.client = Client(headers=headers, REMOTE_ADDR="10.70.0.1")

    def take(self, step: Step) -> int:
        """Ask for the step over HTTP; return the status."""
        name, index, body = step
        verb, _, thing = name.partition(" ")
        row = (self.people if thing == "user" else self.roles)[index]
        path = f"/api/v1/{thing}s" if verb == "create" else f"/api/v1/{thing}s/{row.pk}"
        method = {"create": "POST", "patch": "PATCH", "delete": "DELETE", "restore": "POST"}[verb]
        call: Callable[..., Any] = getattr(self.client, method.lower())
        target = f"{path}/restore" if verb == "restore" else path
        return int(call(target, body, "application/json").status_code)

    def held(self) -> dict[Any, frozenset[str]]:
        """Return what everyone holds who can act at all."""
        people = User.objects.select_related("role").filter(is_active=True)
        return {user.pk: user.permission_set for user in people}

    def _person(self, role: str, state: str) -> User:
        deleted_at = datetime.now(UTC) if state == "deleted" else None
        return create_user(role, is_active=state != "disabled", deleted_at=deleted_at)


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    roles=st.tuples(_of_staff, _permissions, _permissions).map(list),
    people=st.lists(
        st.tuples(_role_names, st.sampled_from(("live", "disabled", "deleted"))), min_size=PEOPLE, max_size=PEOPLE
    ),
    steps=st.lists(_steps, min_size=1, max_size=12),
)
@pytest.mark.django_db
def test_no_sequence_of_calls_widens_anyone_beyond_the_one_who_calls(
    settings: Settings, roles: list[list[str]], people: list[tuple[str, str]], steps: list[Step]
) -> None:
    settings.RATE_LIMIT_SCALE = 1000
    with transaction.atomic():
        house = House(roles, people)
        before, own = house.held(), frozenset(roles[0])

        for step in steps:
            status = house.take(step)

            assert status < 500, step
            for user, now in house.held().items():
                assert now - before.get(user, frozenset()) <= own, step
        transaction.set_rollback(True)
