"""What the ground itself hears."""

from core import announcing
from core.events import subscriber
from core.models import Event


@subscriber("core.exchange", "*", awaited=announcing.is_wanted)
def announce(event: Event) -> None:
    """Tell programs beside ours, by the broker."""
    announcing.announce(event)
