"""`python -m bench.enumeration`: can a stranger tell from the time of an answer what state an account is in?

Signs in (with a wrong password), asks for a reset and registers, once for each account, the states in turn and in
random order, over one connection. Two states are as alike as the area under their ROC curve is near to a half: the
chance that the slower of two answers is guessed to be of the right state. Chance alone moves it, the more so the
fewer the tries, so each figure stands beside what shuffled labels give in nineteen of twenty cases.
"""

import argparse
import http.client
import json
import sys
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from contextlib import ExitStack
from itertools import combinations
from random import SystemRandom
from typing import Any, Final

from bench.servers import WebServer
from bench.stage import FOLDER, World, services, world

Times = dict[str, list[float]]

_SHUFFLES: Final = 200
_random: Final = SystemRandom()

_BODIES: Final[dict[str, Callable[[str], dict[str, str]]]] = {
    "login": lambda email: {"email": email, "password": "wrong-horse-battery"},
    "forgot-password": lambda email: {"email": email},
    "register": lambda email: {"email": email, "password": "another-horse-battery", "name": "Olive Owner"},
}


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(prog="bench.enumeration", description=__doc__.partition("\n")[0])
    parser.add_argument("--tries", type=int, default=200, help="Requests for each state and operation.")
    tries = parser.parse_args().tries
    with services() as urls, ExitStack() as stack:
        made = _brisk(world(urls, users=10, resources=100))
        run = format(time.time_ns(), "x")
        addresses = json.loads(made.run("-m", "bench.strangers", str(tries), run))
        server = stack.enter_context(_server(made))
        server.wait_until_it_answers(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for operation in _BODIES:
            sys.stdout.write(_report(operation, _measure(server.port, operation, addresses)))


def area(one: list[float], other: list[float]) -> float:
    """Return the area under the ROC curve that tells one sample from the other, from 0.5 (alike) to 1."""
    ordered = sorted(other)
    below = sum(bisect_left(ordered, value) + bisect_right(ordered, value) for value in one) / 2
    share = below / (len(one) * len(other))
    return max(share, 1 - share)


def worst(times: Times) -> tuple[float, str]:
    """Return the greatest area between two states, and which two they are."""
    return max((area(times[one], times[other]), f"{one} / {other}") for one, other in combinations(times, 2))


def by_chance(times: Times) -> float:
    """Return the greatest area that stays under in nineteen of twenty shuffles of the same times."""
    pooled = [value for values in times.values() for value in values]
    return sorted(worst(_shuffled(pooled, times))[0] for _ in range(_SHUFFLES))[int(_SHUFFLES * 0.95)]


def _shuffled(pooled: list[float], times: Times) -> Times:
    _random.shuffle(pooled)
    feed = iter(pooled)
    return {state: [next(feed) for _ in values] for state, values in times.items()}


def _measure(port: int, operation: str, addresses: dict[str, list[str]]) -> Times:
    """Return the seconds of each answer, by state."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    body = _BODIES[operation]
    _seconds(connection, operation, body(f"warm-{operation}@example.com"))
    times: Times = {state: [] for state in addresses}
    for group in zip(*addresses.values(), strict=True):
        for state, email in _random.sample(list(zip(addresses, group, strict=True)), len(addresses)):
            times[state].append(_seconds(connection, operation, body(email)))
    return times


def _seconds(connection: http.client.HTTPConnection, operation: str, body: dict[str, Any]) -> float:
    started = time.perf_counter()
    connection.request("POST", f"/api/v1/auth/{operation}", json.dumps(body), {"Content-Type": "application/json"})
    connection.getresponse().read()
    return time.perf_counter() - started


def _brisk(made: World) -> World:
    """Return the world with less work in its password hashes: a quarter of a second of it would hide a difference."""
    return World(made.database, {**made.environment, "DJANGO_SETTINGS_MODULE": "bench.brisk"})


def _server(made: World) -> WebServer:
    return WebServer("strangers", "config.wsgi:application", made.environment, FOLDER / "strangers.log")


def _report(operation: str, times: Times) -> str:
    greatest, states = worst(times)
    medians = ", ".join(f"{state} {sorted(values)[len(values) // 2] * 1000:.1f}" for state, values in times.items())
    return (
        f"{operation}: AUC at most {greatest:.3f} ({states}); by chance {by_chance(times):.3f}\n"
        f"  median ms: {medians}\n"
    )


if __name__ == "__main__":
    main()
