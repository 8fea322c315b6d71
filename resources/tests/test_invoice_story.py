"""The life of an invoice over HTTP: what each step leaves behind, and what the steps after it must not lose.

docs/invoice-story.md tells the same with curl; here it is also held what people may not do meanwhile.
"""

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from core.tests.spine import Drain, Events
from resources.models import Resource, Share
from resources.tests.transfers import TYPE, followed, form, job_of, result_of
from resources.tests.uploads import uploaded

ClientOf = Callable[[User], Client]

TYPES = "/api/v1/resource-types"
PATH = "/api/v1/resources"
INVOICE: dict[str, Any] = {
    "key": "invoice",
    "name": "Invoice",
    "schema": {
        "type": "object",
        "required": ["number", "total"],
        "additionalProperties": False,
        "properties": {
            "number": {"type": "string", "x-unique": True, "x-search": "A"},
            "total": {"type": "number", "minimum": 0, "x-index": True},
            "project": {"type": "string", "x-ref": "project"},
            "margin": {"type": "number", "x-read": ["owner"]},
        },
    },
    "workflow": {
        "initial": "draft",
        "states": ["draft", "sent", "paid"],
        "transitions": [
            {"name": "send", "from": ["draft"], "to": "sent", "require": ["project"], "allow": ["owner"]},
            {"name": "pay", "from": ["sent"], "to": "paid", "allow": ["role:moderator"]},
        ],
    },
}


class Story:
    """Whoever takes part, and the invoice once it is there."""

    def __init__(self, client_of: ClientOf, admin: User, moderator: User, owner: User, stranger: User) -> None:
        self.ada, self.mo, self.olive = client_of(admin), client_of(moderator), client_of(owner)
        self.sam, self.anyone = client_of(stranger), Client()
        self.sam_id = str(stranger.pk)
        self.id = ""

    @property
    def path(self) -> str:
        return f"{PATH}/{self.id}"

    def make(self, **body: Any) -> Any:
        return self.olive.post(PATH, body)

    def seen(self, client: Client) -> dict[str, Any]:
        """Return the invoice as this client reads it; raises where it does not."""
        answer = client.get(self.path)
        assert answer.status_code == 200, answer.content
        data: dict[str, Any] = answer.json()["data"]
        return data


@pytest.fixture
def story(client_of: ClientOf, admin: User, moderator: User, owner: User, stranger: User) -> Story:
    told = Story(client_of, admin, moderator, owner, stranger)
    for body in ({"key": "project", "name": "Project"}, INVOICE):
        assert told.ada.post(TYPES, body).status_code == 201
    return told


def statuses(*answers: Any) -> list[int]:
    return [answer.status_code for answer in answers]


