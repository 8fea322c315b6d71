"""Random sequences of calls beside the rules told a second time: after each, everybody sees what the rules say."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import Role, User
from accounts.tests.answers import ClientOf
from accounts.tests.factories import create_user
from resources.access import Level
from resources.models import Share
from resources.tests.factories import create_resource

pytestmark = pytest.mark.django_db

PEOPLE = 4
LEVELS = ("viewer", "commenter", "editor", "manager")
person = st.integers(0, PEOPLE - 1)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("share"), person, person, st.sampled_from(LEVELS)),
        st.tuples(st.just("unshare"), person, person),
        st.tuples(st.just("transfer"), person, person),
        st.tuples(st.just("delete"), person),
        st.tuples(st.just("restore"), person),
        st.tuples(st.just("role"), person, st.sampled_from(["user", "moderator", "admin"])),
    ),
    min_size=1,
    max_size=10,
)


@dataclass
class Given:
    """A share: what it gives, who gave it, and by whose share they could (None: as owner or administrator)."""

    level: Level
    giver: int
    through: int | None


@dataclass
class Rules:
    """The rules of access.py and of sharing on one private resource, in plain Python."""

    owner: int = 0
    in_bin: bool = False
    roles: list[str] = field(default_factory=lambda: ["user"] * PEOPLE)
    shares: dict[int, Given] = field(default_factory=dict)

    def holds(self, receiver: int) -> bool:
        share = self.shares[receiver]
        if share.through is None:
            return share.giver == self.owner or self.roles[share.giver] == "admin"
        above = self.shares.get(share.through)
        return above is not None and above.level >= Level.MANAGER and self.holds(share.through)

    def level(self, who: int) -> Level:
        if self.roles[who] == "admin":
            return Level.OWNER if who == self.owner else Level.ADMIN
        held = [Level.EDITOR] if self.roles[who] == "moderator" else []
        held += [Level.OWNER] if who == self.owner else []
        held += [self.shares[who].level] if who in self.shares and self.holds(who) else []
        return max(held, default=Level.NONE)

    def sees(self, who: int) -> bool:
        return not self.in_bin and self.level(who) > Level.NONE

    def refusal(self, who: int, needed: Level) -> int | None:
        """Return the status that refuses somebody, or None."""
        if not self.sees(who):
            return 404
        return None if self.level(who) >= needed else 403

    def share(self, who: int, to: int, level: str) -> int:
        refused = self.refusal(who, Level.MANAGER)
        if refused:
            return refused
        if to in {who, self.owner}:
            return 400
        if to in self.shares:
            if self.holds(to):
                return 409
            self.remove(to)
        as_themself = who == self.owner or self.roles[who] == "admin"
        self.shares[to] = Given(Level[level.upper()], who, None if as_themself else who)
        return 201

    def unshare(self, who: int, of: int) -> int:
        refused = self.refusal(who, Level.VIEWER)
        if refused:
            return refused
        share = self.shares.get(of)
        is_theirs = share is not None and who in {of, share.giver}
        if not is_theirs and self.level(who) < Level.MANAGER:
            return 403
        if share is None:
            return 404
        self.remove(of)
        return 204

    def remove(self, receiver: int) -> None:
        del self.shares[receiver]
        for below in [one for one, share in self.shares.items() if share.through == receiver]:
            if below in self.shares:
                self.remove(below)

    def transfer(self, who: int, to: int) -> int:
        refused = self.refusal(who, Level.OWNER)
        if refused:
            return refused
        if to != self.owner:
            self.owner = to
            dead = [one for one in self.shares if not self.holds(one)]
            self.shares = {one: share for one, share in self.shares.items() if one not in dead}
        return 200

    def delete(self, who: int) -> int:
        refused = self.refusal(who, Level.MANAGER)
        if refused:
            return refused
        self.in_bin = True
        return 204

    def restore(self, who: int) -> int:
        if not self.in_bin or self.level(who) < Level.MANAGER:
            return 404
        self.in_bin = False
        return 200

    def role(self, who: int, name: str) -> int:
        self.roles[who] = name
        return 0


class House:
    """The same over HTTP."""

    def __init__(self, client_of: ClientOf) -> None:
        self.client_of = client_of
        self.people = [create_user(name=f"Person {number}") for number in range(PEOPLE)]
        self.path = f"/api/v1/resources/{create_resource(self.people[0]).pk}"

    def client(self, who: int) -> Client:
        return self.client_of(User.objects.get(pk=self.people[who].pk))

    def share(self, who: int, to: int, level: str) -> int:
        body = {"user": str(self.people[to].pk), "access": level}
        return int(self.client(who).post(f"{self.path}/shares", body).status_code)

    def unshare(self, who: int, of: int) -> int:
        found = Share.objects.filter(user=self.people[of]).first()
        share_id = found.pk if found else "019a9c1e-5f00-7c4e-9d1b-2f6f3f0c8a99"
        return int(self.client(who).delete(f"{self.path}/shares/{share_id}").status_code)

    def transfer(self, who: int, to: int) -> int:
        body = {"owner": str(self.people[to].pk)}
        return int(self.client(who).post(f"{self.path}/transfer", body).status_code)

    def delete(self, who: int) -> int:
        return int(self.client(who).delete(self.path).status_code)

    def restore(self, who: int) -> int:
        return int(self.client(who).post(f"{self.path}/restore").status_code)

    def role(self, who: int, name: str) -> int:
        User.objects.filter(pk=self.people[who].pk).update(role=Role.objects.get(name=name))
        return 0

    def access(self, who: int) -> str:
        answer = self.client(who).get(self.path)
        return str(answer.json()["data"]["access"]) if answer.status_code == 200 else f"{answer.status_code}"


@given(sequence=steps)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_people_do_everybody_sees_what_the_rules_say(
    sequence: list[tuple[Any, ...]], client_of: ClientOf
) -> None:
    with transaction.atomic():
        rules, house = Rules(), House(client_of)
        for step in sequence:
            verb, *arguments = step
            expected = getattr(rules, verb)(*arguments)

            assert getattr(house, verb)(*arguments) == expected, (sequence, step)

            shown = {who: house.access(who) for who in range(PEOPLE)}
            assert shown == {who: rules.level(who).label if rules.sees(who) else "404" for who in range(PEOPLE)}, (
                sequence,
                step,
            )
        transaction.set_rollback(True)
