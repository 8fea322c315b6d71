"""The table of ratios against the targets, as Markdown."""

import argparse
import os
import platform
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Self

from bench import deliveries
from bench.asked import ASKED
from bench.deliveries import Deliveries

_TARGETS = {
    "detail": (7.0, 0.25),
    "list of 20 with total": (10.0, 0.40),
    "full-text page": (7.0, 0.50),
    "create": (1.5, None),
    "304 by ETag on detail": (10.0, None),
}
GROWTH_TARGET = 1.5
_MEMORY_TARGET = 150
_MISSED = "**missed**"
_SNAPSHOT_TARGET = 0.05
_SNAPSHOT_SECONDS = 0.9
TIMES = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True, slots=True)
class Measured:
    """One work on one server: answers per second, processor seconds for each answer, latencies."""

    rate: float
    cpu: float
    database_cpu: float
    p50: float
    p99: float

    @classmethod
    def median_of(cls, runs: Sequence[Self]) -> Self:
        """Return the medians, figure by figure."""
        return cls(*(median(figures) for figures in zip(*map(astuple, runs), strict=True)))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Processor seconds that knowing the caller costs: from memory, and when the session is read anew."""

    known: float
    read: float


def written(
    measured: dict[tuple[str, str], Measured],
    snapshot: Snapshot,
    memory: list[float],
    delivered: Deliveries,
    growth: dict[tuple[str, str], tuple[float, float]],
    options: argparse.Namespace,
) -> str:
    """Return the report."""
    parts = [_introduction(options), _throughput(measured), _costs(measured)]
    parts += [_authentication(measured["detail", "ours"], snapshot), _memory(memory, options)]
    parts.append(deliveries.section(delivered, options))
    if growth:
        parts.append(growth_table(growth, options.resources, options.growth))
    introduction, *sections = parts
    return "\n".join([introduction, _verdict(sections), *sections])


def _verdict(sections: list[str]) -> str:
    """Return which bars this run has missed, by the lines that say so."""
    missed = Counter(name for section in sections for name in _missed_in(section))
    if not missed:
        return "This run has reached every bar.\n"
    named = "\n".join(f"- {name}{f', {count} times' if count > 1 else ''}" for name, count in missed.items())
    return f"This run has missed {missed.total()} of its bars, each marked where it stands:\n\n{named}\n"


def _missed_in(section: str) -> Iterator[str]:
    """Yield the section, and the row where it is one of a table."""
    heading, *lines = section.splitlines()
    for line in lines:
        if _MISSED in line:
            title = heading.strip("# ").lower()
            yield f"{title} ({line.strip('| ').partition(' |')[0]})" if line.startswith("|") else title


def _introduction(options: argparse.Namespace) -> str:
    return f"""# Benchmarks

Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}: {_processor()}, {os.cpu_count()} cores for servers,
PostgreSQL and load alike, CPython {platform.python_version()}. {options.resources:,} resources of
{options.users} users, {options.connections} connections in a closed loop, {options.rounds} interleaved
rounds of {options.seconds:g} s, medians. Each server is one granian process with four threads.

- **ours**: the product as it is, everything on (limiter, session snapshot, permission, strict parameters, ETag,
  request id, JSON log line, metrics); only `RATE_LIMIT_SCALE` is raised.
- **plain**: `bench/plain`, a `ModelViewSet` with SimpleJWT and `PageNumberPagination` over the same tables. It
  writes neither versions nor events, limits nobody and logs nothing.
- **bare**: `bench/bare.py`, the same SQL in a WSGI function that does nothing else.

Absolute numbers are this machine's; the ratios are the point.
"""


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _throughput(measured: dict[tuple[str, str], Measured]) -> str:
    lines = [
        "## Answers per second\n",
        "| work | ours | plain DRF | bare | beside plain DRF | target | beside bare | target |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for work, (times, share) in _TARGETS.items():
        ours = measured[work, "ours"].rate
        plain = measured.get((work, "plain")) or measured["detail", "plain"]
        bare = measured.get((work, "bare"))
        beside_bare = f"{ours / bare.rate:.0%}" if bare else ""
        lines.append(
            f"| {work} | {ours:,.0f} | {plain.rate:,.0f} | {f'{bare.rate:,.0f}' if bare else ''} "
            f"| {_mark(ours / plain.rate >= times)}{ours / plain.rate:.1f}{TIMES} | ≥ {times:g}{TIMES} "
            f"| {_mark(ours / bare.rate >= share) if bare and share else ''}{beside_bare} "
            f"| {f'≥ {share:.0%}' if share else ''} |"
        )
    return "\n".join([*lines, "\n304 stands beside plain DRF's detail, which has no ETag to answer with.\n"])


def _costs(measured: dict[tuple[str, str], Measured]) -> str:
    lines = [
        "## Processor time of one answer, and latency\n",
        "| work | server | application | PostgreSQL | p50 | p99 |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for (work, server), one in measured.items():
        lines.append(
            f"| {work} | {server} | {one.cpu * 1e6:,.0f} µs | {one.database_cpu * 1e6:,.0f} µs "
            f"| {one.p50 * 1e3:.1f} ms | {one.p99 * 1e3:.1f} ms |"
        )
    return "\n".join([*lines, ""])


def _authentication(detail: Measured, snapshot: Snapshot) -> str:
    # One read of the session serves every request of the next 0.9 seconds.
    cost = snapshot.known + snapshot.read / max(detail.rate * _SNAPSHOT_SECONDS, 1)
    share = cost / detail.cpu
    return f"""## Knowing the caller

{_mark(share <= _SNAPSHOT_TARGET)}{share:.1%} of a detail read's {detail.cpu * 1e6:,.0f} µs in the application (target ≤
{_SNAPSHOT_TARGET:.0%}): {snapshot.known * 1e6:.1f} µs from memory, and {snapshot.read * 1e6:,.0f} µs once in
{_SNAPSHOT_SECONDS:g} s to read the session anew, at {detail.rate:,.0f} reads a second by one caller.
"""


def _memory(memory: list[float], options: argparse.Namespace) -> str:
    steps = ", ".join(f"{size:.0f}" for size in memory)
    reached = _mark(max(memory) <= _MEMORY_TARGET)
    return f"""## Memory of one web process

{reached}{max(memory):.0f} MiB at most (target ≤ {_MEMORY_TARGET}) over {options.steady:,} requests; at the start and
after each tenth: {steps} MiB.
"""


def growth_table(growth: dict[tuple[str, str], tuple[float, float]], small: int, large: int) -> str:
    """Return the table of the questions that callers ask in a small world and in a large one."""
    grows = {asked.name: f"; finds {asked.grows} rows of others" for asked in ASKED if asked.grows}
    lines = [
        f"## Growth from {small:,} to {large:,} resources\n",
        "Median latency of one connection, the worlds in turns. Each caller has the same rows with the same values in",
        "both: the owner of few 20, the owner of many 2,000, another 2,000 shares, the last nothing. All rows are",
        "private. [Plans](plans.md) has the statements.\n",
        "| question | caller | small | large | growth | target |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for (name, caller), (before, after) in growth.items():
        lines.append(
            f"| {name}{grows.get(name, '')} | {caller} | {before * 1e3:.2f} ms | {after * 1e3:.2f} ms "
            f"| {_mark(after / before <= GROWTH_TARGET)}{after / before:.2f}{TIMES} | ≤ {GROWTH_TARGET:g}{TIMES} |"
        )
    return "\n".join([*lines, ""])


def _mark(is_reached: bool) -> str:
    return "" if is_reached else f"{_MISSED} "
