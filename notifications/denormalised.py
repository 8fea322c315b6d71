"""What the tables of notifications repeat."""

from core.denormalised import Repeated, counting, repeats

repeats(
    Repeated(
        "messages.attempt_count",
        "the number of the newest attempt",
        counting(
            "SELECT FROM messages WHERE attempt_count < "
            "(SELECT coalesce(max(number), 0) FROM message_attempts WHERE message_id = messages.id)"
        ),
    ),
    Repeated("messages.address", "where the person was to be reached then"),
    Repeated("webhook_deliveries.body", "the event as it was told"),
    Repeated("webhook_endpoints.failures", "the failures since the last success"),
)
