"""Wordings as files: exported, compared, applied."""

import json
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from core.permissions import SYSTEM
from core.tests.spine import Events
from notifications.models import MessageTemplate
from notifications.services.message_templates import NewTemplate, create_template

pytestmark = pytest.mark.django_db


def run(command: str, *arguments: Any) -> list[str]:
    """Return the lines that were said."""
    out = StringIO()
    with suppress(SystemExit):
        call_command(command, *map(str, arguments), stdout=out)
    return out.getvalue().splitlines()


def test_wordings_go_to_another_database_and_back(tmp_path: Path, events: Events) -> None:
    for locale, subject in (("", "Hello"), ("de", "Servus {{ name }}")):
        new = NewTemplate("account.welcome", "email", locale, subject=subject, text="größe\n{{ name }}")
        create_template(actor=SYSTEM, new=new)
    run("config_export", "--to", tmp_path / "one")
    MessageTemplate.objects.all().delete()

    assert run("config_apply", tmp_path / "one") == [
        "create templates/account.welcome.email",
        "create templates/account.welcome.email.de",
        "2 thing(s) differ; nothing was changed.",
    ]
    run("config_apply", tmp_path / "one", "--apply")
    run("config_export", "--to", tmp_path / "two")

    file = Path("templates/account.welcome.email.de.json")
    assert (tmp_path / "two" / file).read_bytes() == (tmp_path / "one" / file).read_bytes()
    assert run("config_apply", tmp_path / "one") == ["0 thing(s) differ; nothing was changed."]
    document = json.loads((tmp_path / "one" / file).read_text())
    (tmp_path / "one" / file).write_text(json.dumps({**document, "subject": "Grüß Gott"}))
    assert run("config_apply", tmp_path / "one", "--apply")[0] == "change templates/account.welcome.email.de (subject)"
    assert MessageTemplate.objects.get(locale="de").version == 2
    (tmp_path / "one" / file).unlink()
    assert run("config_apply", tmp_path / "one", "--prune", "--apply")[0] == "delete templates/account.welcome.email.de"
    assert [event.type.partition(".")[2] for event in events("message_template.*")][-2:] == ["updated", "deleted"]


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"kind": "account.welcome", "channel": "email", "subject": "x", "text": "{{ x.y }}"}, "only the name"),
        ({"kind": "account.welcome", "channel": "email", "subject": "x", "text": "x", "key": "y"}, "The key of this"),
        ({"kind": "no.such", "channel": "email", "subject": "x", "text": "x"}, "There is no kind"),
        ({"kind": "account.welcome", "channel": "email", "subject": "x", "text": 1}, "text: This is no str"),
        ({"kind": "account.welcome", "channel": "email", "colour": "red"}, "colour: There is no such field"),
    ],
)
def test_a_bad_file_is_named_and_nothing_happens(
    document: dict[str, Any], told: str, tmp_path: Path, events: Events
) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "one.json").write_text(json.dumps(document))

    with pytest.raises(CommandError, match=told):
        run("config_apply", tmp_path, "--apply")

    assert (MessageTemplate.objects.count(), events("message_template.*")) == (0, [])
