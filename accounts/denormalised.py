"""What the tables of accounts repeat."""

from core.denormalised import Repeated, counting, repeats, rewriting

repeats(
    Repeated(
        "users.mfa_enabled",
        "whether there is a confirmed authenticator app or a passkey",
        counting("SELECT FROM users WHERE mfa_enabled IS DISTINCT FROM nook_has_second_factor(id)"),
        rewriting(
            "UPDATE users SET mfa_enabled = NOT mfa_enabled, version = version + 1 "
            "WHERE mfa_enabled IS DISTINCT FROM nook_has_second_factor(id)"
        ),
    ),
    Repeated("users.version", "the count of writes"),
    Repeated("roles.version", "the count of writes"),
    Repeated("sessions.last_seen_at", "the newest use"),
)
