"""Uploads under an `Idempotency-Key`: a client that tries again makes up another boundary, and means the same."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from core.models import Job
from resources.models import File
from resources.tests.factories import create_type
from resources.tests.transfers import IMPORTS, LETTER
from resources.tests.uploads import PATH, ClientOf

pytestmark = pytest.mark.usefixtures("local_files")
KEY = {"Idempotency-Key": "upload-1"}


def sent(client: Client, path: str, boundary: str, content: str, **fields: str) -> Any:
    parts = [('name="file"; filename="rows.csv"', content), *((f'name="{key}"', text) for key, text in fields.items())]
    body = "".join(f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n{text}\r\n" for head, text in parts)
    form = f"multipart/form-data; boundary={boundary}"
    return client.generic("POST", path, f"{body}--{boundary}--\r\n".encode(), form, headers=KEY)


def test_a_file_is_kept_once_under_whatever_boundary(owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)

    first = sent(client, PATH, "first", "name\nA")
    again = sent(client, PATH, "----another", "name\nA")
    other = sent(client, PATH, "first", "name\nB")

    assert (first.status_code, again.status_code, again["Idempotency-Replayed"]) == (201, 201, "true")
    assert first.json()["data"]["id"] == again.json()["data"]["id"]
    assert (other.status_code, other.json()["error"]["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert File.objects.count() == 1


def test_an_import_is_begun_once_under_whatever_boundary(owner: User, client_of: ClientOf) -> None:
    create_type("letter", schema=LETTER)
    client = client_of(owner)

    first = sent(client, IMPORTS, "first", "name,number\nA,1", type="letter")
    again = sent(client, IMPORTS, "----another", "name,number\nA,1", type="letter")
    other = sent(client, IMPORTS, "first", "name,number\nA,2", type="letter")

    assert (first.status_code, again.status_code, again["Idempotency-Replayed"]) == (202, 202, "true")
    assert first.json()["data"]["id"] == again.json()["data"]["id"]
    assert (other.status_code, other.json()["error"]["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert Job.objects.filter(kind="resources.import").count() == 1
