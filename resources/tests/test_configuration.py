"""`manage.py config_export`, `config_apply` and `resource_types`: what staff decide, as files."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Role, User
from accounts.services.roles import create_role
from core.permissions import SYSTEM
from core.tests.spine import Events
from resources.models import ResourceType, ResourceTypeVersion, UniqueValue
from resources.services.types import change_type
from resources.tests.factories import create_resource, create_type

pytestmark = pytest.mark.django_db

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["total"],
    "properties": {"total": {"type": "number", "minimum": 0.5, "const": 1.0}, "größe": {"type": "string"}},
}
WORKFLOW = {
    "initial": "draft",
    "states": ["draft", "sent"],
    "transitions": [{"name": "send", "from": ["draft"], "to": "sent"}],
}


@pytest.fixture
def house() -> None:
    """A configuration of our own beside what the product brings."""
    create_type("invoice", schema=SCHEMA, workflow=WORKFLOW, trash_days=7)
    create_role(actor=SYSTEM, name="Buch/Haltung", permissions=["read:user"], description="Looks after the books")


def run(command: str, *arguments: Any) -> tuple[int, str]:
    """Return the exit code and what was said."""
    out = StringIO()
    try:
        call_command(command, *map(str, arguments), stdout=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*.json"))}


def forget_everything() -> None:
    """Make the database as the migrations left it, as far as configuration goes."""
    ResourceType.objects.exclude(key="item").delete()
    Role.objects.exclude(name__in=["user", "moderator", "admin"]).delete()


def edit(file: Path, **members: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **members}))


def test_what_was_exported_makes_an_empty_database_the_same(house: None, tmp_path: Path, events: Events) -> None:
    run("config_export", "--to", tmp_path / "one")
    forget_everything()

    code, planned = run("config_apply", tmp_path / "one")
    assert (code, planned.splitlines()) == (
        2,
        ["create roles/Buch/Haltung", "create types/invoice", "2 thing(s) differ; nothing was changed."],
    )
    assert ResourceType.objects.count() == 1

    assert run("config_apply", tmp_path / "one", "--apply")[0] == 0
    run("config_export", "--to", tmp_path / "two")

    assert contents(tmp_path / "two") == contents(tmp_path / "one")
    assert {"roles/Buch%2FHaltung.json", "types/invoice.json", "types/item.json"} <= contents(tmp_path / "one").keys()
    assert [event.type for event in events("role.*", "resource_type.*")][-2:] == [
        "role.created",
        "resource_type.created",
    ]


def test_types_that_refer_to_each_other_come_back_whatever_their_names(tmp_path: Path) -> None:
    def referring(to: str) -> dict[str, Any]:
        return {"type": "object", "properties": {"other": {"type": "string", "x-ref": to}}}

    for key in ("a-bill", "b-bill", "z-project"):
        create_type(key)
    for key, to in {"a-bill": "z-project", "b-bill": "c-bill", "z-project": "z-project"}.items():
        if to == "c-bill":
            create_type("c-bill", schema=referring("b-bill"))
        change_type(actor=SYSTEM, key=key, changes={"schema": referring(to)})
    run("config_export", "--to", tmp_path / "one")
    forget_everything()

    said = run("config_apply", tmp_path / "one", "--apply")[1].splitlines()
    run("config_export", "--to", tmp_path / "two")

    assert said == [
        *("create types/z-project", "create types/a-bill", "create types/c-bill", "create types/b-bill"),
        *("change types/c-bill (schema)", "4 thing(s) changed."),
    ]
    assert contents(tmp_path / "two") == contents(tmp_path / "one")
    assert run("config_apply", tmp_path / "one")[0] == 0


def test_applying_twice_changes_nothing(house: None, tmp_path: Path, events: Events) -> None:
    run("config_export", "--to", tmp_path)
    edit(tmp_path / "types" / "invoice.json", trash_days=9)
    assert run("config_apply", tmp_path, "--apply") == (0, "change types/invoice (trash_days)\n1 thing(s) changed.\n")
    before = len(events())

    assert run("config_apply", tmp_path, "--apply") == (0, "0 thing(s) changed.\n")
    assert run("config_apply", tmp_path, "--plan") == (0, "0 thing(s) differ; nothing was changed.\n")
    assert len(events()) == before


def test_the_plan_counts_the_rows_that_a_schema_would_refuse(house: None, owner: User, tmp_path: Path) -> None:
    for total in (1.0, 1.0, 1.0):
        create_resource(owner, type_id="invoice", status="draft", data={"total": total})
    run("config_export", "--to", tmp_path)
    edit(tmp_path / "types" / "invoice.json", schema={**SCHEMA, "required": ["total", "größe"]})

    assert run("config_apply", tmp_path)[1].splitlines()[0] == (
        "change types/invoice (schema): 3 live resource(s) would not fit"
    )
    with pytest.raises(CommandError, match="3 resource"):
        run("config_apply", tmp_path, "--apply")
    assert ResourceType.objects.get(key="invoice").schema == SCHEMA

    assert run("config_apply", tmp_path, "--apply", "--force")[0] == 0
    assert ResourceTypeVersion.objects.filter(type__key="invoice").count() == 2


def test_the_plan_counts_the_rows_that_unique_values_and_references_would_refuse(
    house: None, owner: User, tmp_path: Path
) -> None:
    item, letter = create_resource(owner), create_resource(owner, type_id="invoice", status="draft")
    for number, to in (("1", item), ("1", item), ("2", letter), ("2", item), ("3", None), (None, None)):
        data = {"total": 1.0, "number": number, "to": to and str(to.id)}
        given = {name: value for name, value in data.items() if value is not None}
        create_resource(owner, type_id="invoice", status="draft", data=given)
    run("config_export", "--to", tmp_path)
    properties = {
        **SCHEMA["properties"],
        "number": {"type": "string", "x-unique": True},
        "to": {"type": "string", "x-ref": "item"},
    }
    edit(tmp_path / "types" / "invoice.json", schema={"type": "object", "properties": properties})

    # The second 1, the second 2, and what refers to the letter.
    code, planned = run("config_apply", tmp_path, "--plan")
    assert (code, planned.splitlines()) == (
        3,
        [
            "change types/invoice (schema): 3 live resource(s) would not fit",
            "1 thing(s) differ, and 1 of them would be refused; nothing was changed.",
        ],
    )
    assert not UniqueValue.objects.exists()
    with pytest.raises(CommandError, match="3 resource"):
        run("config_apply", tmp_path, "--apply")
    assert run("config_apply", tmp_path, "--plan", "--force")[0] == 2
    assert run("config_apply", tmp_path, "--apply", "--force")[0] == 0
    assert run("config_apply", tmp_path, "--plan") == (0, "0 thing(s) differ; nothing was changed.\n")


def test_the_plan_says_which_roles_and_types_are_named_and_not_there(house: None, tmp_path: Path) -> None:
    run("config_export", "--to", tmp_path)
    named = {
        "seen": {"type": "string", "x-read": ["auditor", "owner", "moderator"]},
        "to": {"type": "string", "x-ref": "project"},
        "above": {"type": "string", "x-ref": "invoice"},
    }
    edit(tmp_path / "types" / "invoice.json", schema={"type": "object", "properties": named})
    bill = {"key": "bill", "name": "Bill", "schema": {"type": "object", "properties": {"to": named["to"]}}}
    (tmp_path / "types" / "bill.json").write_text(json.dumps(bill))

    for arguments in ((), ("--force",)):
        code, planned = run("config_apply", tmp_path, "--plan", *arguments)
        assert (code, planned.splitlines()) == (
            3,
            [
                "create types/bill: there is no type project",
                "change types/invoice (schema): there is no role auditor, no type project",
                "2 thing(s) differ, and 2 of them would be refused; nothing was changed.",
            ],
        )
    with pytest.raises(CommandError):
        run("config_apply", tmp_path, "--apply", "--force")
    assert list(ResourceType.objects.order_by("key").values_list("key", flat=True)) == ["invoice", "item"]

    # What the folder makes is there by then.
    (tmp_path / "types" / "project.json").write_text(json.dumps({"key": "project", "name": "Project"}))
    (tmp_path / "roles" / "auditor.json").write_text(json.dumps({"name": "auditor", "permissions": []}))
    assert run("config_apply", tmp_path, "--plan")[0] == 2
    assert run("config_apply", tmp_path, "--apply")[0] == 0


def test_the_plan_says_that_what_is_in_use_is_not_deleted(house: None, owner: User, tmp_path: Path) -> None:
    create_resource(owner, type_id="invoice", status="draft", data={"total": 1.0})
    run("config_export", "--to", tmp_path)
    (tmp_path / "types" / "invoice.json").unlink()

    assert run("config_apply", tmp_path, "--plan", "--prune", "--force")[0] == 3


def test_nothing_is_deleted_unless_it_is_asked_for(house: None, tmp_path: Path) -> None:
    run("config_export", "--to", tmp_path)
    for name in ("types/invoice.json", "types/item.json", "roles/user.json", "roles/Buch%2FHaltung.json"):
        (tmp_path / name).unlink()

    assert run("config_apply", tmp_path)[0] == 0
    assert run("config_apply", tmp_path, "--prune")[1].splitlines()[:2] == [
        "delete types/invoice",
        "delete roles/Buch/Haltung",
    ]
    run("config_apply", tmp_path, "--prune", "--apply")

    assert set(ResourceType.objects.values_list("key", flat=True)) == {"item"}
    assert set(Role.objects.values_list("name", flat=True)) == {"user", "moderator", "admin"}


def test_what_refers_to_another_is_deleted_before_it(house: None, tmp_path: Path) -> None:
    run("config_export", "--to", tmp_path)
    schema = {"type": "object", "properties": {"bill": {"type": "string", "x-ref": "invoice"}}}
    create_type("payment", schema=schema)

    (tmp_path / "types" / "invoice.json").unlink()
    run("config_apply", tmp_path, "--prune", "--apply")

    assert set(ResourceType.objects.values_list("key", flat=True)) == {"item"}


def test_it_is_all_or_nothing(house: None, owner: User, tmp_path: Path, events: Events) -> None:
    create_resource(owner, type_id="invoice", status="draft", data={"total": 1.0})
    run("config_export", "--to", tmp_path)
    (tmp_path / "types" / "invoice.json").unlink()
    edit(tmp_path / "roles" / "Buch%2FHaltung.json", description="Changed")
    before = len(events())

    assert "delete types/invoice: 1 resource(s) have it" in run("config_apply", tmp_path, "--prune")[1]
    with pytest.raises(CommandError, match="in use"):
        run("config_apply", tmp_path, "--prune", "--apply")

    assert Role.objects.get(name="Buch/Haltung").description == "Looks after the books"
    assert len(events()) == before


def test_a_part_without_a_folder_stays_as_it_is(house: None, tmp_path: Path) -> None:
    run("config_export", "--to", tmp_path)
    for file in (tmp_path / "roles").iterdir():
        file.unlink()
    (tmp_path / "roles").rmdir()

    assert run("config_apply", tmp_path, "--prune")[0] == 0


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("types/invoice.json", "{", "cannot be read as JSON"),
        ("types/invoice.json", "[]", "no JSON object"),
        ("types/invoice.json", '{"key": "a", "key": "b"}', "twice"),
        ("types/invoice.json", '{"key": "x", "name": "X", "trash_days": NaN}', "NaN"),
        ("types/invoice.json", '{"key": "x", "name": "X", "trash_days": true}', "trash_days: This is no int"),
        ("types/invoice.json", '{"key": "X!", "name": "X"}', "ck_resource_types_key"),
        ("types/invoice.json", '{"key": "x", "name": ""}', "name: "),
        ("types/invoice.json", '{"key": "x", "name": "X", "colour": "red"}', "colour: There is no such field"),
        ("types/invoice.json", '{"key": "x", "name": "X", "schema": {"type": "text"}}', "schema.type"),
        ("types/invoice.json", '{"key": "x", "name": "X", "workflow": {"states": []}}', "workflow.states"),
        ("types/more.json", '{"key": "invoice", "name": "Again"}', "already"),
        ("roles/user.json", '{"name": "user", "permissions": ["fly"]}', "permissions.0"),
        ("users/ada.json", "{}", "no part of the configuration"),
    ],
)
def test_bad_files_are_named_and_nothing_happens(
    house: None, tmp_path: Path, events: Events, file: str, text: str, told: str
) -> None:
    run("config_export", "--to", tmp_path)
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text)
    before = len(events())

    with pytest.raises(CommandError, match=told):
        run("config_apply", tmp_path, "--apply")

    assert len(events()) == before


def test_an_export_names_files_that_nothing_stands_for_and_removes_them_when_asked(house: None, tmp_path: Path) -> None:
    run("config_export", "--to", tmp_path)
    ResourceType.objects.filter(key="invoice").delete()

    assert f"{tmp_path}/types/invoice.json stands for nothing" in run("config_export", "--to", tmp_path)[1]
    assert (tmp_path / "types" / "invoice.json").exists()
    run("config_export", "--to", tmp_path, "--prune")
    assert not (tmp_path / "types" / "invoice.json").exists()


def test_types_are_listed_shown_and_made_from_a_file(house: None, owner: User, tmp_path: Path) -> None:
    create_resource(owner, type_id="invoice", status="draft")
    shown = run("resource_types", "invoice")[1]
    listed = json.loads(run("resource_types", "--json")[1])

    assert {row["key"]: (row["resources"], row["in_bin"]) for row in listed} == {"invoice": (1, 0), "item": (0, 0)}
    assert run("resource_types")[1].splitlines()[0] == "invoice  schema 1, 1 resource(s), 0 in the bin, Invoice"
    file = tmp_path / "bill.json"
    file.write_text(shown.replace('"invoice"', '"bill"'))
    assert run("resource_types", "--create", file)[1] == "Type bill created.\n"
    assert ResourceType.objects.get(key="bill").schema == SCHEMA
    with pytest.raises(CommandError, match="already"):
        run("resource_types", "--create", file)
    with pytest.raises(CommandError, match="no type"):
        run("resource_types", "nothing")
