"""`make bench`: rounds of every work on every server in turn, the table of ratios, and docs/benchmarks.md."""

import argparse
import json
import sys
from contextlib import ExitStack

from bench import growth as growing
from bench import load, mails, report, webhooks, works
from bench.deliveries import Deliveries
from bench.report import Measured, Snapshot
from bench.servers import WebServer, database_cpu_seconds
from bench.stage import FOLDER, ROOT, World, services, world
from bench.works import Caller, Work

OURS, PLAIN, BARE = "ours", "plain", "bare"
PREFIXES = {OURS: "/api/v1", PLAIN: "", BARE: ""}
BESIDE_PLAIN = (works.DETAIL, works.LIST, works.SEARCH, works.CREATE)
BESIDE_BARE = (works.DETAIL, works.LIST, works.SEARCH)
"""304 is measured on ours alone: beside plain DRF's detail, which has no ETag to answer with."""


def main() -> None:
    """Measure and report."""
    options = _options()
    with services() as urls:
        small = world(urls, users=options.users, resources=options.resources)
        measured = _rounds(small, options)
        snapshot = Snapshot(**json.loads(small.run("-m", "bench.authentication")))
        memory = _memory(small, options)
        deliveries = _deliveries(urls, options)
        growth = {}
        if options.growth:
            both = growing.worlds(urls, options.growth)
            growth = growing.measured_over_http(both, options.growth_rounds)
            if options.write:
                growing.write_plans(both, growing.measured_alone(both, options.growth_rounds))
    text = report.written(measured, snapshot, memory, deliveries, growth, options)
    sys.stdout.write(text)
    if options.write:
        (ROOT / "docs" / "benchmarks.md").write_text(text, encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=6, help="How many interleaved rounds.")
    parser.add_argument("--seconds", type=float, default=2.0, help="How long each work runs in a round.")
    parser.add_argument("--connections", type=int, default=16, help="How many connections ask at a time.")
    parser.add_argument("--users", type=int, default=100, help="Demo users.")
    parser.add_argument("--resources", type=int, default=10_000, help="Demo resources.")
    parser.add_argument("--growth", type=int, default=1_000_000, help="Resources of the large world; 0: leave out.")
    parser.add_argument("--growth-rounds", type=int, default=30, help="How often each question of it has its turn.")
    parser.add_argument("--steady", type=int, default=100_000, help="Requests over which memory has to stay flat.")
    parser.add_argument("--people", type=int, default=50_000, help="How many are told something at once.")
    parser.add_argument("--messages", type=int, default=500, help="Mails and webhooks of each side in a round.")
    parser.add_argument("--write", action="store_true", help="Write docs/benchmarks.md.")
    return parser.parse_args()


def _caller(made: World) -> Caller:
    described = json.loads(made.run("-m", "bench.callers"))
    plain = made.run("-m", "bench.plain.tokens", described["user"])
    return Caller(described["user"], described["token"], plain, described["resources"], described["names"])


def _start(stack: ExitStack, made: World, caller: Caller, names: tuple[str, ...]) -> dict[str, WebServer]:
    applications = {
        OURS: "config.wsgi:application",
        PLAIN: "bench.plain.wsgi:application",
        BARE: "bench.bare:application",
    }
    environment = {
        **made.environment,
        "BENCH_USER": caller.user,
        "BENCH_CONNINFO": made.environment["DATABASE_URL"].replace("postgres://", "postgresql://"),
    }
    started = {}
    for name in names:
        log = FOLDER / f"{name}.log"
        started[name] = stack.enter_context(WebServer(name, applications[name], environment, log))
    for name, server in started.items():
        server.wait_until_it_answers(_requests(works.DETAIL, name, caller)[0])
    return started


def _requests(work: Work, server: str, caller: Caller) -> list[bytes]:
    return work.requests(PREFIXES[server], caller.plain_token if server == PLAIN else caller.token, caller)


def _rounds(made: World, options: argparse.Namespace) -> dict[tuple[str, str], Measured]:
    """Return, for each work and server, the medians of interleaved rounds."""
    caller = _caller(made)
    runs: dict[tuple[str, str], list[Measured]] = {}
    pairs = [(work, name) for work in (*BESIDE_PLAIN, works.UNCHANGED) for name in (OURS, PLAIN, BARE)]
    pairs = [(work, name) for work, name in pairs if _is_measured(work, name)]
    with ExitStack() as stack:
        servers = _start(stack, made, caller, (OURS, PLAIN, BARE))
        for work, name in pairs:
            load.run(servers[name].port, _requests(work, name, caller), seconds=0.5, connections=options.connections)
        for _ in range(options.rounds):
            for work, name in pairs:
                one = _measure(made, servers[name], work, _requests(work, name, caller), options)
                runs.setdefault((work.name, name), []).append(one)
    return {key: Measured.median_of(values) for key, values in runs.items()}


def _is_measured(work: Work, name: str) -> bool:
    if name == BARE:
        return work in BESIDE_BARE
    return name == OURS or work in BESIDE_PLAIN


def _measure(
    made: World, server: WebServer, work: Work, requests: list[bytes], options: argparse.Namespace
) -> Measured:
    cpu, database_cpu = server.cpu_seconds, database_cpu_seconds(made.database)
    outcome = load.run(server.port, requests, seconds=options.seconds, connections=options.connections)
    if set(outcome.statuses) != {work.expected}:
        raise RuntimeError(f"{work.name} on {server.name}: {outcome.statuses}, not {work.expected} alone")
    return Measured(
        rate=outcome.rate,
        cpu=(server.cpu_seconds - cpu) / outcome.answers,
        database_cpu=(database_cpu_seconds(made.database) - database_cpu) / outcome.answers,
        p50=outcome.percentile(0.5),
        p99=outcome.percentile(0.99),
    )


def _memory(made: World, options: argparse.Namespace) -> list[float]:
    """Return the resident memory of one web process, in MiB, at the start and after each tenth of the requests."""
    caller = _caller(made)
    requests = [r for work in (works.LIST, works.DETAIL, works.SEARCH) for r in _requests(work, OURS, caller)[:40]]
    with ExitStack() as stack:
        server = _start(stack, made, caller, (OURS,))[OURS]
        seen = [server.resident_bytes / 2**20]
        for _ in range(10):
            load.run(server.port, requests, seconds=600, connections=options.connections, at_most=options.steady // 10)
            seen.append(server.resident_bytes / 2**20)
    return seen


def _deliveries(urls: dict[str, str], options: argparse.Namespace) -> Deliveries:
    """Return how fast many are told, and how fast mails and webhooks leave."""
    told = world(urls, users=2, resources=4).run(
        "-m", "bench.fanout", "--json", "--people", str(options.people), "--rounds", str(options.rounds)
    )
    sent = {"messages": options.messages, "rounds": options.rounds}
    return Deliveries(json.loads(told), mails.measured(urls, **sent), webhooks.measured(urls, **sent))


if __name__ == "__main__":
    main()
