"""What the benches of deliveries share: a receiver in a process of its own, and two sides that send in turn."""

import asyncio
import json
import multiprocessing
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from bench.stage import World

OURS: Final = "ours"
BARE: Final = "bare"
_ROOT_WARNING: Final = "ignore:You're running the worker with superuser privileges"

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Deliveries by second of processor time and by second of the clock, of each side; medians of the rounds."""

    by_core: dict[str, float]
    by_clock: dict[str, float]
    ratio: float

    def told(self, what: str) -> str:
        """Return it as text."""
        sides = [
            f"{side}: {self.by_core[side]:,.0f} {what} a second and core, {self.by_clock[side]:,.0f} by the clock\n"
            for side in (OURS, BARE)
        ]
        return f"{''.join(sides)}ours beside bare, by core: {self.ratio:.0%}\n"


def compared(made: World, module: str, *arguments: str, messages: int, rounds: int) -> Outcome:
    """Let both sides of `module` send so many messages in each round, in turn, each in a process of its own."""
    seen = [{side: _sent(made, module, side, messages, *arguments) for side in (OURS, BARE)} for _ in range(rounds)]
    return Outcome(
        {side: median(messages / one[side]["cpu"] for one in seen) for side in (OURS, BARE)},
        {side: median(messages / one[side]["seconds"] for one in seen) for side in (OURS, BARE)},
        median(one[BARE]["cpu"] / one[OURS]["cpu"] for one in seen),
    )


def _sent(made: World, module: str, side: str, messages: int, *arguments: str) -> dict[str, float]:
    told = made.run("-W", _ROOT_WARNING, "-m", module, side, str(messages), *arguments)
    measured: dict[str, float] = json.loads(told.splitlines()[-1])
    return measured


@contextmanager
def serving(answer: Answer) -> Iterator[int]:
    """Yield the port of a receiver that answers each connection so."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_serve, args=(theirs, answer), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Any, answer: Answer) -> None:
    async def serve() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=512)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())
