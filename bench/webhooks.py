"""`python -m bench.webhooks`: webhooks a second and core to a receiver on this machine, beside a bare Celery task.

Both sides send the same signed messages to the same receiver, a process of its own, in alternating rounds of one run.
The bare side is one Celery worker whose task signs and posts, on connections that it keeps open; it keeps no record,
guards no address and tries nothing again. Ours is what the worker does: claim by lane, ask who may still read the
event, guard, send, note the answer. A figure is messages by second of the sending process's own processor time.
"""

import argparse
import asyncio
import sys

from bench.sending import Outcome, compared, serving
from bench.stage import services, world

ENDPOINTS = 20
"""How many endpoints the messages are spread over."""


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(prog="bench.webhooks", description=__doc__.partition("\n")[0])
    parser.add_argument("--messages", type=int, default=1000, help="Messages of each side in a round.")
    parser.add_argument("--endpoints", type=int, default=ENDPOINTS, help="Endpoints that they are spread over.")
    parser.add_argument("--rounds", type=int, default=3, help="How many alternating rounds.")
    options = parser.parse_args()
    with services() as urls:
        outcome = measured(urls, messages=options.messages, rounds=options.rounds, endpoints=options.endpoints)
    sys.stdout.write(outcome.told("messages"))


def measured(urls: dict[str, str], *, messages: int, rounds: int, endpoints: int = ENDPOINTS) -> Outcome:
    """Return what both sides send by second and core."""
    made = world(urls, users=2, resources=8)
    with serving(_answer) as port:
        arguments = (str(port), str(endpoints))
        return compared(made, "bench.webhook_senders", *arguments, messages=messages, rounds=rounds)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say yes to everything."""
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
