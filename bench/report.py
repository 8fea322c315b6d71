"""The table of ratios against the targets, as Markdown."""

import argparse
import os
import platform
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Self

_TARGETS = {
    "detail": (7.0, 0.25),
    "list of 20 with total": (10.0, 0.40),
    "full-text page": (7.0, 0.50),
    "create": (1.5, None),
    "304 by ETag on detail": (10.0, None),
}
_GROWTH_TARGETS = {"search": 1.5}
_GROWTH_TARGET = 1.3
_MEMORY_TARGET = 150
_SNAPSHOT_TARGET = 0.05
_SNAPSHOT_SECONDS = 0.9
_TIMES = "\N{MULTIPLICATION SIGN}"


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
    growth: dict[str, tuple[float, float]],
    options: argparse.Namespace,
) -> str:
    """Return the report."""
    parts = [_introduction(options), _throughput(measured), _costs(measured)]
    parts += [_authentication(measured["detail", "ours"], snapshot), _memory(memory, options)]
    if growth:
        parts.append(_growth(growth, options))
    return "\n".join(parts)


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
            f"| {_mark(ours / plain.rate >= times)}{ours / plain.rate:.1f}{_TIMES} | ≥ {times:g}{_TIMES} "
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


def _growth(growth: dict[str, tuple[float, float]], options: argparse.Namespace) -> str:
    lines = [
        f"## Growth from {options.resources:,} to {options.growth:,} resources\n",
        "Median latency of one connection.\n",
        "| work | small | large | growth | target |",
        "| --- | --- | --- | --- | --- |",
    ]
    for work, (small, large) in growth.items():
        target = _GROWTH_TARGETS.get(work, _GROWTH_TARGET)
        reached = _mark(large / small <= target)
        lines.append(
            f"| {work} | {small * 1e3:.2f} ms | {large * 1e3:.2f} ms | {reached}{large / small:.2f}{_TIMES} "
            f"| ≤ {target:g}{_TIMES} |"
        )
    return "\n".join([*lines, ""])


def _mark(is_reached: bool) -> str:
    return "" if is_reached else "**missed** "
