"""A role that something is shared with stays: taking it away would take the access of others, unasked."""

from collections.abc import Callable

from django.test import Client

from accounts.models import Role, User
from core.models import Event
from resources.access import Level
from resources.models import Share
from resources.tests.factories import create_resource

ClientOf = Callable[[User], Client]


def test_a_role_that_shares_name_is_not_deleted(owner: User, admin: User, client_of: ClientOf) -> None:
    role = Role.objects.create(name="guests")
    share = Share.objects.create(resource=create_resource(owner), role=role, access=Level.VIEWER, given_by=owner)
    client = client_of(admin)

    answer = client.delete(f"/api/v1/roles/{role.pk}")

    assert answer.status_code == 409
    assert answer.json()["error"]["message"] == "This role is in use: 1 shares name it."
    assert Role.objects.filter(pk=role.pk).exists()
    assert Share.objects.filter(pk=share.pk).exists()
    assert not Event.objects.filter(type="role.deleted").exists()
    share.delete()
    assert client.delete(f"/api/v1/roles/{role.pk}").status_code == 204
