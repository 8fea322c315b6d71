"""A person with a row in every table is erased, and nothing of them is found in any table.

Rows are made from the models themselves, so a new table is filled (or fails here) without anybody adding it.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.search import SearchVectorField
from django.db import connection, models, transaction

from accounts.models import User
from accounts.services.erasing import erase_account
from accounts.tests.factories import create_user
from accounts.tests.test_secrets import everything_stored
from config.tests.cast import ApiClient
from config.tests.sources import stale
from config.tests.test_tables import our_models
from core import context, events
from core.context import WorkContext
from core.crypto import EncryptedJSONField, EncryptedTextField
from core.models import Event
from core.permissions import SYSTEM, Caller
from resources.models import Resource, Share
from resources.services import types

EMAIL = "canary-address@canary.example"
FORMER_EMAIL = "former-canary@canary.example"
NAME = "Canary Name"
TEXT = "canary-text"
PLACE = WorkContext(request_id="r", ip="203.0.113.77", user_agent="CanaryAgent/7.7")
CANARIES = (EMAIL, FORMER_EMAIL, NAME, TEXT, "203.0.113.77", "CanaryAgent", "canary")

# Tables that hold nothing of a person, with the reason.
NOT_ABOUT_A_PERSON: dict[str, str] = {
    "roles": "what roles permit; made by staff",
    "resource_types": "what resources may hold; made by staff",
    "resource_type_versions": "earlier forms of what resources may hold; made by staff",
    "message_templates": "what messages say; made by staff, who stand there by an id alone",
    "message_template_versions": "earlier wordings of messages, likewise",
    "schedule_runs": "what the clock ran",
    "dry_run_keys": "digests under the key of a job, which go when it ends",
    "resource_tags": "a copy of `resources.tags` that a trigger keeps",
    "appearance_changes": "that something about an id has changed, and when",
    "schema_followings": "what of a type's records has yet to follow its schema",
    "type_indexes": "which indexes types have; made by staff",
    "event_deliveries": "which subscriber has handled which event",
    "event_seals": "hashes of salted rows",
    "sign_in_throttles": "counts under a keyed digest of the address",
    "alerts": "what was wrong with the whole",
    "webhook_sources": "programs that may tell us something; made by staff",
    "inbound_webhooks": "what programs told, sealed, known by no person's key; deleted after `INBOUND_RETENTION_DAYS`",
    "inbound_handlings": "which handler has worked off which of those",
    "events": "written by `publish` below, not by hand",
}
# What a column has to hold for its row to be valid, by table.
VALUES: dict[str, dict[str, Any]] = {
    "devices": {"platform": "web"},
    "message_attempts": {"outcome": "sent"},
    "messages": {"address": EMAIL, "channel": "email", "dedup_key": None},
    "idempotency_keys": {"owner": lambda person: f"user:{person.pk}"},
    "outbox": {"kwargs": {"email": EMAIL}, "task": "core.tasks.purge_expired", "queue": "default"},
    "dead_letters": {"kwargs": {"email": FORMER_EMAIL}, "outbox_id": 1},
    "file_versions": {"state": "ready", "key": "files/00/00"},
    "file_variants": {"key": "variants/00/00"},
    "resource_unique_values": {"type_id": "item"},
    "resource_references": {"on_delete": "restrict"},
    "suppressed_addresses": {"address": EMAIL, "reason": "bounce"},
    "webhook_attempts": {"outcome": "answered"},
    "webhook_endpoints": {"previous_secret_until": lambda person: datetime.now(UTC)},
    "shares": {"role": None, "link_digest": None, "through": None, "access": 1},
    "resources": {"deleted_at": None, "deleted_by": None, "delete_op": None, "external_id": None},
}


@pytest.fixture
def person(db: None) -> User:
    """Somebody of whom something stands in every table."""
    person = create_user(email=EMAIL, name=NAME, bio=TEXT)
    made: dict[str, models.Model] = {"users": person}
    for model in in_order_of_their_keys(our_models()):
        if model._meta.db_table not in {*NOT_ABOUT_A_PERSON, "users"}:
            made[model._meta.db_table] = fill(model, person, made)
    with context.working(PLACE):
        me = Caller.of(person)
        before = {"before": {"email": FORMER_EMAIL}, "after": {"email": EMAIL}}
        events.publish("user.email_changed", subject=person, actor=me, data=before)
        events.publish("user.updated", subject=person, actor=SYSTEM, data={"after": {"name": NAME}})
        events.publish("resource.updated", subject=made["resources"], actor=me, data={"after": {"name": TEXT}})
    return person


def in_order_of_their_keys(waiting: list[type[models.Model]]) -> Iterator[type[models.Model]]:
    """Yield the models so that each comes after those that it has to point at."""
    done: set[str] = set()
    while waiting:
        ready = [model for model in waiting if {key.related_model for key in keys_of(model)} <= _models(done) | {model}]
        assert ready, f"tables point at one another in a circle: {waiting}"
        yield from ready
        done |= {model._meta.label for model in ready}
        waiting = [model for model in waiting if model not in ready]


def _models(labels: set[str]) -> set[type[models.Model]]:
    return {model for model in our_models() if model._meta.label in labels}


def keys_of(model: type[models.Model]) -> list[Any]:
    return [
        field
        for field in model._meta.local_fields
        if isinstance(field, models.ForeignKey) and not (model is User or field.name == "deleted_by")
    ]


def fill(model: type[models.Model], person: User, made: dict[str, models.Model]) -> models.Model:
    """Return a new row with a canary in every column that can hold one."""
    table = model._meta.db_table
    given = {name: made_by(value, person) for name, value in VALUES.get(table, {}).items()}
    values = {
        field.name: value_of(field, person, made) for field in model._meta.local_fields if field.name not in given
    }
    if table == "shares":
        given["resource"] = Resource.objects.create(owner=create_user(), name="Somebody else's")
        given["given_by"] = given["resource"].owner
    row = model(**{name: value for name, value in {**values, **given}.items() if value is not ...})
    with transaction.atomic():
        row.save(force_insert=True)
    return row


def made_by(value: Any, person: User) -> Any:
    return value(person) if callable(value) else value


def value_of(field: Any, person: User, made: dict[str, models.Model]) -> Any:
    """Return what the column shall hold; `...` for its default."""
    if isinstance(field, models.ForeignKey):
        row = made.get(field.related_model._meta.db_table)
        return row if row is not None else ...
    if field.primary_key or isinstance(field, SearchVectorField) or (field.has_default() and field.get_default()):
        return ...
    for kinds, value in VALUES_BY_TYPE:
        if isinstance(field, kinds):
            return value(field)
    return ...


def text_for(field: Any) -> str:
    return f"{TEXT}-{uuid4()}"[: field.max_length or 50]


def json_like(default: Any) -> Any:
    return [TEXT] if isinstance(default, list) else {"canary": TEXT}


VALUES_BY_TYPE: list[tuple[Any, Any]] = [
    ((EncryptedJSONField, models.JSONField), lambda field: json_like(field.get_default())),
    (EncryptedTextField, lambda field: TEXT),
    (models.GenericIPAddressField, lambda field: PLACE.ip),
    (ArrayField, lambda field: [TEXT]),
    ((models.CharField, models.TextField), text_for),
    (models.BinaryField, lambda field: uuid4().bytes * 2),
    (models.DateTimeField, lambda field: ... if field.null else datetime.now(UTC) + timedelta(hours=1)),
    (models.UUIDField, lambda field: ... if field.null else uuid4()),
    (models.IntegerField, lambda field: ... if field.null or field.has_default() else 1),
]


def erase(person: User) -> dict[str, int]:
    return erase_account(actor=SYSTEM, user_id=person.pk, even_in_use=True)


def pointing_at(person_id: UUID) -> set[str]:
    """Return every `table.column` with a foreign key that still leads to the person."""
    found = set()
    for model in our_models():
        for field in model._meta.local_fields:
            if isinstance(field, models.ForeignKey) and field.related_model is User:
                rows = model._base_manager.filter(**{field.attname: person_id})
                found |= {f"{model._meta.db_table}.{field.column}"} if rows.exists() else set()
    return found


def test_nothing_of_an_erased_person_is_found_in_any_table(person: User) -> None:
    stored = everything_stored()
    assert {canary for canary in CANARIES if canary not in stored} == set()

    counts = erase(person)

    left = everything_stored()
    assert [(canary, line) for canary in CANARIES for line in left.splitlines() if canary.lower() in line.lower()] == []
    assert pointing_at(person.pk) == set()
    assert User.all_objects.get(pk=person.pk).name == "Deleted user"
    erased = {model._meta.db_table for model in our_models()} - set(NOT_ABOUT_A_PERSON)
    assert erased - set(counts) == set(), "a row was made in these tables, and nothing was erased there"


def test_every_exception_is_still_a_table() -> None:
    assert stale(NOT_ABOUT_A_PERSON, {model._meta.db_table for model in our_models()}) == set()


def test_what_others_may_read_stays_under_deleted_user(
    owner: User, stranger: User, client_of: Any, admin: User
) -> None:
    mine, open_to_all, shared = (
        Resource.objects.create(owner=owner, name=name, visibility=visibility)
        for name, visibility in (("Mine", "private"), ("Open", "internal"), ("Shared", "private"))
    )
    Share.objects.create(resource=shared, user=stranger, given_by=owner, access=1)

    erase(owner)

    client: ApiClient = client_of(stranger)
    assert Resource.all_objects.filter(pk=mine.pk).exists() is False
    for kept in (open_to_all, shared):
        answer = client.get(f"/api/v1/resources/{kept.pk}?include=owner")
        assert answer.json()["data"]["owner"]["name"] == "Deleted user"


def test_the_values_that_shares_keep_go_with_their_resources(owner: User, stranger: User, client_of: Any) -> None:
    schema = {"type": "object", "properties": {"note": {"type": "string", "x-index": True}}}
    types.create_type(actor=SYSTEM, new=types.NewType("kept", "Kept", schema=schema))
    binned = Resource.objects.create(owner=owner, type_id="kept", name="Binned", data={"note": TEXT})
    share = Share.objects.create(resource=binned, user=stranger, given_by=owner, access=1)
    theirs = Resource.objects.create(owner=stranger, type_id="kept", name="Theirs", data={"note": "other-text"})
    Share.objects.create(resource=theirs, user=owner, given_by=stranger, access=1)
    share.refresh_from_db()
    assert share.resource_data == {"note": TEXT}
    assert client_of(owner).delete(f"/api/v1/resources/{binned.pk}").status_code == 204

    erase(owner)

    assert TEXT not in everything_stored()
    assert not Share.objects.exists()


def test_the_dry_run_of_an_erasure_leaves_everything(person: User) -> None:
    before = everything_stored()

    with transaction.atomic():
        erase(person)
        transaction.set_rollback(True)

    assert everything_stored() == before
    assert not Event.objects.filter(type="user.anonymised").exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM event_redactions")
        assert cursor.fetchone() == (0,)
