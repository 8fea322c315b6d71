"""Plans on a real connection: prepared, counted, in a transaction, after a lost connection and a changed table."""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import psycopg
import pytest
from django.contrib.postgres.fields import ArrayField
from django.db import DataError, OperationalError, connection, transaction
from django.db.models import DateTimeField, TextField, UUIDField
from django.test.utils import CaptureQueriesContext

from core.context import WorkContext, working
from core.events import publish
from core.models import Event, OutboxRow
from core.permissions import SYSTEM
from core.plans import Fragment, Slot, Statement

ONE = Statement("SELECT ({$number}::int + 1)::text, {$text}::text")


@pytest.fixture
def autocommit(transactional_db: None) -> Iterator[None]:
    """A connection outside any transaction, as a read over HTTP has it."""
    yield
    connection.close()


def prepared_statements() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'nook_%%'")
        return int(cursor.fetchone()[0])


def test_a_statement_is_prepared_once_and_gives_back_bytes(autocommit: None) -> None:
    before = prepared_statements()

    rows = [ONE.fetch({"number": number, "text": "é%s $1"}) for number in (1, 70_000)]

    assert rows == [(b"2", "é%s $1".encode()), (b"70001", "é%s $1".encode())]
    assert prepared_statements() == before + 1


def test_no_row_is_none(autocommit: None) -> None:
    assert Statement("SELECT 1 WHERE {$text}::text = 'a'").fetch({"text": "b"}) is None


@pytest.mark.parametrize("value", ["plain", 'quote " and \\ backslash', "comma, {brace}", "", "NULL", "null"])
def test_values_arrive_as_they_are(autocommit: None, value: str) -> None:
    statement = Statement(
        "SELECT array_to_string({texts}, '|'), {one}::text, ({moment} AT TIME ZONE 'UTC')::text",
        texts=Fragment("%s::text[]", (Slot("texts", ArrayField(TextField())),)),
        one=Fragment("%s::uuid", (Slot("one", UUIDField()),)),
        moment=Fragment("%s::timestamptz", (Slot("moment", DateTimeField()),)),
    )
    values = {"texts": [value, value], "one": UUID(int=7), "moment": datetime(2026, 1, 2, 3, 4, 5, 6, UTC)}
    expected = (f"{value}|{value}".encode(), str(UUID(int=7)).encode(), b"2026-01-02 03:04:05.000006")

    assert statement.fetch(values) == expected
    with transaction.atomic():
        assert statement.fetch(values) == expected
    with CaptureQueriesContext(connection) as queries:
        assert statement.fetch(values) == expected
    assert len(queries) == 1


def test_a_plan_reads_what_its_own_transaction_has_written(autocommit: None) -> None:
    counted = Statement("SELECT count(*) FROM ({rows}) AS rows", rows=Fragment.of(OutboxRow.objects.values_list("id")))

    with transaction.atomic():
        connection.cursor().execute("CREATE TEMPORARY TABLE seen (n int) ON COMMIT DROP")
        assert Statement("SELECT count(*) FROM seen").fetch({}) == (b"0",)
    assert counted.fetch({}) == (b"0",)


def test_a_lost_connection_is_made_again_for_a_read(autocommit: None) -> None:
    ONE.fetch({"number": 1, "text": "a"})
    lost = connection.connection

    kill(lost.info.backend_pid)

    assert ONE.fetch({"number": 1, "text": "a"}) == (b"2", b"a")
    assert connection.connection is not lost


def test_a_connection_lost_in_a_transaction_is_an_error(autocommit: None) -> None:
    def read_twice() -> None:
        with transaction.atomic():
            ONE.fetch({"number": 1, "text": "a"})
            kill(connection.connection.info.backend_pid)
            ONE.fetch({"number": 1, "text": "a"})

    with pytest.raises(OperationalError):
        read_twice()


def test_a_changed_table_is_read_by_its_new_shape(autocommit: None) -> None:
    everything = Statement("SELECT row_to_json(changing)::text, changing.* FROM changing")
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE changing AS SELECT 1 AS a")
        assert everything.fetch({}) == (b'{"a":1}', b"1")
        cursor.execute("ALTER TABLE changing ADD COLUMN b int DEFAULT 2")

    assert everything.fetch({}) == (b'{"a":1,"b":2}', b"1", b"2")


def test_an_error_of_the_server_is_one_of_djangos(autocommit: None) -> None:
    with pytest.raises(DataError, match="division by zero"):
        Statement("SELECT 1 / {$number}::int").fetch({"number": 0})


def kill(backend: int) -> None:
    """End a backend from another connection."""
    given = connection.settings_dict
    with psycopg.connect(
        host=given["HOST"],
        port=given["PORT"] or None,
        user=given["USER"],
        password=given["PASSWORD"],
        dbname=given["NAME"],
    ) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])


def test_an_inserted_row_holds_what_it_was_made_of_and_reads_what_the_database_filled_in(db: None) -> None:
    told = [UUID(int=1), UUID(int=2)]
    work = WorkContext(request_id="r-1", ip="2001:db8::7", user_agent='"quoted" \\ and more')
    with transaction.atomic(), working(work):
        event = publish("shelf.built", subject=None, actor=SYSTEM, data={"after": {"é": ['"', None]}}, audience=told)

    kept = Event.objects.get(pk=event.pk)
    assert (kept.type, kept.actor, kept.payload, kept.audience) == (
        "shelf.built",
        None,
        {"after": {"é": ['"', None]}},
        told,
    )
    assert (kept.request_id, kept.ip, kept.user_agent) == ("r-1", "2001:db8::7", work.user_agent)
    assert (event.seq, event.occurred_at) == (kept.seq, kept.occurred_at)
