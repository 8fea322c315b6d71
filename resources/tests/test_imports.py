"""POST /imports: the rows of a file as resources."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from core.models import Event, Job
from core.tests.spine import Drain
from resources.models import Resource, ResourceHistory, ResourceTag, ResourceVersion
from resources.tests.factories import create_resource, create_type
from resources.tests.transfers import (
    LETTER,
    ClientOf,
    ask_import,
    counts,
    faults,
    followed,
    job_of,
    lines,
    result_of,
)

pytestmark = pytest.mark.usefixtures("local_files")


@pytest.fixture
def client(owner: User, client_of: ClientOf) -> Client:
    create_type("letter", schema=LETTER)
    return client_of(owner)


@pytest.fixture
def imported(client: Client, drain: Drain) -> Any:
    def imported(content: bytes | str, name: str = "rows.csv", **fields: str) -> dict[str, Any]:
        job = job_of(ask_import(client, content, name, **fields))
        drain()
        return followed(client, job)

    return imported


GOOD = {
    "name": "March",
    "description": "Two\nlines, and a \\ and a tab\t.",
    "visibility": "internal",
    "tags": ["a", 'b,"c', "d\\"],
    "external_id": "x/1",
    "data": {"number": "1", "total": 12.5, "paid": True, "customer": {"city": "Köln"}, "lines": [{"a": "\\n"}]},
}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.ndjson", lines(GOOD) + b"\n\n"),
        ("rows.jsonl", lines(GOOD)),
        ("rows.json", b" [\n" + lines(GOOD) + b"\n]\n"),
        ("rows.json", b"\xef\xbb\xbf[" + lines(GOOD) + b"]"),
    ],
)
def test_a_row_becomes_what_a_post_of_it_becomes(client: Client, imported: Any, name: str, content: bytes) -> None:
    posted = client.post("/api/v1/resources", {**GOOD, "type": "letter"}, "application/json").json()["data"]
    first = Resource.objects.get()
    kept = ResourceHistory.objects.filter(number=1).values("action", "actor", "changed", "snapshot")
    expected = kept.get(resource=first)
    Resource.objects.update(external_id="other")

    assert counts(imported(content, name)) == ("succeeded", 1, 1, 0)

    made = Resource.objects.exclude(pk=first.pk).get()
    shown = client.get(f"/api/v1/resources/{made.pk}").json()["data"]
    apart = {"id", "created_at", "updated_at"}
    assert {**shown, **dict.fromkeys(apart)} == {**posted, **dict.fromkeys(apart)}
    assert kept.get(resource=made) == expected
    told = Event.objects.filter(type="resource.created").values("actor", "on_behalf_of", "payload", "audience")
    assert told.get(subject_id=str(made.pk)) == told.get(subject_id=str(first.pk))
    assert set(Event.objects.filter(type="resource.created").values_list("subject_type", flat=True)) == {"resource"}
    assert _beside(made) == _beside(first)


def _beside(resource: Resource) -> tuple[Any, ...]:
    """Return what triggers keep of a resource: its tags, and its words."""
    tags = ResourceTag.objects.filter(resource_id=resource.pk).order_by("tag")
    words = Resource.objects.filter(pk=resource.pk).values_list("search", flat=True).get()
    return [*tags.values_list("key", "tag", "owner_id", "visibility", "type")], words


@pytest.mark.parametrize("number", [{"type": "string"}, {"type": "string", "x-search": "A"}])
def test_words_and_tags_of_any_script_are_those_of_a_post(
    client: Client, imported: Any, number: dict[str, str]
) -> None:
    create_type("note", schema={"type": "object", "properties": {"number": number}})
    row = {
        **GOOD,
        "name": "Naïve café-owner\u2019s FOO-bar http://a.example/Über?x=1 me@x.example 3.14 ﬁne",
        "tags": ["Straße", "ÄPFEL", "İstanbul", "ΣΑΣ", "Plain", "plain", "K"],
        "data": {"number": "Ünique-1", "note": "Sealed Ärger"},
    }
    client.post("/api/v1/resources", {**row, "type": "note"}, "application/json")
    first = Resource.objects.get()
    Resource.objects.update(external_id="other")

    assert counts(imported(lines(row), "rows.ndjson", type="note")) == ("succeeded", 1, 1, 0)

    assert _beside(Resource.objects.exclude(pk=first.pk).get()) == _beside(first)


def test_a_text_that_copy_would_take_for_nothing_stays_a_text(imported: Any) -> None:
    assert counts(imported(b"name,external_id,number\n\\N,\\N,1\nPlain,,2\n")) == ("succeeded", 2, 2, 0)

    assert list(Resource.objects.order_by("pk").values_list("name", "external_id")) == [("\\N", "\\N"), ("Plain", None)]


def test_numbers_of_a_table_are_those_of_json(imported: Any) -> None:
    spelt = ["0", "-0", "7", "-12", "0.1", "-0.50", "1e3", "123456789012345.5", "00", "1.", "٣", "9" * 18]
    content = "name,number,total\n" + "".join(f"{number},x,{number}\n" for number in spelt)

    assert counts(imported(content)) == ("succeeded", 12, 12, 3)

    totals = Resource.objects.order_by("pk").values_list("data__total", flat=True)
    read = [0, 0, 7, -12, 0.1, -0.5, 1000.0, 123456789012345.5, int("9" * 18)]
    assert [(number, type(number)) for number in totals] == [(number, type(number)) for number in read]


def test_columns_are_fields_and_paths_and_names_of_properties(imported: Any) -> None:
    table = (
        "\ufeffname,data.number,total,data.paid,customer.city,tags,data,id,status\r\n"
        '"A ""letter""\r\nno",007,-12.5,true,Köln,"a,""b,c""","{""lines"": [1]}",1,sent\r\n'
        "B,'=1+1,,,,,,,\r\n"
    )
    job = imported(table.replace('letter""\r\nno', 'letter"" no'))

    assert counts(job) == ("succeeded", 2, 2, 0)
    assert job["result_url"] is None
    first, second = Resource.objects.order_by("pk")
    assert (first.name, first.tags, first.status) == ('A "letter" no', ["a", "b,c"], "active")
    assert first.data == {
        "number": "007",
        "total": -12.5,
        "paid": True,
        "customer": {"city": "Köln"},
        "lines": [1],
    }
    assert (second.name, second.data) == ("B", {"number": "=1+1"})


