"""Revocation holds within a second on every process, with Redis stopped too."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from accounts.models import User
from accounts.services import roles, users
from accounts.services.impersonation import Stay, end_impersonation
from accounts.services.sessions import end_sessions
from accounts.tests.answers import bearer
from accounts.tests.factories import access_token_of, create_session, create_user, start_stay
from accounts.tests.servers import WebProcess
from core.permissions import SYSTEM

ME = "/api/v1/users/me"
USERS = "/api/v1/users"


@pytest.fixture
def processes(transactional_db: None) -> Iterator[tuple[WebProcess, WebProcess]]:
    """Two web processes that reach PostgreSQL and no Redis."""
    servers = WebProcess(REDIS_URL="redis://127.0.0.1:1/0"), WebProcess(REDIS_URL="redis://127.0.0.1:1/0")
    yield servers
    for server in servers:
        server.stop()


def until(status: int, server: WebProcess, path: str, headers: dict[str, str]) -> float:
    """Return how long it took until the server answered with `status`; at most three seconds."""
    start = time.monotonic()
    while server.ask("GET", path, headers=headers) != status:
        assert time.monotonic() - start < 3
        time.sleep(0.01)
    return time.monotonic() - start


def test_what_is_taken_holds_on_every_process_within_a_second(processes: tuple[WebProcess, WebProcess]) -> None:
    here, elsewhere = processes
    create_user("admin")
    user = create_user("moderator")

    def case(act: Callable[[dict[str, str]], Any], status: int, path: str = ME) -> float:
        """Warm both processes with a new session, act, and return how long the other process believed the token."""
        headers = bearer(access_token_of(create_session(user)))
        assert [server.ask("GET", path, headers=headers) for server in processes] == [200, 200]
        act(headers)
        assert here.ask("GET", path, headers=headers) in {200, status}
        return until(status, elsewhere, path, headers)

    def change(**changes: Any) -> Callable[[dict[str, str]], Any]:
        return lambda headers: users.change_user(actor=SYSTEM, user_id=user.pk, changes=changes)

    took = {
        "logout": case(lambda headers: here.ask("POST", "/api/v1/auth/logout", headers=headers), 401),
        "logout-all": case(lambda headers: here.ask("POST", "/api/v1/auth/logout-all", headers=headers), 401),
        "role": case(change(role="user"), 403, USERS),
        "permissions": _permissions_taken(user, case),
        "disabled": case(change(is_active=False), 401),
    }

    assert {name: seconds for name, seconds in took.items() if seconds > 1} == {}


def _permissions_taken(user: User, case: Callable[..., float]) -> float:
    user.refresh_from_db()
    users.change_user(actor=SYSTEM, user_id=user.pk, changes={"role": "moderator"})
    moderator = User.objects.select_related("role").get(pk=user.pk).role
    return case(
        lambda headers: roles.change_role(actor=SYSTEM, role_id=moderator.pk, changes={"permissions": []}),
        403,
        USERS,
    )


def test_an_administrator_in_somebody_s_place_is_out_within_a_second(processes: tuple[WebProcess, WebProcess]) -> None:
    create_user("admin")
    ends: dict[str, Callable[[User, Stay], Any]] = {
        "demoted": lambda admin, stay: users.change_user(actor=SYSTEM, user_id=admin.pk, changes={"role": "user"}),
        "signed out": lambda admin, stay: end_sessions(user_id=admin.pk, actor=SYSTEM, reason="signed_out"),
        "ended": lambda admin, stay: end_impersonation(actor=SYSTEM, impersonation_id=stay.impersonation.pk),
    }
    took = {}
    for name, end in ends.items():
        admin = create_user("admin")
        stay = start_stay(admin, create_user())
        headers = bearer(stay.access_token)
        assert [server.ask("GET", ME, headers=headers) for server in processes] == [200, 200]
        end(admin, stay)
        took[name] = max(until(401, server, ME, headers) for server in processes)

    assert {name: seconds for name, seconds in took.items() if seconds > 1} == {}


def test_a_logout_holds_at_once_in_the_process_that_took_it(processes: tuple[WebProcess, WebProcess]) -> None:
    here, _ = processes
    headers = bearer(access_token_of(create_session(create_user())))
    assert here.ask("GET", ME, headers=headers) == 200

    here.ask("POST", "/api/v1/auth/logout", headers=headers)

    assert here.ask("GET", ME, headers=headers) == 401
