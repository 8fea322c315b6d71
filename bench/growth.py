"""`python -m bench.growth`: what a million rows of others cost a caller, and by which index each question is answered.

Two worlds, in which the callers have the same rows and others have the rest; the time of each statement in both. With
--write, docs/plans.md gets the table and the plans. The worlds are databases of their own, dropped at the end.
"""

import argparse
import json
import sys
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

from bench.stage import ROOT, World, environment, services

TARGET = 1.5
_TIMES = "\N{MULTIPLICATION SIGN}"
_NOISE_MS = 0.3
"""Below a difference of this, two medians are the same to whoever waits for them."""


def main() -> None:
    """Measure and report."""
    options = _options()
    measured = {}
    with services() as urls:
        for rows in (options.small, options.large):
            name = f"nook_growth_{rows}"
            try:
                measured[rows] = _measured(urls, name, rows, options.rounds)
            finally:
                _execute(urls, f'DROP DATABASE IF EXISTS "{name}"')
    text = _written(measured, options)
    sys.stdout.write(text.partition("## Plans")[0])
    if options.write:
        (ROOT / "docs" / "plans.md").write_text(text, encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.growth", description=__doc__)
    parser.add_argument("--small", type=int, default=10_000, help="Rows of the small world.")
    parser.add_argument("--large", type=int, default=1_000_000, help="Rows of the large world; 100000 takes a minute.")
    parser.add_argument("--rounds", type=int, default=100, help="How often each statement is run.")
    parser.add_argument("--write", action="store_true", help="Write docs/plans.md.")
    return parser.parse_args()


def _execute(urls: dict[str, str], statement: str) -> None:
    with psycopg.connect(urls["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(statement)


def _measured(urls: dict[str, str], name: str, rows: int, rounds: int) -> dict[str, Any]:
    url = urlunsplit(urlsplit(urls["DATABASE_URL"])._replace(path=f"/{name}"))
    _execute(urls, f'DROP DATABASE IF EXISTS "{name}"')
    _execute(urls, f'CREATE DATABASE "{name}"')
    made = World(name, environment(url, urls["REDIS_URL"]))
    made.run("manage.py", "migrate", "--verbosity", "0")
    answer: dict[str, Any] = json.loads(made.run("-m", "bench.growing", str(rows), str(rounds)))
    return answer


def _written(measured: dict[int, dict[str, Any]], options: argparse.Namespace) -> str:
    small, large = measured[options.small], measured[options.large]
    lines = [
        "# Plans and growth",
        "",
        f"Written by `python -m bench.growth --write` on {datetime.now(UTC):%Y-%m-%d}. Each caller has the same rows",
        f"in a world of {options.small:,} resources and in one of {options.large:,}: the owner of few 20, the owner of",
        "many 2,000, another 2,000 shares, the last nothing; all rows are private. Milliseconds of the statement",
        f"alone, median and fastest of {options.rounds} runs; growth is that of the fastest, which other work on the",
        f"machine reaches least. Past {TARGET:g}{_TIMES}, where it comes to more than {_NOISE_MS:g} ms, it is missed.",
        "",
        "A statement below half a millisecond is one whose plan PostgreSQL kept; where it thinks that a plan made for",
        "the values of one caller pays, it plans each time: most of what callers of few rows are charged, and the",
        "growth from 0.1 to 4 ms where only the small world kept the plan. An aggregate, and a list of shares, read",
        "every row that they are about: close together in the small world, each on a page of its own in the large.",
        "",
        "| question | caller | small: median, fastest | large: median, fastest | growth |",
        "| --- | --- | --- | --- | --- |",
    ]
    for work, callers in small["latencies"].items():
        for caller, (usual, before) in callers.items():
            usual_then, after = large["latencies"][work][caller]
            missed = "**missed** " if after > before * TARGET and after - before > _NOISE_MS else ""
            lines.append(
                f"| {work} | {caller} | {usual:.2f}, {before:.2f} | {usual_then:.2f}, {after:.2f} "
                f"| {missed}{after / before:.2f}{_TIMES} |"
            )
    lines += ["", "## Plans", "", f"What PostgreSQL does in the world of {options.large:,}.", ""]
    for work, callers in large["plans"].items():
        for caller, plan in callers.items():
            lines += [f"### {work}: {caller}", "", "```", plan, "```", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
