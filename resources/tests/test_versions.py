"""History: GET /resources/{id}/versions and …/versions/{n}."""

from collections.abc import Callable

from django.test import Client

from accounts.models import User
from resources.tests.factories import create_resource

ClientOf = Callable[[User], Client]
PATH = "/api/v1/resources"


def test_every_write_is_listed_newest_first(client_of: ClientOf, owner: User, admin: User) -> None:
    row = client_of(owner).post(PATH, {"name": "March", "data": {"price": 1}}).json()["data"]
    client_of(admin).patch(f"{PATH}/{row['id']}", {"data": {"price": 2}})

    response = client_of(owner).get(f"{PATH}/{row['id']}/versions")

    listed = response.json()["data"]
    assert [(item["number"], item["action"], item["actor"]["name"], item["changed"]) for item in listed] == [
        (2, "updated", "Ada Admin", ["data.price"]),
        (
            1,
            "created",
            "Olive Owner",
            [
                "data",
                "description",
                "external_id",
                "name",
                "owner",
                "schema_version",
                "status",
                "tags",
                "type",
                "visibility",
            ],
        ),
    ]
    assert response.json()["meta"]["total"] == 2


def test_one_version_tells_the_whole_state(client_of: ClientOf, owner: User) -> None:
    client = client_of(owner)
    row = client.post(PATH, {"name": "March", "data": {"price": 1}}).json()["data"]
    client.patch(f"{PATH}/{row['id']}", {"name": "April"})

    response = client.get(f"{PATH}/{row['id']}/versions/1")

    assert response["ETag"] == '"1"'
    assert response.json()["data"]["snapshot"]["name"] == "March"
    assert client.get(f"{PATH}/{row['id']}/versions/1", headers={"If-None-Match": '"1"'}).status_code == 304


def test_history_is_for_those_who_may_read(client_of: ClientOf, owner: User, stranger: User, anonymous: Client) -> None:
    row = client_of(owner).post(PATH, {"name": "March"}).json()["data"]
    path = f"{PATH}/{row['id']}/versions"

    for client in (client_of(stranger), anonymous):
        assert client.get(path).status_code == 404
        assert client.get(f"{path}/1").status_code == 404
        assert client.get(f"{path}/1", headers={"If-None-Match": '"1"'}).status_code == 404
    assert client_of(owner).get(f"{path}/2").status_code == 404
    assert client_of(owner).get(f"{path}/99999999999999").status_code == 404


def test_a_resource_without_history_has_an_empty_one(client_of: ClientOf, owner: User) -> None:
    row = create_resource(owner, version=2)

    assert client_of(owner).get(f"{PATH}/{row.id}/versions").json()["data"] == []
