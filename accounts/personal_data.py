"""What accounts hold about a person."""

from collections.abc import Iterator
from uuid import UUID

from accounts.avatars import SIZES, stored_name, stored_names
from accounts.models import (
    AccessReview,
    ApiToken,
    Connection,
    Impersonation,
    KnownDevice,
    MfaChallenge,
    Passkey,
    PasskeyChallenge,
    PhoneCode,
    RecoveryCode,
    Session,
    SingleUseToken,
    SocialFlow,
    Threat,
    TotpDevice,
    User,
)
from accounts.services.erasing import blank_user
from accounts.services.threats import alerts_about
from accounts.services.throttle import forget_failures
from core.models import Event
from core.personal_data import Erasure, PersonalFile, erases_personal_data, exports_personal_data, rows_of

_PROFILE = (
    "id",
    "email",
    "name",
    "role__name",
    "is_active",
    "email_verified",
    "mfa_enabled",
    "bio",
    "phone",
    "phone_verified",
    "locale",
    "time_zone",
    "last_login_at",
    "created_at",
    "updated_at",
)
_CONNECTION = ("id", "provider", "issuer", "subject", "email", "created_at", "last_used_at")
_API_TOKEN = ("id", "name", "prefix", "scopes", "created_at", "last_used_at", "expires_at", "revoked_at")
_SESSION = ("id", "created_at", "last_seen_at", "expires_at", "revoked_at", "amr", "device", "ip", "user_agent")
_THREAT = ("id", "rule", "summary", "evidence", "count", "first_seen_at", "last_seen_at", "reviewed_at")
_PASSKEY = ("id", "name", "aaguid", "transports", "backup_eligible", "backed_up", "created_at", "last_used_at")


@exports_personal_data(
    "accounts",
    tables=(
        "users",
        "sessions",
        "api_tokens",
        "known_devices",
        "single_use_tokens",
        "totp_devices",
        "recovery_codes",
        "mfa_challenges",
        "phone_codes",
        "connections",
        "impersonations",
        "access_reviews",
        "passkeys",
        "passkey_challenges",
        "threats",
    ),
)
def export(user_id: UUID) -> Iterator[PersonalFile]:
    """Yield the profile, the picture, the sessions and the like; no password and no token."""
    yield PersonalFile(
        "accounts/profile.json",
        rows_of(User.all_objects.filter(pk=user_id), *_PROFILE),
        about="Your account: address, name, role, settings.",
    )
    for key in _avatars(user_id):
        yield PersonalFile("accounts/avatar.webp", stored=stored_name(key, SIZES[-1]), about="Your picture.")
    yield PersonalFile(
        "accounts/sessions.json",
        rows_of(Session.objects.filter(user_id=user_id), *_SESSION),
        about="Where and when you signed in.",
    )
    tokens = ApiToken.objects.filter(user_id=user_id)
    yield PersonalFile(
        "accounts/api_tokens.json",
        rows_of(tokens, *_API_TOKEN),
        about="Your personal access tokens, without their secrets.",
    )
    devices = KnownDevice.objects.filter(user_id=user_id)
    yield PersonalFile(
        "accounts/devices.json",
        rows_of(devices, "id", "created_at", "last_seen_at"),
        about="Devices that are known to be yours.",
    )
    links = SingleUseToken.objects.filter(user_id=user_id)
    yield PersonalFile(
        "accounts/links.json",
        rows_of(links, "purpose", "email", "created_at", "expires_at", "used_at"),
        about="Links that were mailed to you, without their secrets.",
    )
    yield from _second_factors(user_id)
    connections = Connection.objects.filter(user_id=user_id)
    yield PersonalFile(
        "accounts/connections.json",
        rows_of(connections, *_CONNECTION),
        about="Accounts elsewhere with which you sign in.",
    )
    yield from _by_staff(user_id)


