"""The people who work while the house burns, and the ledger of what they were told had been done."""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tests.drills.house import ADMIN, House

PASSWORD = "correct-horse-battery-staple"
GIVE_UP_AFTER = 60.0


@dataclass
class Ledger:
    """What the server acknowledged, as the clients wrote it down."""

    registered: list[str] = field(default_factory=list)
    verified: list[str] = field(default_factory=list)
    resources: dict[str, str] = field(default_factory=dict)
    refusals: Counter[str] = field(default_factory=Counter)

    @property
    def acked(self) -> int:
        return len(self.registered) + len(self.verified) + len(self.resources)

    @property
    def errors(self) -> int:
        """Return how many requests had to be sent again."""
        return self.refusals.total()


class Person:
    """A client that asks again, with the same Idempotency-Key, until it is answered."""

    def __init__(self, house: House, ledger: Ledger) -> None:
        self._house = house
        self._ledger = ledger
        self._token = ""

    def sign_in(self) -> None:
        email, password = ADMIN
        answer = self.post("/api/v1/auth/login", {"email": email, "password": password})
        self._token = answer["data"]["access_token"]

    def sign_out(self) -> None:
        self.post("/api/v1/auth/logout", {})

    def statuses(self, path: str, *, times: int) -> list[int]:
        """Return the statuses of so many GETs, each on a connection of its own, so that every process is asked."""
        return [self._get(path) for _ in range(times)]

    def register(self) -> str:
        """Register somebody new; return the address."""
        address = f"{uuid4().hex}@example.com"
        self.post("/api/v1/auth/register", {"email": address, "password": PASSWORD, "name": "Drill"})
        self._ledger.registered.append(address)
        return address

    def verify(self, address: str) -> None:
        """Follow the link in the mail, if it has come."""
        if self._house.sink.to(address):
            self.post("/api/v1/auth/verify-email", {"token": self._house.sink.token_sent_to(address)})
            self._ledger.verified.append(address)

    def write(self) -> str:
        """Write a resource; return its id."""
        name = uuid4().hex
        answer = self.post("/api/v1/resources", {"name": name, "data": {"note": name}})
        self._ledger.resources[name] = answer["data"]["id"]
        return str(answer["data"]["id"])

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Post until the answer is a yes; whatever else is answered counts as an error."""
        key = uuid4().hex
        deadline = time.monotonic() + GIVE_UP_AFTER
        while time.monotonic() < deadline:
            answer = self._try(path, body, key)
            if answer is not None:
                return answer
            time.sleep(0.1)
        raise TimeoutError(f"no yes to POST {path} in {GIVE_UP_AFTER:.0f} s: {self._ledger.refusals}")

    def _get(self, path: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self._house.port, timeout=10)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {self._token}"})
            return connection.getresponse().status
        finally:
            connection.close()

    def _try(self, path: str, body: dict[str, Any], key: str) -> dict[str, Any] | None:
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        connection = http.client.HTTPConnection("127.0.0.1", self._house.port, timeout=10)
        try:
            connection.request("POST", path, json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._ledger.refusals[type(error).__name__] += 1
            return None
        finally:
            connection.close()
        if response.status >= 300:
            self._ledger.refusals[f"{response.status} {text.decode()}"] += 1
            return None
        answer: dict[str, Any] = json.loads(text or "{}")
        return answer


def work(house: House, ledger: Ledger, *, seconds: float, on_accounts: bool = True) -> list[threading.Thread]:
    """Start people who work for so long, two on accounts and two on resources; return their threads."""
    deadline = time.monotonic() + seconds
    threads = [threading.Thread(target=_write_until, args=(Person(house, ledger), deadline)) for _ in range(2)]
    if on_accounts:
        threads += [threading.Thread(target=_join_until, args=(Person(house, ledger), deadline)) for _ in range(2)]
    for thread in threads:
        thread.start()
    return threads


def _write_until(person: Person, deadline: float) -> None:
    person.sign_in()
    while time.monotonic() < deadline:
        person.write()


def _join_until(person: Person, deadline: float) -> None:
    waiting: list[str] = []
    while time.monotonic() < deadline:
        waiting.append(person.register())
        # A mail takes more work than the request that asks for it: do not drill the length of the queue.
        time.sleep(0.3)
        if len(waiting) > 5:
            person.verify(waiting.pop(0))


def every(seconds: Callable[[], float], act: Callable[[], bool], *, until: Callable[[], bool]) -> int:
    """Call `act` again and again, with pauses, until it is over; return how often it did something."""
    done = 0
    while not until():
        time.sleep(seconds())
        done += act()
    return done
