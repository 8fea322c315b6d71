"""`python -m bench.growth`: what a million rows of others cost a caller, and by which index each question is answered.

Two worlds, in which the callers have the same rows and others have the rest. Each question is put over HTTP, and as a
statement alone, to the small world and the large one in turns, so that what else the machine does reaches both. With
--write, docs/plans.md gets the statements' times, and docs/plans their plans; the times over HTTP stand in
docs/benchmarks.md, which `make bench` writes. The worlds are databases of their own, kept for later runs.
"""

import argparse
import json
import sys
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle
from statistics import median
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import psycopg

from bench import load
from bench.asked import ASKED, BARE, CALLERS, NOTHING, Asked
from bench.report import GROWTH_TARGET, TIMES, growth_table
from bench.servers import WebServer
from bench.stage import FOLDER, ROOT, World, environment, services
from config.database import session_options

SMALL: Final = 10_000
WARM: Final = 24
"""How often each question is put first: each thread of a server keeps a plan after the fifth time."""

AT_ONCE: Final = 3
"""How many requests a turn is: few, so that each question is put all through the run, whatever else is going on."""

PLANS: Final = ROOT / "docs" / "plans"

Times = dict[tuple[str, str], tuple[float, float]]
"""Seconds in the small world and in the large one, by question and caller."""


@dataclass(frozen=True, slots=True)
class Grown:
    """A world, and what `bench.growing` says of it: by caller, a token, a resource, the statements."""

    rows: int
    made: World
    callers: dict[str, Any]


def main() -> None:
    """Measure and report."""
    options = _options()
    with services() as urls:
        both = worlds(urls, options.large)
        over_http = measured_over_http(both, options.rounds)
        alone = measured_alone(both, options.rounds)
    sys.stdout.write(growth_table(over_http, SMALL, options.large))
    sys.stdout.write(_table(alone))
    if options.write:
        write_plans(both, alone)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.growth", description=__doc__)
    parser.add_argument("--large", type=int, default=1_000_000, help="Rows of the large world; 100000 takes a minute.")
    parser.add_argument("--rounds", type=int, default=30, help="How often each question has its turn.")
    parser.add_argument("--write", action="store_true", help="Write docs/plans.md and docs/plans.")
    return parser.parse_args()


def worlds(urls: dict[str, str], large: int) -> tuple[Grown, Grown]:
    """Return the small world and the large one, made on first use."""
    return _world(urls, SMALL), _world(urls, large)


