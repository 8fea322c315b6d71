"""Bulk: many writes in one request, all of them or each for itself, by statements whose number does not grow."""

from resources.services.bulk.alone import OPERATIONS
from resources.services.bulk.running import apply_each, apply_together
from resources.services.bulk.steps import Outcome, Step, placed

__all__ = ["OPERATIONS", "Outcome", "Step", "apply_each", "apply_together", "placed"]
