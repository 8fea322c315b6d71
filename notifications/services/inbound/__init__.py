"""Inbound webhooks: what other programs tell us, proved, kept as it came, worked off once."""

from notifications.services.inbound.handling import give_up, hand_out, handle, purge_inbound, replay
from notifications.services.inbound.proofs import Incoming
from notifications.services.inbound.receiving import receive
from notifications.services.inbound.schemes import refuse_secret
from notifications.services.inbound.sns import HANDSHAKE, confirm_subscription

__all__ = [
    "HANDSHAKE",
    "Incoming",
    "confirm_subscription",
    "give_up",
    "hand_out",
    "handle",
    "purge_inbound",
    "receive",
    "refuse_secret",
    "replay",
]
