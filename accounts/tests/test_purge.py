"""The nightly purge of what has ended."""

from datetime import UTC, datetime, timedelta

from accounts.models import Session, SignInThrottle, SingleUseToken, SpentRefreshToken, User
from accounts.tests.factories import create_session
from core.queue import enqueue
from core.tests.spine import Drain


def test_it_deletes_what_ended_long_ago_and_nothing_else(owner: User, drain: Drain) -> None:
    long_ago, now = datetime.now(UTC) - timedelta(days=40), datetime.now(UTC)
    live, ended = create_session(owner), create_session(owner)
    Session.objects.filter(pk=ended.pk).update(expires_at=long_ago)
    for number, moment in enumerate((now, long_ago)):
        SpentRefreshToken.objects.create(session=live, token=f"spent-{number}", salt="s", spent_at=moment)
        SingleUseToken.objects.create(user=owner, purpose=f"p{number}", token=f"t{number}", expires_at=moment)
        SignInThrottle.objects.create(key=f"k{number}", failed_at=moment)

    enqueue("accounts.tasks.purge")
    drain()

    assert [session.pk for session in Session.objects.all()] == [live.pk]
    assert [spent.token for spent in SpentRefreshToken.objects.all()] == ["spent-0"]
    assert [token.token for token in SingleUseToken.objects.all()] == ["t0"]
    assert [throttle.key for throttle in SignInThrottle.objects.all()] == ["k0"]
