"""Files that are garbage: refused, or told of row by row; never a fault of ours, never a job that does not end."""

from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import User
from core.jobs import running
from core.models import Job
from core.models.jobs import FAILED, SUCCEEDED, UNFINISHED
from resources.models import Resource
from resources.tests.transfers import TYPE, ClientOf, form

_NAMES = (
    b"name",
    b"data",
    b"data.a.b",
    b"tags",
    b"external_id",
    b'"name"',
    b"A",
    b"\xc3\xbc",
    b"\xe2\x80\xae",
    b"=1+1",
)
_MARKS = (b",", b";", b'"', b'""', b"\n", b"\r\n", b"\r", b"{", b"}", b"[", b"]", b":", b" ", b"\\")
_VALUES = (b"1e999", b"-0", b"null", b"NaN", b"\\u0000", b"\x00", b"\xff", b"\xef\xbb\xbf")
_ROWS = (b'{"name": "A"}', b'{"name": "A", "data": {"a": 1}}')
PIECES = st.sampled_from([*_NAMES, *_MARKS, *_VALUES, *_ROWS])
FILES = st.one_of(
    st.binary(max_size=60),
    st.lists(PIECES, max_size=25).map(b"".join),
    st.lists(PIECES, max_size=25).map(lambda pieces: b"name,data,tags\n" + b"".join(pieces)),
    st.lists(PIECES, max_size=25).map(lambda pieces: b'[{"name": "A"},' + b"".join(pieces)),
)


@pytest.fixture
def client(owner: User, client_of: ClientOf, local_files: Any, settings: Any) -> Client:
    settings.RATE_LIMIT_SCALE = 1_000_000
    return client_of(owner)


@given(
    content=FILES,
    name=st.sampled_from(["rows.csv", "rows.json", "rows.ndjson"]),
    mode=st.sampled_from(["create", "upsert"]),
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_garbage_is_refused_or_told_of(client: Client, content: bytes, name: str, mode: str) -> None:
    before = Resource.objects.count()
    answer = client.generic("POST", "/api/v1/imports", form(content, name, type="item", mode=mode), TYPE)

    assert answer.status_code in {202, 400}, answer.content
    written = _worked_off(answer.json()["data"]["id"]) if answer.status_code == 202 else 0

    made = Resource.objects.count() - before
    assert made == written if mode == "create" else made <= written


def _worked_off(job_id: str) -> int:
    """Work the job off, as a worker does; return how many rows it says it has written."""
    for _ in range(5):
        job = Job.objects.get(pk=job_id)
        if job.state not in UNFINISHED:
            break
        running.run(job_id=job.pk, turn=job.turn)
    job.refresh_from_db()
    assert job.state in {SUCCEEDED, FAILED}
    if job.state == FAILED:
        assert job.error_code in {"malformed", "too_long", "encoding"}
        return 0
    assert job.total == job.done
    return job.done - job.failed


@pytest.mark.parametrize(
    "content",
    [
        b'name,data\nA,"{""a"": ""\\u0000""}"\nB,{}\n',
        b'name,data\nA,"{""a"": 1, ""a"": 2}"\nB,{}\n',
        b'name,data\nA,"{""a"": 99999999999999999999999999}"\nB,{}\n',
        b'name,data\nA,"{""a"": ' + b"[" * 300 + b"]" * 300 + b'}"\nB,{}\n',
    ],
    ids=["nul", "key twice", "long number", "deep"],
)
def test_a_cell_is_read_as_strictly_as_a_body(client: Client, content: bytes) -> None:
    answer = client.generic("POST", "/api/v1/imports", form(content, "rows.csv", type="item", mode="create"), TYPE)

    _worked_off(answer.json()["data"]["id"])

    assert list(Resource.objects.values_list("name", flat=True)) == ["B"]


def test_a_column_does_not_lead_deeper_than_data_goes(client: Client) -> None:
    content = b"name,data" + b".a" * 300 + b"\nA,1\n"

    answer = client.generic("POST", "/api/v1/imports", form(content, "rows.csv", type="item", mode="create"), TYPE)

    assert answer.status_code == 400, answer.content


def test_a_row_is_no_longer_than_a_line_may_be(client: Client) -> None:
    content = b"name\n" + b',"\n"' * 300_000 + b"\n"

    answer = client.generic("POST", "/api/v1/imports", form(content, "rows.csv", type="item", mode="create"), TYPE)
    _worked_off(answer.json()["data"]["id"])

    job = Job.objects.get(pk=answer.json()["data"]["id"])
    assert (job.state, job.error_code) == (FAILED, "too_long")
    assert not Resource.objects.exists()


def test_a_header_that_is_no_text_is_refused(client: Client) -> None:
    answer = client.generic("POST", "/api/v1/imports", form(b"\x80", "rows.csv", type="item", mode="create"), TYPE)

    assert answer.status_code == 400
    assert answer.json()["error"]["details"][0]["code"] == "encoding"