def test_a_line_break_within_quotes_belongs_to_the_cell(imported: Any) -> None:
    assert counts(imported('name;description;number\n"A";"one\ntwo";1\nB;;2\n')) == ("succeeded", 2, 2, 0)
    assert list(Resource.objects.order_by("pk").values_list("name", "description")) == [("A", "one\ntwo"), ("B", "")]


def test_a_row_at_fault_is_told_of_and_left_out(imported: Any) -> None:
    table = (
        "name,visibility,total,number,description\n"
        "Good,,1,1,\n"
        ",,1,1,\n"
        "Bad,secret,twelve,1,\n"
        "Bad,,1,,\n"
        "Bad,,1,1,,,,\n"
        "Bad\u202e,,1,1,\n"
        "Good too,,1,1,\n"
    )
    job = imported(table)

    assert counts(job) == ("succeeded", 7, 7, 5)
    assert faults(job) == [
        ("2", "name", "required"),
        ("3", "visibility", "invalid_choice"),
        ("3", "data.total", "type"),
        ("4", "data.number", "required"),
        ("5", "", "malformed"),
        ("6", "name", "hidden_characters"),
    ]
    assert list(Resource.objects.order_by("pk").values_list("name", flat=True)) == ["Good", "Good too"]
    assert ResourceHistory.objects.count() == Event.objects.filter(type="resource.created").count() == 2


