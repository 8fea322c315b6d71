"""What accounts hear on the event log: the threat rules, each a subscriber of its own."""

from accounts.services import threat_rules

__all__ = ["threat_rules"]
