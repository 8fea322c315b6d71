"""The section of the report about deliveries: telling many, mails, webhooks."""

import argparse
from dataclasses import dataclass
from typing import Final

from bench.sending import BARE, OURS, Outcome

_FANOUT_TARGET: Final = 0.5
_SENDING_TARGET: Final = 0.6


@dataclass(frozen=True, slots=True)
class Deliveries:
    """Rows a second of a fan-out and of COPY, and what both sides send of mails and of webhooks."""

    rows: dict[str, float]
    mails: Outcome
    webhooks: Outcome


def section(seen: Deliveries, options: argparse.Namespace) -> str:
    """Return the section."""
    ratio = seen.rows["told"] / seen.rows["copied"]
    lines = [
        "## Deliveries\n",
        f"Telling {options.people:,} people at once writes two rows for each: {seen.rows['told']:,.0f} rows a second,",
        f"where `COPY` of the same rows, in the same chunks into the same tables, writes {seen.rows['copied']:,.0f}:",
        f"{_mark(ratio >= _FANOUT_TARGET)}{ratio:.0%} (target ≥ {_FANOUT_TARGET:.0%}).\n",
        f"{options.messages:,} of each side in each of {options.rounds} rounds, to a server on this machine that says",
        "yes to everything; by second of the sending process's own processor time. Bare is one Celery task that",
        "sends the same, each mail on a connection of its own as Django's `send_mail` does, where ours keeps one for",
        "many; it keeps no record and tries nothing again.\n",
        "| what | ours, a second and core | bare, a second and core | beside bare | aim |",
        "| --- | --- | --- | --- | --- |",
    ]
    for what, one in (("e-mail", seen.mails), ("webhook", seen.webhooks)):
        reached = _mark(one.ratio >= _SENDING_TARGET)
        lines.append(
            f"| {what} | {one.by_core[OURS]:,.0f} | {one.by_core[BARE]:,.0f} | {reached}{one.ratio:.0%} "
            f"| ≥ {_SENDING_TARGET:.0%} |"
        )
    return "\n".join([*lines, ""])


def _mark(is_reached: bool) -> str:
    return "" if is_reached else "**missed** "
