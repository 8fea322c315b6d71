"""Files on this machine and in S3: the same promises."""

from datetime import timedelta
from pathlib import Path

import pytest
import urllib3
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client
from pytest_django import Settings

from core.errors import ServiceUnavailable
from core.storage import signed_url
from core.tests.files import use_s3
from core.tests.ports import free_port


@pytest.mark.usefixtures("stored_files")
def test_a_file_is_kept_and_given_back_and_removed() -> None:
    name = default_storage.save("reports/march.txt", ContentFile("Grüße".encode()))

    with default_storage.open(name) as file:
        assert file.read() == "Grüße".encode()
    assert (default_storage.exists(name), default_storage.size(name)) == (True, 7)
    default_storage.delete(name)
    assert default_storage.exists(name) is False


@pytest.mark.usefixtures("stored_files")
def test_a_taken_name_is_never_overwritten() -> None:
    first = default_storage.save("march.txt", ContentFile(b"one"))
    second = default_storage.save("march.txt", ContentFile(b"two"))

    assert first != second
    with default_storage.open(first) as file:
        assert file.read() == b"one"


@pytest.mark.usefixtures("stored_files")
@pytest.mark.parametrize("name", ["../outside.txt", "a/../../outside.txt", "/etc/outside.txt"])
def test_a_name_that_leads_outside_is_refused(name: str) -> None:
    with pytest.raises(SuspiciousFileOperation):
        default_storage.save(name, ContentFile(b"out"))


def test_a_local_link_serves_the_file_as_a_download(local_files: Path, client: Client) -> None:
    name = default_storage.save("page.html", ContentFile(b"<script>alert(1)</script>"))

    response = client.get(signed_url(name, filename='a "name".html'))

    assert response.status_code == 200
    assert b"".join(response) == b"<script>alert(1)</script>"
    assert response["Content-Disposition"] == 'attachment; filename="a \\"name\\".html"'
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"


def test_a_forged_an_expired_and_a_stale_link_lead_nowhere(local_files: Path, client: Client) -> None:
    name = default_storage.save("march.txt", ContentFile(b"one"))
    good, expired = signed_url(name), signed_url(name, expires=timedelta(seconds=-1))
    default_storage.delete(default_storage.save("gone.txt", ContentFile(b"gone")))

    for address in (good[:-1], expired, signed_url("gone.txt"), signed_url("../../etc/passwd"), "/files/junk"):
        response = client.get(address)
        assert (response.status_code, response.content) == (404, b"This link has expired.\n")


@pytest.mark.usefixtures("s3_files")
def test_an_s3_link_is_signed_short_and_a_download() -> None:
    name = default_storage.save("march.txt", ContentFile(b"one"))

    address = signed_url(name, filename="März.txt", content_type="text/plain")
    answer = urllib3.request("GET", address, retries=False)

    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in address
    assert "X-Amz-Expires=300" in address
    assert (answer.status, answer.data) == (200, b"one")
    assert answer.headers["Content-Disposition"] == "attachment; filename*=utf-8''M%C3%A4rz.txt"
    assert answer.headers["Content-Type"] == "text/plain"


def test_without_s3_what_needs_it_is_unavailable(settings: Settings) -> None:
    use_s3(settings, f"http://127.0.0.1:{free_port()}")

    for _ in range(7):
        with pytest.raises(ServiceUnavailable):
            default_storage.save("march.txt", ContentFile(b"one"))


@pytest.mark.usefixtures("s3_files")
def test_a_missing_file_is_not_an_outage() -> None:
    for _ in range(10):
        with pytest.raises(FileNotFoundError):
            default_storage.open("nothing.txt").read()