def names(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [row["name"] for row in answer.json()["data"]]


def test_an_invoice_lives_from_its_type_to_its_history(story: Story, drain: Drain, events: Events) -> None:
    made_and_filed(story)
    sent_and_paid(story)
    link = shared(story)
    found(story)
    imported_and_exported(story, drain)
    deleted_and_restored(story, link)
    reverted(story)

    log = [event.type for event in events("resource.*") if event.subject_id == story.id]
    assert log == [
        *("resource.created", "resource.file_attached", "resource.updated", "resource.transitioned"),
        *("resource.transitioned", "resource.deleted", "resource.restored", "resource.updated", "resource.reverted"),
    ]


def made_and_filed(story: Story) -> None:
    project = story.make(type="project", name="Lamps").json()["data"]["id"]
    made = story.make(type="invoice", name="March", data={"number": "2026-03", "total": 120.5, "margin": 40})
    again = story.make(type="invoice", name="Again", data={"number": "2026-03", "total": 1})
    wrong = story.make(type="invoice", name="Wrong", data={"number": 3, "total": -1, "project": story.sam_id})
    assert statuses(made, again, wrong) == [201, 409, 400]
    story.id = made.json()["data"]["id"]
    file = uploaded(story.olive, b"Two lamps, 120.50\n", "march.txt")
    assert statuses(
        story.olive.post(f"{story.path}/files", {"file": file["id"]}),
        story.olive.patch(story.path, {"data": {"project": project}}),
    ) == [201, 200]
    assert Resource.objects.filter(type_id="invoice").count() == 1


def sent_and_paid(story: Story) -> None:
    pay, send = f"{story.path}/transitions/pay", f"{story.path}/transitions/send"
    assert statuses(story.sam.post(send), story.mo.post(send), story.olive.post(pay)) == [404, 403, 403]
    assert statuses(story.olive.post(send), story.olive.post(send), story.mo.post(pay)) == [200, 409, 200]
    assert story.seen(story.olive)["status"] == "paid"


def shared(story: Story) -> str:
    """Share with Sam and by link; return the link's address."""
    assert statuses(story.sam.get(story.path), story.anyone.get(story.path)) == [404, 404]
    given = story.olive.post(f"{story.path}/shares", {"user": story.sam_id, "access": "viewer"})
    link = story.olive.post(f"{story.path}/shares", {"link": {"max_uses": 2}, "access": "viewer"})
    assert statuses(given, link) == [201, 201]
    address = f"/api/v1/shared/{link.json()['data']['token']}"
    opened = story.anyone.get(address)
    assert (opened.status_code, story.seen(story.sam)["access"]) == (200, "viewer")
    # Whose it is and administrators read what the rule of the field keeps from all others, however they come by it.
    assert "margin" not in opened.content.decode()
    held = {name: "margin" in story.seen(getattr(story, name))["data"] for name in ("olive", "ada", "mo", "sam")}
    assert held == {"olive": True, "ada": True, "mo": False, "sam": False}
    assert statuses(story.sam.patch(story.path, {"name": "Mine"}), story.sam.delete(story.path)) == [403, 403]
    return address


def found(story: Story) -> None:
    assert names(story.olive.get(f"{PATH}?q=2026-03")) == ["March"]
    assert names(story.sam.get(f"{PATH}?q=2026-03")) == ["March"]
    assert names(story.olive.get(f"{PATH}?type=invoice&data.total__gte=100&sort=-data.total")) == ["March"]
    assert names(story.olive.get(f"{PATH}?type=invoice&data.total__gte=121")) == []
    counted = story.olive.get(f"{PATH}/aggregate?type=invoice&group=status&measures=count,sum:data.total").json()
    assert counted["data"] == [{"group": {"status": "paid"}, "count": 1, "sum:data.total": 120.5}]
    assert story.sam.get(f"{PATH}?type=invoice&data.margin=40").status_code == 400


def imported_and_exported(story: Story, drain: Drain) -> None:
    rows = "name,number,total\nApril,2026-04,80\nMay,2026-05,410\nJune,2026-03,1\n"
    coming = job_of(story.olive.generic("POST", "/api/v1/imports", form(rows, "rows.csv", type="invoice"), TYPE))
    drain()
    coming = followed(story.olive, coming)
    assert (coming["state"], coming["done"], coming["failed"]) == ("succeeded", 3, 1)
    wanted = {"type": "invoice", "filters": {"data.total__gte": "100"}, "format": "csv"}
    jobs = [job_of(client.post("/api/v1/exports", wanted)) for client in (story.olive, story.sam)]
    drain()
    tables = [list(csv.DictReader(io.StringIO(result_of(job).decode("utf-8-sig")))) for job in jobs]
    assert [[row["name"] for row in table] for table in tables] == [["March", "May"], ["March"]]
    assert [table[0].get("data.margin") for table in tables] == ["40", ""]
    assert statuses(story.sam.get(f"/api/v1/jobs/{jobs[0]['id']}")) == [404]


def deleted_and_restored(story: Story, link: str) -> None:
    assert story.olive.delete(story.path).status_code == 204
    assert statuses(story.olive.get(story.path), story.sam.get(story.path), story.anyone.get(link)) == [404] * 3
    assert names(story.olive.get(f"{PATH}/trash")) == ["March"]
    assert names(story.sam.get(f"{PATH}/trash")) == []
    assert story.ada.delete(f"{TYPES}/invoice").status_code == 409
    assert statuses(story.sam.post(f"{story.path}/restore"), story.olive.post(f"{story.path}/restore")) == [404, 200]
    assert statuses(story.sam.get(story.path), story.anyone.get(link), story.anyone.get(link)) == [200, 200, 404]
    assert story.make(type="invoice", name="Again", data={"number": "2026-03", "total": 1}).status_code == 409
    files = story.olive.get(f"{story.path}?include=files").json()["data"]["files"]
    assert [file["name"] for file in files] == ["march.txt"]
    assert Share.objects.count() == 2


def reverted(story: Story) -> None:
    before = story.seen(story.olive)
    story.olive.patch(story.path, {"name": "Marhc", "data": {"total": 12050, "margin": 0}})
    number = before["version"]
    difference = story.olive.get(f"{story.path}/versions/{number}/diff/{number + 1}").json()["data"]["changes"]
    assert [change["path"] for change in difference] == ["data.margin", "data.total", "name"]
    assert story.olive.post(f"{story.path}/revert", {"version": number}).status_code == 200
    after = story.seen(story.olive)
    assert {name: after[name] for name in ("name", "data", "status")} == {
        name: before[name] for name in ("name", "data", "status")
    }
    assert after["version"] == number + 2
