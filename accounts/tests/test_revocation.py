"""What is taken from somebody holds within a second on every process, whatever Redis does."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pyotp
import pytest

from accounts.models import Role, User
from accounts.services.impersonation import Stay, end_impersonation
from accounts.services.sessions import end_sessions
from accounts.services.users import change_user
from accounts.tests.answers import bearer
from accounts.tests.factories import (
    PASSWORD,
    access_token_of,
    create_api_token_of,
    create_session,
    create_user,
    start_stay,
)
from accounts.tests.servers import WebProcess
from core.permissions import SYSTEM
from core.tests.platform import OwnRedis

ME = "/api/v1/users/me"
USERS = "/api/v1/users"
PERMISSIONS = "/api/v1/permissions"
AUTH = "/api/v1/auth"

Headers = dict[str, str]


@dataclass
class Case:
    """Something that is taken: the credentials that must stop, how it is done over HTTP, and the refusal."""

    name: str
    held: Headers
    act: Callable[[WebProcess], list[int]]
    status: int = 401
    path: str = ME
    acted_at: float = 0.0
    last_accepted_at: float = 0.0
    refused_with: int = field(default=0)

    @property
    def seconds(self) -> float:
        """Return how long after the act a request could still begin that was let in."""
        return max(self.last_accepted_at - self.acted_at, 0.0)


@pytest.fixture
def processes(transactional_db: None, own_redis: OwnRedis) -> Iterator[tuple[WebProcess, WebProcess]]:
    """Two web processes with a Redis of their own, which the test may stop and hang."""
    urls = {"REDIS_URL": own_redis.url, "RATE_LIMIT_SCALE": "1000"}
    servers = WebProcess(**urls), WebProcess(**urls)
    yield servers
    for server in servers:
        server.stop()


def signed_in(user: User) -> Headers:
    return bearer(access_token_of(create_session(user)))


def cases(admin: Headers) -> list[Case]:
    """Return one of each; everybody in them is new."""
    return [
        *_of_a_session(),
        *_of_staff(admin),
        *_of_api_tokens(admin),
        *_of_impersonation(),
    ]


def _of_a_session() -> Iterator[Case]:
    held = signed_in(create_user())
    yield Case("logout", held, lambda here: [here.ask("POST", f"{AUTH}/logout", headers=held)])

    user = create_user()
    other = signed_in(user)
    yield Case("logout-all", signed_in(user), lambda here: [here.ask("POST", f"{AUTH}/logout-all", headers=other)])

    user = create_user()
    kept = signed_in(user)
    body = {"current_password": PASSWORD, "new_password": "another-horse-and-battery"}
    yield Case(
        "password", signed_in(user), lambda here: [here.ask("POST", f"{AUTH}/change-password", body, headers=kept)]
    )

    user = create_user()
    enrolling = signed_in(user)
    yield Case("MFA", signed_in(user), lambda here: _enrol(here, enrolling))


def _enrol(here: WebProcess, headers: Headers) -> list[int]:
    begun, answer = here.call("POST", f"{AUTH}/mfa/totp", headers=headers)
    code = pyotp.TOTP(answer["data"]["secret"]).now()
    return [begun, here.ask("POST", f"{AUTH}/mfa/totp/confirm", {"code": code}, headers=headers)]


def _of_staff(admin: Headers) -> Iterator[Case]:
    def change(user: User, **changes: Any) -> Callable[[WebProcess], list[int]]:
        return lambda here: [here.ask("PATCH", f"{USERS}/{user.pk}", changes, headers=admin)]

    user = create_user("moderator")
    yield Case("role", signed_in(user), change(user, role="user"), 403, USERS)

    user = create_user()
    yield Case("disabled", signed_in(user), change(user, is_active=False))

    user = create_user()
    path = f"{USERS}/{user.pk}"
    # Not /users/me, which finds no such user before the session is known to have ended.
    yield Case("deleted", signed_in(user), lambda here: [here.ask("DELETE", path, headers=admin)], path=PERMISSIONS)

    reader, held = _reader()
    yield Case("permissions", held, _emptied(reader, admin), 403, USERS)


def _reader(*, by_token: bool = False) -> tuple[Role, Headers]:
    """Return a new role that may read users, and the credentials of somebody who has it."""
    role = Role.objects.create(name=f"reader {time.monotonic_ns()}", permissions=["read:user"])
    user = create_user(role.name)
    return role, bearer(create_api_token_of(user, "read:user")[1]) if by_token else signed_in(user)


def _emptied(role: Role, admin: Headers) -> Callable[[WebProcess], list[int]]:
    path = f"/api/v1/roles/{role.pk}"
    return lambda here: [here.ask("PATCH", path, {"permissions": []}, headers=admin)]


def _of_api_tokens(admin: Headers) -> Iterator[Case]:
    user = create_user()
    row, secret = create_api_token_of(user)
    session, path = signed_in(user), f"{AUTH}/api-tokens/{row.pk}"
    yield Case("API token revoked", bearer(secret), lambda here: [here.ask("DELETE", path, headers=session)])

    user = create_user()
    disabled = f"{USERS}/{user.pk}"
    yield Case(
        "API token of a disabled user",
        bearer(create_api_token_of(user)[1]),
        lambda here: [here.ask("PATCH", disabled, {"is_active": False}, headers=admin)],
    )

    role, held = _reader(by_token=True)
    yield Case("API token's permission", held, _emptied(role, admin), 403, USERS)


def _of_impersonation() -> Iterator[Case]:
    """Yield what ends an administrator's stay in somebody's place, done in a third process: this one."""
    ends: dict[str, Callable[[User, Stay], object]] = {
        "impersonator demoted": lambda admin, stay: change_user(
            actor=SYSTEM, user_id=admin.pk, changes={"role": "user"}
        ),
        "impersonator signed out": lambda admin, stay: end_sessions(user_id=admin.pk, actor=SYSTEM, reason="test"),
        "impersonation ended": lambda admin, stay: end_impersonation(
            actor=SYSTEM, impersonation_id=stay.impersonation.pk
        ),
    }
    for name, end in ends.items():
        admin = create_user("admin")
        stay = start_stay(admin, create_user())
        yield Case(name, bearer(stay.access_token), partial(_in_this_process, end, admin, stay))


def _in_this_process(end: Callable[[User, Stay], object], admin: User, stay: Stay, here: WebProcess) -> list[int]:
    end(admin, stay)
    return []


def settle(here: WebProcess, elsewhere: WebProcess, chosen: list[Case]) -> None:
    """Let both processes believe everybody, act in one of them, and ask the other until it believes nobody."""
    for case in chosen:
        warm = [server.ask("GET", case.path, headers=case.held) for server in (here, elsewhere)]
        assert warm == [200, 200], case.name
    waiting = []
    for case in chosen:
        assert elsewhere.ask("GET", case.path, headers=case.held) == 200, case.name
        assert all(status < 300 for status in case.act(here)), case.name
        case.acted_at = time.monotonic()
        waiting.append(case)
        _ask(elsewhere, waiting)
    deadline = time.monotonic() + 60
    while any(not case.refused_with for case in waiting) and time.monotonic() < deadline:
        _ask(elsewhere, waiting)


def _ask(server: WebProcess, waiting: list[Case]) -> None:
    for case in waiting:
        if case.refused_with:
            continue
        began = time.monotonic()
        status = server.ask("GET", case.path, headers=case.held)
        if status == 200:
            case.last_accepted_at = began
        else:
            case.refused_with = status


def test_what_is_taken_holds_on_every_process_within_a_second_whatever_redis_does(
    processes: tuple[WebProcess, WebProcess], own_redis: OwnRedis
) -> None:
    here, elsewhere = processes
    admin = signed_in(create_user("admin"))
    late: dict[tuple[str, str], float] = {}
    wrong: dict[tuple[str, str], int] = {}

    for redis, prepare in {"up": lambda: None, "hung": own_redis.freeze, "stopped": own_redis.stop}.items():
        prepare()
        chosen = cases(admin)
        settle(here, elsewhere, chosen)
        late |= {(redis, case.name): case.seconds for case in chosen if case.seconds > 1}
        wrong |= {(redis, case.name): case.refused_with for case in chosen if case.refused_with != case.status}

    assert (late, wrong) == ({}, {})


def test_it_holds_at_once_in_the_process_that_took_it(processes: tuple[WebProcess, WebProcess]) -> None:
    here, _ = processes
    user = create_user()
    session = signed_in(user)
    row, secret = create_api_token_of(user)
    assert [here.ask("GET", ME, headers=headers) for headers in (session, bearer(secret))] == [200, 200]

    here.ask("DELETE", f"{AUTH}/api-tokens/{row.pk}", headers=session)
    here.ask("POST", f"{AUTH}/logout", headers=session)

    assert [here.ask("GET", ME, headers=headers) for headers in (session, bearer(secret))] == [401, 401]
