"""`python -m bench.work`: how fast rows come in and go out by jobs, and what memory that takes.

A small demo world is filled and emptied; each piece of work runs in a process of its own, without a queue between: what
is measured is the work. "Of the worker" counts the processor time of that process alone, "of PostgreSQL" that of the
database; "of both" is what one core that did both would get through. These do not depend on how busy the machine is.
"""

import argparse
import json
import os
import sys
from dataclasses import asdict

from bench.outcome import Outcome
from bench.stage import World, services, world

WORKS = ("dry run", "import", "upsert", "export csv", "export ndjson", "export json", "export xlsx")


def main() -> None:
    """Measure each piece of work and print a table."""
    parser = argparse.ArgumentParser(prog="bench.work", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="Rows of the file.")
    parser.add_argument("--inside", metavar="WORK", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        from bench.working import measured

        sys.stdout.write(json.dumps(asdict(measured(options.inside, options.rows))))
        return
    with services() as urls:
        # The demo world is small: what is imported is what counts.
        made = world(urls, users=2, resources=100)
        sys.stdout.write(_table([(work, _measure(made, work, options.rows)) for work in WORKS]))


def _measure(made: World, work: str, rows: int) -> Outcome:
    environment = {**made.environment, "BENCH_DATABASE": made.database}
    known = World(made.database, environment)
    return Outcome(**json.loads(known.run("-m", "bench.work", "--rows", str(rows), "--inside", work)))


def _table(outcomes: list[tuple[str, Outcome]]) -> str:
    lines = [
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "",
        "| work | rows/s by the clock | per core of the worker | of PostgreSQL | of both | resident |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for work, one in outcomes:
        rates = (one.seconds, one.cpu, one.database_cpu, one.cpu + one.database_cpu)
        shown = " | ".join(f"{one.rows / max(seconds, 0.01):,.0f}" for seconds in rates)
        lines.append(f"| {work} | {shown} | {one.resident_mebibytes:.0f} MiB |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
