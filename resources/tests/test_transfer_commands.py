"""`import_resources` and `export_resources`: the jobs of the API, from a shell."""

import csv
import io
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.core.management import CommandError, call_command
from django.db.models.functions import Now

from accounts.models import User
from core.jobs import running
from core.models import Event, Job, OutboxRow
from core.tests.spine import Drain
from resources.models import Resource, ResourceHistory
from resources.services.importing import reading
from resources.tests.factories import create_resource, create_type
from resources.tests.transfers import LETTER, ClientOf, ask_import, counts, faults, followed, job_of

pytestmark = pytest.mark.usefixtures("local_files", "letters")

ROWS = "name,external_id,number\nA,1,1\nB,2,2\nC,2,3\n,3,3\n"


@pytest.fixture
def letters(db: None) -> None:
    create_type("letter", schema=LETTER)


def run(command: str, *arguments: Any) -> tuple[int, str, str]:
    """Run the command; return its code, and what it said on both ways out."""
    said, complained = StringIO(), StringIO()
    code = 0
    try:
        call_command(command, *map(str, arguments), stdout=said, stderr=complained)
    except SystemExit as end:
        code = int(str(end.code))
    return code, said.getvalue(), complained.getvalue()


def importing(file: Path | str, owner: User, *more: str) -> tuple[int, str, str]:
    return run("import_resources", file, "--type", "letter", "--owner", owner.email, *more)


@pytest.fixture
def bills(tmp_path: Path) -> Path:
    path = tmp_path / "bills.csv"
    path.write_text(ROWS)
    return path


def test_rows_are_written_and_told_of_as_by_the_api(
    owner: User, stranger: User, client_of: ClientOf, drain: Drain, bills: Path, tmp_path: Path
) -> None:
    client = client_of(stranger)
    by_api = job_of(ask_import(client, ROWS))
    drain()

    code, said, _ = importing(bills, owner, "--faults", str(tmp_path / "faults.csv"))

    assert (code, said) == (1, "4 row(s): 2 written, 2 at fault.\n")
    own, others = Resource.objects.filter(owner=owner), Resource.objects.filter(owner=stranger)
    assert list(own.order_by("pk").values("name", "data")) == list(others.order_by("pk").values("name", "data"))
    assert ResourceHistory.objects.filter(resource__in=own, actor=owner).count() == 2
    assert Event.objects.filter(type="resource.created", actor=owner.pk).count() == 2
    table = csv.DictReader(io.StringIO((tmp_path / "faults.csv").read_text(), newline=""))
    told = [(row["row"], row["path"], row["code"]) for row in table]
    assert told == faults(followed(client, by_api))
    assert Job.objects.get(owner=owner).state == "succeeded"


def test_without_a_table_its_beginning_is_said(owner: User, bills: Path) -> None:
    _, _, complained = importing(bills, owner)

    assert complained.splitlines()[:2] == [
        "row,path,code,message",
        "3,external_id,repeated,Another row of the file has this external id.",
    ]


def test_what_a_file_holds_does_not_move_the_cursor(owner: User, tmp_path: Path) -> None:
    (tmp_path / "bills.csv").write_text("name,colour\x1b[2J\nA,1\n")

    with pytest.raises(CommandError) as refusal:
        importing(tmp_path / "bills.csv", owner)

    assert "colour\N{REPLACEMENT CHARACTER}[2J" in str(refusal.value)


def test_a_sound_file_ends_well(owner: User, tmp_path: Path) -> None:
    (tmp_path / "bills.ndjson").write_bytes(b'{"name":"A","data":{"number":"1"}}\n')

    assert importing(tmp_path / "bills.ndjson", owner)[:2] == (0, "1 row(s): 1 written, 0 at fault.\n")
    assert Resource.objects.get().owner == owner


def test_a_dry_run_changes_nothing(owner: User, bills: Path) -> None:
    assert importing(bills, owner, "--dry-run")[:2] == (1, "4 row(s): 2 would be written, 2 at fault.\n")
    assert not Resource.objects.exists()
    assert not Event.objects.filter(type__startswith="resource.").exists()


def test_what_comes_in_is_read_and_goes_out_again(
    owner: User, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'[{"name":"A","data":{"number":"1"}}]')))

    assert importing("-", owner, "--format", "json")[0] == 0
    code, said, _ = run("export_resources", "-", "--owner", owner.email, "--format", "ndjson")

    assert (code, said) == (0, "")
    assert b'"name":"A"' in capfdbinary.readouterr().out.replace(b": ", b":")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.csv"], "is no file that can be read"),
        (["bills.txt"], "give --format"),
        (["bills.csv", "--type", "nothing"], "There is no such resource type."),
        (["bills.csv", "--owner", "nobody@example.com"], "may sign in"),
        (["bad.csv"], "There is no such column: colour."),
        (["cut.json"], "failed after 0 row"),
    ],
)
def test_what_cannot_be_imported_is_said_and_changes_nothing(
    owner: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in {"bills.csv": ROWS, "bills.txt": ROWS, "bad.csv": "name,colour\nA,red\n"}.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "cut.json").write_text('[{"name":"A"},')

    with pytest.raises(CommandError, match=message):
        call_command("import_resources", "--type", "letter", "--owner", owner.email, *arguments, stderr=StringIO())

    assert not Resource.objects.exists()
    assert not Event.objects.filter(type__startswith="resource.").exists()


