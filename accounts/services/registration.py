"""Becoming a user: register, confirm the address, ask for the link again.

Nobody learns here whether an address has an account: the answers are the same, and the owner of a
taken address is told by mail.
"""

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.crypto import salted_hmac

from accounts.hashing import is_right_password, make_password
from accounts.models import User
from accounts.models.users import normalised_email
from accounts.passwords import refuse_weak_password
from accounts.services.mails import tell_sparingly, tell_with_link
from accounts.services.single_use_tokens import RESET_PASSWORD, VERIFY_EMAIL, find_token, redeem_token
from accounts.services.unproven import forget_unproven
from core.events import publish
from core.permissions import Caller
from core.queue import enqueue


def register(*, email: str, password: str, name: str) -> None:
    """Create an account that waits for its address to be confirmed, or tell the owner of a taken address.

    Raises `ValidationFailed` for a weak password.
    """
    address = normalised_email(email)
    refuse_weak_password(password, field="password", email=address, name=name)
    waiting = _waiting_password(address)
    # Asked of every address, so that the time tells nothing.
    proven = waiting if is_right_password(password, waiting) else None
    password_hash = make_password(password)
    try:
        _create_account(address, password_hash, name)
    except IntegrityError:
        twin = _waiting_password(address)
        if twin != waiting and twin is not None and is_right_password(password, twin):
            proven = twin
        _answer_later(address, password_hash=proven or "", is_new=False)


@transaction.atomic
def verify_email(*, token: str) -> User:
    """Confirm the address that the mailed secret went to; raises `ValidationFailed` when it does not serve."""
    found = find_token(secret=token, purposes=(VERIFY_EMAIL,))
    user = User.objects.locked().get(pk=found.user_id)
    redeem_token(found)
    if not user.email_verified:
        mark_verified(user, actor=Caller.of(user))
    return user


def mark_verified(user: User, *, actor: Caller) -> None:
    """Note that the locked user's address is theirs; whoever hears of it welcomes them."""
    user.email_verified = True
    user.version += 1
    user.save(update_fields=["email_verified", "version"])
    publish("user.email_verified", subject=user, actor=actor, audience=[user.pk])


def request_verification(*, email: str) -> None:
    """Promise a new link, if there is an account that waits for one; a worker finds out, so the time tells nothing."""
    enqueue("accounts.tasks.send_verification", email=normalised_email(email))


@transaction.atomic
def send_verification(*, email: str) -> None:
    """Mail a new link to an account that waits for it; older links are void."""
    user = User.objects.locked().filter(email=email, email_verified=False, is_active=True).first()
    if user is not None:
        tell_with_link(user, "account.verify_email", purpose=VERIFY_EMAIL)


def answer_owner(*, email: str) -> None:
    """Promise a mail to whoever has proved elsewhere that the address of an unconfirmed account is theirs.

    Like somebody who registers with another password: the one that stands there may be a stranger's.
    """
    _answer_later(email, password_hash="", is_new=False)


@transaction.atomic
def answer_registration(*, email: str, proven: str, is_new: bool) -> None:
    """Write to whoever has this address: a link if it is unconfirmed, else that somebody tried.

    `proven` is the fingerprint of the hash whose password was given, by whoever registers now. Where another one
    stands by now, one of the two may not be the owner, so neither password serves, nor what else was set up there,
    and the link sets one: a stranger who came first would else have theirs confirmed by the owner's click.
    """
    user = User.objects.locked().filter(email=email).first()
    if user is None:
        return
    if not is_new:
        publish("user.registration_repeated", subject=user, actor=Caller(None), audience=[user.pk])
    if user.email_verified or not (is_new or settings.EMAIL_VERIFICATION_REQUIRED):
        tell_sparingly(user, "account.email_taken")
    elif _fingerprint(user.password) == proven:
        tell_with_link(user, "account.verify_email", purpose=VERIFY_EMAIL)
    else:
        _void_password(user)
        forget_unproven(user)
        tell_with_link(user, "account.password_reset", purpose=RESET_PASSWORD)


def insert_account(address: str, password_hash: str, name: str) -> User:
    """Create an unconfirmed account of the first role, in the transaction at hand; `IntegrityError` if it is taken."""
    user = User.objects.create(email=address, password=password_hash, name=name)
    publish(
        "user.created",
        subject=user,
        actor=Caller(user.pk, address, name, "user"),
        data={"after": {"email": address, "name": name}},
    )
    return user


@transaction.atomic
def _create_account(address: str, password_hash: str, name: str) -> None:
    insert_account(address, password_hash, name)
    _answer_later(address, password_hash=password_hash, is_new=True)


def _answer_later(address: str, *, password_hash: str, is_new: bool) -> None:
    """Promise the mail, whatever it will say: a worker finds out, so the time of the answer tells nothing."""
    proven = _fingerprint(password_hash)
    enqueue("accounts.tasks.answer_registration", email=address, proven=proven, is_new=is_new)


def _fingerprint(password_hash: str) -> str:
    return salted_hmac("accounts.registration", password_hash, algorithm="sha256").hexdigest()


def _waiting_password(address: str) -> str | None:
    """Return the password hash of the account that waits for this address to be confirmed, if there is one."""
    if not settings.EMAIL_VERIFICATION_REQUIRED:
        return None
    return User.objects.filter(email=address, email_verified=False).values_list("password", flat=True).first()


def _void_password(user: User) -> None:
    user.set_unusable_password()
    user.version += 1
    user.save(update_fields=["password", "version"])
