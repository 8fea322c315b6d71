from collections.abc import Callable
from typing import Any

from django.test import Client

from accounts.models import User
from resources.models import Resource, ResourceVersion
from resources.tests.factories import create_resource

BrowserOf = Callable[[User], Client]
Events = Callable[..., list[Any]]
LIST = "/admin/resources/resource/"


def act(browser: Client, action: str, *resources: Resource, **where: str) -> str:
    chosen = [str(resource.pk) for resource in resources]
    query = "&".join(f"{name}={value}" for name, value in where.items())
    response = browser.post(f"{LIST}?{query}", {"action": action, "_selected_action": chosen}, follow=True)
    return str(response.content.decode())


def names_in(browser: Client, **query: str) -> set[str]:
    response: Any = browser.get(LIST, query)
    return {resource.name for resource in response.context_data["cl"].result_list}


def test_staff_move_to_the_bin_and_bring_back(admin: User, owner: User, browser_of: BrowserOf, events: Events) -> None:
    resource = create_resource(owner, name="Lamp")
    browser = browser_of(admin)

    page = act(browser, "delete_them", resource)
    assert "1 resources moved to the bin." in page
    assert (names_in(browser), names_in(browser, place="bin")) == (set(), {"Lamp"})

    page = act(browser, "restore", resource, place="bin")
    assert "1 resources restored." in page
    assert names_in(browser) == {"Lamp"}

    log = events("resource.*")
    assert [event.type for event in log] == ["resource.deleted", "resource.restored"]
    assert {event.actor for event in log} == {admin.pk}
    assert list(ResourceVersion.objects.order_by("number").values_list("number", "action")) == [
        (1, "created"),
        (2, "deleted"),
        (3, "restored"),
    ]


def test_a_change_is_a_version_and_an_event(admin: User, owner: User, browser_of: BrowserOf, events: Events) -> None:
    resource = create_resource(owner, name="Lamp", tags=["old"])

    response = browser_of(admin).post(
        f"{LIST}{resource.pk}/change/",
        {"name": "Desk lamp", "visibility": "private", "description": "", "tags": "new,bright"},
    )

    assert response.status_code == 302, response.content.decode()
    resource.refresh_from_db()
    assert (resource.name, resource.tags, resource.version) == ("Desk lamp", ["new", "bright"], 2)
    (event,) = events("resource.updated")
    assert (event.actor, event.payload["before"]["name"], event.payload["after"]["name"]) == (
        admin.pk,
        "Lamp",
        "Desk lamp",
    )


def test_a_moderator_changes_but_does_not_delete(
    moderator: User, owner: User, browser_of: BrowserOf, events: Events
) -> None:
    resource = create_resource(owner, name="Lamp")
    browser = browser_of(moderator)

    act(browser, "delete_them", resource)
    assert Resource.objects.filter(pk=resource.pk).exists()
    assert events("resource.*") == []

    fields = {"name": "Desk lamp", "visibility": "private", "description": "", "tags": ""}
    assert browser.post(f"{LIST}{resource.pk}/change/", fields).status_code == 302
    resource.refresh_from_db()
    assert resource.name == "Desk lamp"


def test_what_a_service_refuses_is_told_on_the_page(
    moderator: User, owner: User, browser_of: BrowserOf, events: Events
) -> None:
    resource = create_resource(owner, name="Lamp")

    response = browser_of(moderator).post(
        f"{LIST}{resource.pk}/change/",
        {"name": "Lamp", "visibility": "public", "description": "", "tags": ""},
        follow=True,
    )

    assert "You may not do this." in response.content.decode()
    resource.refresh_from_db()
    assert (resource.visibility, resource.version) == ("private", 1)
    assert events("resource.*") == []


def test_resources_are_found_by_word_owner_and_id(
    admin: User, owner: User, stranger: User, browser_of: BrowserOf
) -> None:
    lamp = create_resource(owner, name="Lamp", description="A bright light")
    create_resource(stranger, name="Table")
    browser = browser_of(admin)

    assert names_in(browser, q="bright") == {"Lamp"}
    assert names_in(browser, q="stranger@example.com") == {"Table"}
    assert names_in(browser, q=str(lamp.pk)) == {"Lamp"}


def test_nobody_adds_or_destroys_here(admin: User, owner: User, browser_of: BrowserOf) -> None:
    resource = create_resource(owner)
    browser = browser_of(admin)

    assert browser.get(f"{LIST}add/").status_code == 403
    assert browser.post(f"{LIST}{resource.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Resource.objects.filter(pk=resource.pk).exists()
