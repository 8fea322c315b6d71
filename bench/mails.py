"""`python -m bench.mails`: mails a second and core to a server on this machine, beside a bare Celery task.

Both sides send the same mail to the same SMTP server, a process of its own, in alternating rounds of one run; both are
one Celery worker that is given its tasks by the broker. The bare side composes the mail and sends it with smtplib, on
a connection of its own, as Django's `send_mail` does; it keeps no record and tries nothing again. Ours is what the
worker does: claim the task, claim the message, ask whether its address is listed, fill in the templates, send over the
connection that it keeps, note the answer. A figure is mails by second of the sending process's own processor time.
"""

import argparse
import asyncio
import sys
from typing import Final

from bench.sending import Outcome, compared, serving
from bench.stage import services, world

_ANSWERS: Final = {
    b"EHLO": b"250-bench\r\n250 8BITMIME\r\n",
    b"DATA": b"354 go on\r\n",
    b"QUIT": b"221 bye\r\n",
}


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(prog="bench.mails", description=__doc__.partition("\n")[0])
    parser.add_argument("--messages", type=int, default=500, help="Mails of each side in a round.")
    parser.add_argument("--rounds", type=int, default=3, help="How many alternating rounds.")
    options = parser.parse_args()
    with services() as urls:
        outcome = measured(urls, messages=options.messages, rounds=options.rounds)
    sys.stdout.write(outcome.told("mails"))


def measured(urls: dict[str, str], *, messages: int, rounds: int) -> Outcome:
    """Return what both sides send by second and core."""
    made = world(urls, users=2, resources=8)
    with serving(_answer) as port:
        return compared(made, "bench.mail_senders", str(port), messages=messages, rounds=rounds)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say yes to everything."""
    writer.write(b"220 bench\r\n")
    try:
        while line := await reader.readline():
            command = line[:4].upper()
            writer.write(_ANSWERS.get(command, b"250 yes\r\n"))
            if command == b"DATA":
                await reader.readuntil(b"\r\n.\r\n")
                writer.write(b"250 taken\r\n")
            if command == b"QUIT":
                break
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()


if __name__ == "__main__":
    main()
