"""Many at once on the way to a provider and back: one wins, and nothing is done twice."""

from collections import Counter

import pytest
from django.contrib.auth.hashers import make_password

from accounts.models import Connection, Session, User
from accounts.tests.answers import kinds_sent_to
from accounts.tests.factories import access_token_of, create_connection, create_session, create_user
from accounts.tests.oidc_provider.process import ProviderProcess
from accounts.tests.social import Browser, come_back, cookies_of, go
from accounts.tests.test_races import at_once
from core.models import Event

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_state_serves_one_of_64(transactional_db: None, provider: ProviderProcess) -> None:
    browser = Browser()
    given = go(provider, browser, "nina")

    def act(index: int) -> int:
        client = Browser()
        client.cookies = cookies_of(browser)
        return int(come_back(client, given).status_code)

    statuses = Counter(at_once(64, act))

    assert statuses == {200: 1, 400: 63}
    assert (User.objects.count(), Connection.objects.count(), Session.objects.count()) == (1, 1, 1)
    assert provider.seen().count("token") == 1


def test_somebody_new_becomes_one_account(transactional_db: None, provider: ProviderProcess) -> None:
    browsers = [Browser() for _ in range(8)]
    given = [go(provider, browser, "nina") for browser in browsers]

    statuses = at_once(8, lambda index: come_back(browsers[index], given[index]).status_code)

    assert statuses == [200] * 8
    assert (User.objects.count(), Connection.objects.count(), Session.objects.count()) == (1, 1, 8)
    assert Event.objects.filter(type__in=["user.created", "connection.created"]).count() == 2


def test_an_account_is_joined_once(transactional_db: None, provider: ProviderProcess) -> None:
    owner = create_user(email="owner@example.com")
    browsers = [Browser() for _ in range(8)]
    given = [go(provider, browser, "olive") for browser in browsers]

    statuses = at_once(8, lambda index: come_back(browsers[index], given[index]).status_code)

    assert statuses == [200] * 8
    assert Connection.objects.get().user == owner
    assert kinds_sent_to(owner.email) == ["account.connection_changed"]


def test_two_people_do_not_both_get_one_identity(transactional_db: None, provider: ProviderProcess) -> None:
    people = [create_user(), create_user()]
    clients = [Browser(access_token_of(create_session(person))) for person in people]
    given = [go(provider, client, "nina") for client in clients]

    statuses = at_once(2, lambda index: come_back(clients[index], given[index]).status_code)

    assert sorted(statuses) == [200, 409]
    assert Connection.objects.get().user == people[statuses.index(200)]


def test_the_last_two_ways_to_sign_in_do_not_both_go(transactional_db: None) -> None:
    user = create_user(password=make_password(None))
    connections = [create_connection(user), create_connection(user)]
    token = access_token_of(create_session(user))

    def remove(index: int) -> int:
        client = Browser(token)
        return int(client.delete(f"/api/v1/auth/oauth/connections/{connections[index].pk}").status_code)

    assert sorted(at_once(2, remove)) == [204, 409]
    assert Connection.objects.count() == 1
