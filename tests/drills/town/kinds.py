"""The kind of the drills: it leaves on every channel that there is."""

from notifications.kinds import NEWS, Kind, register_kind
from notifications.models import EMAIL, IN_APP, PUSH, SMS

register_kind(
    Kind(
        "drill.told",
        "A drill",
        NEWS,
        channels=(IN_APP, EMAIL, SMS, PUSH),
        by_hand=True,
        required=frozenset({"title", "text"}),
    )
)
register_kind(
    Kind(
        "drill.noted",
        "A drill for the inbox",
        NEWS,
        channels=(IN_APP,),
        by_hand=True,
        required=frozenset({"title", "text"}),
    )
)
