"""Imports and exports in tests: asked for over HTTP, worked off, fetched."""

import csv
import io
from collections.abc import Callable
from typing import Any

import orjson
from django.core.files.storage import default_storage
from django.test import Client

from accounts.models import User
from core.models import Job

ClientOf = Callable[[User], Client]
TYPE = "multipart/form-data; boundary=b"
IMPORTS = "/api/v1/imports"
LETTER = {
    "type": "object",
    "required": ["number"],
    "additionalProperties": False,
    "properties": {
        "number": {"type": "string"},
        "total": {"type": "number"},
        "paid": {"type": "boolean"},
        "customer": {"type": "object", "properties": {"city": {"type": "string"}}},
        "lines": {"type": "array"},
    },
}


def job_of(answer: Any) -> dict[str, Any]:
    """Return the job that was promised."""
    assert answer.status_code == 202, answer.content
    data: dict[str, Any] = answer.json()["data"]
    assert answer.headers["Location"] == f"/api/v1/jobs/{data['id']}"
    return data


def followed(client: Client, job: dict[str, Any]) -> dict[str, Any]:
    """Return the job as it is now."""
    data: dict[str, Any] = client.get(f"/api/v1/jobs/{job['id']}").json()["data"]
    return data


def result_of(job: dict[str, Any]) -> bytes:
    """Return the file that the job has made."""
    with default_storage.open(Job.objects.get(pk=job["id"]).result) as file:
        content: bytes = file.read()
    return content


def form(content: bytes | str, name: str, **fields: str) -> bytes:
    """Return a form with the file and some fields, as a browser sends it."""
    raw = content.encode() if isinstance(content, str) else content
    parts = [f'--b\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n' for key, value in fields.items()]
    head = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    return "".join(parts).encode() + head.encode() + raw + b"\r\n--b--\r\n"


def ask_import(client: Client, content: bytes | str, name: str = "rows.csv", **fields: str) -> Any:
    fields = {"type": "letter", **fields}
    return client.generic("POST", IMPORTS, form(content, name, **fields), TYPE)


def counts(job: dict[str, Any]) -> tuple[str, int, int, int]:
    return job["state"], job["total"], job["done"], job["failed"]


def faults(job: dict[str, Any]) -> list[tuple[str, str, str]]:
    rows = csv.DictReader(io.StringIO(result_of(job).decode(), newline=""))
    return [(row["row"], row["path"], row["code"]) for row in rows]


def lines(*rows: dict[str, Any]) -> bytes:
    return b"\n".join(orjson.dumps(row) for row in rows)
