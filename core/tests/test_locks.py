"""Named locks: held by one transaction at a time, until it ends, and by none that has not begun."""

import threading

import pytest
from django.db import connection, transaction

from core.locks import NamedLock

LOCK = NamedLock("test.locks")


def elsewhere_is_free(of: str | None = None) -> bool:
    """Return whether another connection gets the lock."""
    seen: list[bool] = []

    def ask() -> None:
        try:
            with transaction.atomic():
                seen.append(LOCK.hold_if_free(of=of))
        finally:
            connection.close()

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    return seen[0]


@pytest.mark.django_db(transaction=True)
def test_a_lock_is_held_until_the_transaction_ends_and_no_longer() -> None:
    with transaction.atomic():
        LOCK.hold()
        while_held = elsewhere_is_free()

    assert (while_held, elsewhere_is_free()) == (False, True)


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_fails_gives_its_lock_back() -> None:
    with transaction.atomic():
        LOCK.hold()
        transaction.set_rollback(True)

    assert elsewhere_is_free()


@pytest.mark.django_db(transaction=True)
def test_what_is_held_of_one_leaves_the_others_free() -> None:
    with transaction.atomic():
        LOCK.hold(of="one")

        assert (elsewhere_is_free("one"), elsewhere_is_free("another"), elsewhere_is_free()) == (False, True, True)


@pytest.mark.django_db(transaction=True)
def test_a_lock_that_would_be_given_back_at_once_is_refused() -> None:
    with pytest.raises(transaction.TransactionManagementError, match=r"test\.locks can only be held in a transaction"):
        LOCK.hold()

    assert elsewhere_is_free()