def test_who_may_not_sign_in_owns_nothing_new(owner: User, bills: Path) -> None:
    User.objects.filter(pk=owner.pk).update(is_active=False)

    with pytest.raises(CommandError, match="may sign in"):
        importing(bills, owner)

    assert not Resource.objects.exists()
    assert not Job.objects.exists()


def test_of_a_killed_command_a_worker_takes_the_job_over(
    owner: User, client_of: ClientOf, drain: Drain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "ROWS_A_STEP", 2)
    (tmp_path / "bills.csv").write_text("name,number\n" + "A,1\n" * 7)
    keep = running._keep
    kept: list[int] = []

    class Killed(BaseException):
        """Nobody catches it, as nobody catches a signal 9."""

    def die_in_the_third(*args: Any, **options: Any) -> None:
        kept.append(len(kept))
        if len(kept) == 3:
            raise Killed
        keep(*args, **options)

    monkeypatch.setattr(running, "_keep", die_in_the_third)
    with pytest.raises(Killed):
        importing(tmp_path / "bills.csv", owner)
    drain()
    assert Resource.objects.count() == 2
    OutboxRow.objects.update(due_at=Now() - timedelta(seconds=1))
    drain()

    job = Job.objects.get()
    assert counts({"state": job.state, "total": job.total, "done": job.done, "failed": 0}) == ("succeeded", 7, 7, 0)
    assert Resource.objects.count() == ResourceHistory.objects.count() == 7


def test_stopped_from_the_keyboard_it_leaves_what_its_steps_have_written(
    owner: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "ROWS_A_STEP", 2)
    (tmp_path / "bills.csv").write_text("name,number\n" + "A,1\n" * 7)
    keep = running._keep
    kept: list[int] = []

    def stop_in_the_third(*args: Any, **options: Any) -> None:
        kept.append(len(kept))
        if len(kept) == 3:
            raise KeyboardInterrupt
        keep(*args, **options)

    monkeypatch.setattr(running, "_keep", stop_in_the_third)
    with pytest.raises(CommandError, match="cancelled after 2 row"):
        importing(tmp_path / "bills.csv", owner)

    assert Resource.objects.count() == 2
    assert Job.objects.get().state == "cancelled"


def test_who_has_two_jobs_under_way_waits(owner: User, client_of: ClientOf, bills: Path) -> None:
    client = client_of(owner)
    for _ in range(2):
        job_of(ask_import(client, ROWS))

    with pytest.raises(CommandError, match="under way"):
        importing(bills, owner)

    assert Job.objects.count() == 2
    assert not Resource.objects.exists()


def test_an_export_is_what_the_list_shows_its_owner(owner: User, stranger: User, tmp_path: Path) -> None:
    create_resource(owner, name="A", type_id="letter", tags=["x"], data={"number": "1"})
    create_resource(owner, name="B", type_id="letter", data={"number": "2"})
    create_resource(stranger, name="Foreign", type_id="letter", tags=["x"], data={"number": "3"})
    target = tmp_path / "letters.csv"
    target.write_text("before")

    arguments = ["--owner", owner.email, "--type", "letter", "--filter", "tag=x"]
    code, said, _ = run("export_resources", target, *arguments)

    assert (code, said) == (0, "1 resource(s) exported as csv.\n")
    rows = csv.DictReader(io.StringIO(target.read_text(), newline=""))
    assert [(row["name"], row["data.number"]) for row in rows] == [("A", "1")]
    assert [path.name for path in tmp_path.iterdir() if "letters" in path.name] == ["letters.csv"]
    assert target.stat().st_mode & 0o077 == 0
    run("export_resources", tmp_path / "all.json", "--owner", owner.email)
    assert [row["name"] for row in orjson.loads((tmp_path / "all.json").read_bytes())] == ["A", "B"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["letters.pdf"], "Give --format"),
        (["letters.csv", "--filter", "colour=red"], "There is no such parameter"),
        (["letters.csv", "--filter", "colour"], "is no filter"),
        (["letters.csv", "--type", "nothing"], "There is no such resource type."),
        (["nowhere/letters.csv"], "cannot be written"),
    ],
)
def test_what_cannot_be_exported_is_said(
    owner: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    target = tmp_path / "letters.csv"
    target.write_text("before")

    with pytest.raises(CommandError, match=message):
        call_command("export_resources", "--owner", owner.email, *arguments, stderr=StringIO())

    assert target.read_text() == "before"