def test_rows_of_json_are_read_as_strictly_as_a_body(imported: Any) -> None:
    bad = [
        b"{",
        b"[1]",
        b'{"name": "A", "name": "B", "data": {"number": "1"}}',
        b'{"name": "A", "data": {"number": "\\u0000"}}',
        b'{"name": "A", "data": {"number": "1"}, "colour": "red"}',
        b'{"name": 1, "data": []}',
        b'{"name": "A", "type": "item", "data": {"number": "1"}}',
        b'{"name": "A", "tags": "a", "data": {"number": "1"}}',
    ]
    job = imported(b"\n".join(bad), "rows.ndjson")

    assert counts(job) == ("succeeded", 8, 8, 8)
    assert [(path, code) for _, path, code in faults(job)] == [
        ("", "malformed"),
        ("", "not_an_object"),
        ("", "malformed"),
        ("", "malformed"),
        ("colour", "unknown_field"),
        ("name", "invalid"),
        ("data", "not_an_object"),
        ("type", "wrong_type"),
        ("tags", "invalid"),
    ]
    assert not Resource.objects.exists()


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        ("name\nKöln".encode("latin-1"), "rows.csv", "encoding"),
        ("name\nA".encode("utf-16"), "rows.csv", "encoding"),
        (b"name\nA\x00", "rows.csv", "null_character"),
        (b"\n\n", "rows.csv", "no_header"),
        (b"name,name\nA,B", "rows.csv", "header"),
        (b"name,colour\nA,red", "rows.csv", "unknown_column"),
        (b'{"name": "A"}', "rows.json", "not_an_array"),
        (b"", "rows.csv", "empty"),
    ],
)
def test_a_file_that_is_none_makes_no_job(client: Client, content: bytes, name: str, code: str) -> None:
    answer = ask_import(client, content, name)

    assert answer.status_code == 400
    assert [(one["field"], one["code"]) for one in answer.json()["error"]["details"]] == [("file", code)]
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("fields", "details"),
    [
        ({"type": "nothing"}, [("type", "does_not_exist")]),
        ({"mode": "replace"}, [("mode", "invalid_choice")]),
        ({"dry_run": "yes"}, [("dry_run", "invalid_choice")]),
        ({"format": "xml"}, [("format", "invalid_choice")]),
        ({"colour": "red"}, [("colour", "unknown_field")]),
    ],
)
def test_a_wrong_form_makes_no_job(client: Client, fields: dict[str, str], details: list[tuple[str, str]]) -> None:
    answer = ask_import(client, "name\nA", **fields)

    assert answer.status_code == 400
    assert [(one["field"], one["code"]) for one in answer.json()["error"]["details"]] == details
    assert not Job.objects.exists()


def test_a_file_that_is_too_large_is_refused(client: Client, settings: Any) -> None:
    settings.IMPORT_MAX_MEBIBYTES = 1
    assert ask_import(client, b"name\n" + b"A\n" * 600_000).status_code == 413
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        (b'name,number\nA,1\n"B,2\n', "rows.csv", "malformed"),
        (b'[{"name": "A", "data": {"number": "1"}}, {"name": ]', "rows.json", "malformed"),
        (b'[{"name": "A", "data": {"number": "1"}}] more', "rows.json", "malformed"),
        (b'[{"name": "A", "data": {"number": "1"}},]', "rows.json", "malformed"),
        (b'{"name": "' + b"A" * 1_100_000 + b'"}', "rows.ndjson", "too_long"),
    ],
)
def test_what_cannot_be_read_to_its_end_writes_nothing(imported: Any, content: bytes, name: str, code: str) -> None:
    job = imported(content, name)

    assert (job["state"], job["error"]["code"]) == ("failed", code)
    assert not Resource.objects.exists()


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b'{"name": "A"}\n\n{"name": "' + b"B" * 1_100_000 + b'"}\n{"name": "C"}', "rows.ndjson"),
        (b"name\nA\n" + b"B" * 1_100_000 + b"\nC\n", "rows.csv"),
        (b'name\nA\n"' + b"B\n" * 600_000 + b'"\nC\n', "rows.csv"),
    ],
    ids=["a line of JSON", "a line of a table", "a row of many lines"],
)
def test_a_row_that_is_too_long_is_told_by_its_number(imported: Any, content: bytes, name: str) -> None:
    job = imported(content, name)

    assert job["error"] == {"code": "too_long", "message": "Row 2 is longer than 1024 KiB."}
    assert not Resource.objects.exists()


