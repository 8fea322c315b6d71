from collections.abc import Iterator
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from core import context, log_rights, partitions, seal
from core.events import publish
from core.identifiers import uuid7
from core.models import Event
from core.permissions import SYSTEM, Caller
from core.redaction import redact_person


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture
def role(transactional_db: None) -> Iterator[str]:
    name = f"{connection.settings_dict['NAME']}_app"
    execute(f"DROP ROLE IF EXISTS {name}")
    execute(f"CREATE ROLE {name}")
    execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {name}")
    execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {name}")
    yield name
    execute("RESET ROLE")
    execute(f"DROP OWNED BY {name}")
    execute(f"DROP ROLE {name}")


def test_a_protected_log_can_be_written_read_and_sealed_but_not_rewritten(role: str) -> None:
    printed = StringIO()
    execute(f"SET ROLE {role}")
    assert log_rights.may_rewrite()
    execute("RESET ROLE")

    call_command("protect_log", role=role, stdout=printed)

    assert printed.getvalue().startswith(f"{role} can only add to and read 8 tables (event_redactions, event_seals, ")
    execute(f"SET ROLE {role}")
    assert not log_rights.may_rewrite()
    with transaction.atomic():
        publish("guarded.thing", subject=None, actor=SYSTEM)
    seal.seal_all()
    assert seal.verify().faults == ()
    for table in log_rights.log_tables():
        column = "redacted_at" if table == "event_redactions" else "occurred_at"
        for statement in ("UPDATE {} SET {} = now()", "DELETE FROM {}", "TRUNCATE {}"):
            with pytest.raises(DatabaseError, match="permission denied for table"):
                execute(statement.format(table, column))
    assert Event.objects.count() == 1


def test_a_protected_role_takes_a_person_out_through_the_function_alone(role: str) -> None:
    person = uuid7()
    with transaction.atomic(), context.annotated(ip="192.0.2.7"):
        publish("guarded.thing", subject=None, actor=Caller(person))
    call_command("protect_log", role=role, stdout=StringIO())
    execute(f"SET ROLE {role}")

    assert redact_person(user_id=person, subjects=(), addresses=(), actor=SYSTEM) == 1

    with pytest.raises(DatabaseError, match="permission denied for table event_redactions"):
        execute("INSERT INTO event_redactions SELECT * FROM event_redactions")
    assert Event.objects.get(actor=person).ip is None
    assert seal.verify().faults == ()


def test_a_protected_role_still_makes_the_coming_months(role: str) -> None:
    call_command("protect_log", role=role, stdout=StringIO())
    execute(f"SET ROLE {role}")

    with transaction.atomic():
        assert len(partitions.make_partitions(ahead=4)) == 1
        transaction.set_rollback(True)


def test_a_role_that_grants_do_not_bind_is_refused(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        owner = cursor.fetchone()[0]

    with pytest.raises(CommandError, match=f"{owner} owns the log or is a superuser"):
        call_command("protect_log", role=owner)
    with pytest.raises(CommandError, match="There is no role nobody_at_all"):
        call_command("protect_log", role="nobody_at_all")
