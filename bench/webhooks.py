"""`python -m bench.webhooks`: webhooks a second and core to a receiver on this machine, beside a bare Celery task.

Both sides send the same signed messages to the same receiver, a process of its own, in alternating rounds of one run.
The bare side is one Celery worker whose task signs and posts, on connections that it keeps open; it keeps no record,
guards no address and tries nothing again. Ours is what the worker does: claim by lane, ask who may still read the
event, guard, send, note the answer. A figure is messages by second of the sending process's own processor time.
"""

import argparse
import asyncio
import json
import multiprocessing
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

from bench.stage import World, services, world


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(prog="bench.webhooks", description=__doc__.partition("\n")[0])
    parser.add_argument("--messages", type=int, default=1000, help="Messages of each side in a round.")
    parser.add_argument("--endpoints", type=int, default=20, help="Endpoints that they are spread over.")
    parser.add_argument("--rounds", type=int, default=3, help="How many alternating rounds.")
    options = parser.parse_args()
    with services() as urls, _receiver() as port:
        made = world(urls, users=2, resources=8)
        rounds = [{side: _send(made, side, port, options) for side in ("ours", "bare")} for _ in range(options.rounds)]
    for side in ("ours", "bare"):
        by_core = median(one[side]["messages"] / one[side]["cpu"] for one in rounds)
        by_clock = median(one[side]["messages"] / one[side]["seconds"] for one in rounds)
        sys.stdout.write(f"{side}: {by_core:,.0f} a second and core, {by_clock:,.0f} a second by the clock\n")
    ratio = median(
        (one["ours"]["messages"] / one["ours"]["cpu"]) / (one["bare"]["messages"] / one["bare"]["cpu"])
        for one in rounds
    )
    sys.stdout.write(f"ours beside bare, by core: {ratio:.0%}\n")


def _send(made: World, side: str, port: int, options: argparse.Namespace) -> dict[str, float]:
    told = made.run("-m", "bench.webhook_senders", side, str(port), str(options.messages), str(options.endpoints))
    measured: dict[str, float] = json.loads(told.splitlines()[-1])
    return measured


@contextmanager
def _receiver() -> Iterator[int]:
    """Yield the port of a receiver that says yes to everything."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_receive, args=(theirs,), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def _receive(pipe: Any) -> None:
    async def serve() -> None:
        server = await asyncio.start_server(_answer, "127.0.0.1", 0, backlog=512)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
            await reader.readexactly(length)
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


if __name__ == "__main__":
    main()