@pytest.mark.parametrize("mode", ["create", "upsert"])
def test_a_dry_run_tells_the_same_and_changes_nothing(client: Client, owner: User, imported: Any, mode: str) -> None:
    create_resource(owner, type_id="letter", external_id="1", data={"number": "0"})
    rows = "name,external_id,number\nA,1,1\nB,2,2\nC,2,3\n,3,3\nD,,\n"
    before = list(Resource.objects.values())

    dry = imported(rows, mode=mode, dry_run="true")
    assert list(Resource.objects.values()) == before
    assert not Event.objects.filter(type__startswith="resource.").exists()
    told = faults(dry)
    wet = imported(rows, mode=mode)

    assert counts(dry) == counts(wet)
    assert told == faults(wet)


def test_an_upsert_makes_or_replaces_and_writes_nothing_twice(owner: User, stranger: User, imported: Any) -> None:
    old = create_resource(
        owner, type_id="letter", external_id="1", name="Old", description="Gone", data={"number": "1"}
    )
    same = create_resource(owner, type_id="letter", external_id="2", name="Same", data={"number": "2"})
    create_resource(stranger, type_id="letter", external_id="1", name="Foreign", data={"number": "1"})
    rows = "name,external_id,number\nNew,1,9\nSame,2,2\nThird,3,3\nThird again,3,4\nNone,,5\n"

    job = imported(rows, mode="upsert")

    assert counts(job) == ("succeeded", 5, 5, 1)
    assert faults(job) == [("5", "external_id", "required")]
    own = Resource.objects.filter(owner=owner).order_by("external_id")
    assert list(own.values_list("external_id", "name", "description", "version")) == [
        ("1", "New", "", 2),
        ("2", "Same", "", 1),
        ("3", "Third again", "", 2),
    ]
    assert Resource.objects.get(pk=old.pk).data == {"number": "9"}
    assert not ResourceVersion.objects.filter(resource=same).exists()
    update = Event.objects.get(type="resource.updated", subject_id=str(old.pk))
    assert update.payload["before"] == {"name": "Old", "description": "Gone", "data.number": "1"}
    assert update.payload["after"] == {"name": "New", "description": "", "data.number": "9"}
    assert Resource.objects.get(owner=stranger).name == "Foreign"


def test_an_id_that_is_taken_is_the_fault_of_its_row(owner: User, imported: Any) -> None:
    create_resource(owner, type_id="letter", external_id="1", data={"number": "1"})

    job = imported("name,external_id,number\nA,1,1\nB,2,1\nC,2,1\nD,,1\n")

    assert counts(job) == ("succeeded", 4, 4, 2)
    assert faults(job) == [("1", "external_id", "unique"), ("3", "external_id", "repeated")]


def test_an_export_can_be_imported(client: Client, owner: User, drain: Drain, imported: Any) -> None:
    data = {"number": "=1", "total": 1.5, "customer": {"city": ""}, "lines": [None, {"a": "'=x"}]}
    made = create_resource(
        owner, type_id="letter", name="'=A", tags=["x,y", "z"], external_id="+1", data=data, description="-1\n'"
    )
    job = job_of(client.post("/api/v1/exports", {"type": "letter"}, "application/json"))
    drain()
    table = result_of(job)
    made.delete()

    assert counts(imported(table, mode="upsert")) == ("succeeded", 1, 1, 0)

    again = Resource.objects.get()
    assert (again.name, again.tags, again.external_id, again.data) == ("'=A", ["x,y", "z"], "+1", data)
    assert again.description == "-1\n'"