@erases_personal_data(
    "accounts",
    tables=(
        "users",
        "sessions",
        "api_tokens",
        "spent_tokens",
        "known_devices",
        "single_use_tokens",
        "sign_in_throttles",
        "totp_devices",
        "recovery_codes",
        "mfa_challenges",
        "phone_codes",
        "connections",
        "social_flows",
        "impersonations",
        "access_reviews",
        "passkeys",
        "passkey_challenges",
        "threats",
    ),
)
def erase(erasure: Erasure) -> None:
    """Delete everything of the person but the account's row, which stays as "Deleted user"."""
    links = SingleUseToken.objects.filter(user_id=erasure.user_id)
    erasure.addresses.update(address for address in links.values_list("email", flat=True) if address)
    erasure.addresses.update(User.all_objects.filter(pk=erasure.user_id).values_list("email", flat=True))
    connections = Connection.objects.filter(user_id=erasure.user_id)
    erasure.addresses.update(address for address in connections.values_list("email", flat=True) if address)
    erasure.addresses.update(_former_addresses(erasure.user_id))
    # Whoever registered with an address since the account was deleted keeps what is theirs.
    erasure.addresses -= set(
        User.objects.exclude(pk=erasure.user_id).values_list("email", flat=True).filter(email__in=erasure.addresses)
    )
    for address in sorted(erasure.addresses):
        erasure.count("sign_in_throttles", forget_failures(address))
    erasure.delete(links)
    erasure.delete(AccessReview.objects.filter(user_id=erasure.user_id))
    erasure.delete(Impersonation.objects.filter(user_id=erasure.user_id))
    # The name of an administrator, where somebody read who was in their place.
    erasure.blank(Session.objects.filter(impersonated_by_id=erasure.user_id), device="Support")
    erasure.delete(Session.objects.filter(user_id=erasure.user_id))
    erasure.delete(ApiToken.objects.filter(user_id=erasure.user_id))
    erasure.delete(connections)
    erasure.delete(SocialFlow.objects.filter(user_id=erasure.user_id))
    erasure.delete(KnownDevice.objects.filter(user_id=erasure.user_id))
    erasure.delete(alerts_about(erasure.user_id))
    erasure.delete(Threat.objects.filter(user_id=erasure.user_id))
    erasure.blank(Threat.objects.filter(reviewed_by_id=erasure.user_id), reviewed_by=None)
    for second_step in (TotpDevice, Passkey, RecoveryCode, MfaChallenge, PasskeyChallenge, PhoneCode):
        erasure.delete(second_step._base_manager.filter(user_id=erasure.user_id))
    for key in _avatars(erasure.user_id):
        for name in stored_names(key):
            erasure.forget_file(name)
    blank_user(erasure)


def _former_addresses(user_id: UUID) -> set[str]:
    """Return the addresses that the account had before, as the log tells."""
    changes = Event.objects.filter(subject_id=str(user_id), type__in=["user.email_changed", "user.updated"])
    found = changes.values_list("payload__before__email", "payload__after__email")
    return {address for pair in found for address in pair if address}


def _by_staff(user_id: UUID) -> Iterator[PersonalFile]:
    reviews = AccessReview.objects.filter(user_id=user_id)
    yield PersonalFile(
        "accounts/access_reviews.json",
        rows_of(reviews, "note", "created_at"),
        about="When staff looked at what you may do.",
    )
    stays = Impersonation.objects.filter(user_id=user_id)
    yield PersonalFile(
        "accounts/support.json",
        rows_of(stays, "reason", "created_at", "until", "ended_at"),
        about="When an administrator acted as you, and why.",
    )


def _second_factors(user_id: UUID) -> Iterator[PersonalFile]:
    apps = TotpDevice.objects.filter(user_id=user_id)
    yield PersonalFile(
        "accounts/authenticator_apps.json",
        rows_of(apps, "id", "created_at", "confirmed_at"),
        about="Authenticator apps that you have set up.",
    )
    codes = RecoveryCode.objects.filter(user_id=user_id)
    yield PersonalFile(
        "accounts/recovery_codes.json",
        rows_of(codes, "id", "created_at", "used_at"),
        about="When your recovery codes were made and used.",
    )
    passkeys = Passkey.objects.filter(user_id=user_id)
    yield PersonalFile(
        "accounts/passkeys.json", rows_of(passkeys, *_PASSKEY), about="Your passkeys, without their keys."
    )
    threats = Threat.objects.filter(user_id=user_id)
    yield PersonalFile("accounts/threats.json", rows_of(threats, *_THREAT), about="What was unusual in your account.")
    waiting = MfaChallenge.objects.filter(user_id=user_id)
    yield PersonalFile(
        "accounts/second_steps.json",
        rows_of(waiting, "id", "created_at", "expires_at", "used_at"),
        about="Sign-ins that waited for your second factor.",
    )
    texted = PhoneCode.objects.filter(user_id=user_id)
    yield PersonalFile(
        "accounts/phone_codes.json",
        rows_of(texted, "id", "created_at", "expires_at", "tries_left"),
        about="A code that was texted to you, without its digits.",
    )


def _avatars(user_id: UUID) -> list[str]:
    """Return the key of the person's avatar, if they have one."""
    return [key for key in User.all_objects.filter(pk=user_id).values_list("avatar", flat=True) if key]