def _world(urls: dict[str, str], rows: int) -> Grown:
    given = urlsplit(urls["DATABASE_URL"])
    name = f"{given.path.lstrip('/')}_growth_{rows}"
    url = urlunsplit(given._replace(path=f"/{name}"))
    with psycopg.connect(urls["DATABASE_URL"], autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            connection.execute(f'CREATE DATABASE "{name}"')
    made = World(name, environment(url, urls["REDIS_URL"]))
    made.run("manage.py", "migrate", "--verbosity", "0")
    return Grown(rows, made, json.loads(made.run("-m", "bench.growing", str(rows))))


def measured_over_http(both: tuple[Grown, Grown], rounds: int) -> Times:
    """Return the median latency of each question of each caller, on one connection."""
    with ExitStack() as stack:
        servers = [stack.enter_context(_server(one)) for one in both]
        seen: dict[tuple[str, str], tuple[list[float], list[float]]] = {}
        for turn in range(rounds + 1):
            for asked in ASKED:
                for caller in CALLERS:
                    taken = seen.setdefault((asked.name, caller), ([], []))
                    for place, server in enumerate(servers):
                        at_most = AT_ONCE if turn else WARM
                        latencies = _latencies(server, both[place], asked, caller, at_most)
                        taken[place].extend(latencies if turn else ())
    return {key: (median(small), median(large)) for key, (small, large) in seen.items()}


def _server(one: Grown) -> WebServer:
    return WebServer(one.made.database, "config.wsgi:application", one.made.environment, FOLDER / f"{one.rows}.log")


def _latencies(server: WebServer, one: Grown, asked: Asked, caller: str, at_most: int) -> list[float]:
    told = one.callers[caller]
    request = load.request("GET", asked.url(told["resource"]), told["token"])
    if not server.is_ready:
        server.wait_until_it_answers(load.request("GET", "/api/v1/resources", told["token"]))
    outcome = load.run(server.port, [request], seconds=60, connections=1, at_most=at_most)
    expected = 404 if caller == NOTHING and "{id}" in asked.path else 200
    if set(outcome.statuses) != {expected}:
        raise RuntimeError(f"{asked.name} for {caller}: {outcome.statuses}, not {expected} alone")
    return outcome.latencies


def measured_alone(both: tuple[Grown, Grown], rounds: int) -> Times:
    """Return the median time of each statement of each caller, prepared as the application has it."""
    with ExitStack() as stack:
        connections = [stack.enter_context(closing(_connected(one))) for one in both]
        taken: Times = {}
        for name in (*(asked.name for asked in ASKED), BARE):
            for caller in CALLERS:
                times: tuple[list[float], list[float]] = ([], [])
                for turn, place in zip(range(2 * (rounds + 6)), cycle((0, 1)), strict=False):
                    seconds = _run(connections[place], both[place].callers[caller]["statements"][name])
                    times[place].extend([seconds] if turn >= 12 else ())
                taken[name, caller] = (median(times[0]), median(times[1]))
    return taken


def _connected(one: Grown) -> psycopg.Connection[Any]:
    url = one.made.environment["DATABASE_URL"]
    return psycopg.connect(url, options=session_options(), autocommit=True, prepare_threshold=0)


def _run(connection: psycopg.Connection[Any], statement: tuple[str, list[str], str]) -> float:
    text, values, _ = statement
    cursor = psycopg.RawCursor(connection)
    started = time.perf_counter()
    cursor.execute(text.encode(), values, prepare=True)
    return time.perf_counter() - started


def write_plans(both: tuple[Grown, Grown], alone: Times) -> None:
    """Write the table of statements, and a file of plans for each question."""
    PLANS.mkdir(exist_ok=True)
    lines = [
        "# Plans",
        "",
        f"Written by `python -m bench.growth --write` on {datetime.now(UTC):%Y-%m-%d}: the time of each statement",
        f"alone, prepared, median, in a world of {both[0].rows:,} resources and in one of {both[1].rows:,}, in turns.",
        "Each caller has the same rows with the same values in both; all rows are private. What the API takes for the",
        f"same questions stands in [the benchmarks](benchmarks.md). More than {GROWTH_TARGET:g} times is missed.",
        "",
        "Lists by `created_at` and filters by an index of data are planned once for everybody, the others for each",
        "caller: most of what they take for who has little. The last rows are no question of the API: they say what",
        "PostgreSQL takes to read what the aggregate counts, so that nobody looks for that in a plan.",
        "[Decision 0026](adr/0026-indexes-over-data-belong-to-types.md) says how each is answered, and what grows.",
        "",
        _table(alone),
        "The plans, of the large world:",
        "",
    ]
    for asked in ASKED:
        (PLANS / f"{_slug(asked)}.md").write_text(_plans(asked, both[1]), encoding="utf-8")
        lines.append(f"- [{asked.name}](plans/{_slug(asked)}.md)")
    (ROOT / "docs" / "plans.md").write_text("\n".join([*lines, ""]), encoding="utf-8")


def _slug(asked: Asked) -> str:
    return asked.name.replace(":", "").replace(",", "").replace(" ", "-").lower()


def _table(alone: Times) -> str:
    lines = ["| question | caller | small | large | growth |", "| --- | --- | --- | --- | --- |"]
    for (name, caller), (small, large) in alone.items():
        missed = "**missed** " if large > small * GROWTH_TARGET else ""
        growth = f"{missed}{large / small:.2f}{TIMES}"
        lines.append(f"| {name} | {caller} | {small * 1e3:.2f} ms | {large * 1e3:.2f} ms | {growth} |")
    return "\n".join([*lines, ""])


def _plans(asked: Asked, large: Grown) -> str:
    """Return the plans of one question, each with the callers who have it."""
    callers: dict[str, list[str]] = {}
    for caller, told in large.callers.items():
        plan = told["statements"][asked.name][2]
        for value in told["statements"][asked.name][1]:
            plan = plan.replace(value, "…")
        callers.setdefault(plan, []).append(caller)
    lines = [f"# {asked.name[0].upper()}{asked.name[1:]}", "", f"`GET {asked.url('{id}')}`", ""]
    for plan, names in callers.items():
        lines += [f"## {', '.join(names)}", "", "```", plan, "```", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
