"""Files on this machine and in S3: the same promises."""

import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import boto3
import pytest
import urllib3
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client
from moto.server import ThreadedMotoServer
from pytest_django import Settings

from core.errors import ServiceUnavailable
from core.storage import signed_url


@pytest.fixture
def local_files(settings: Settings, tmp_path: Path) -> Path:
    """Files go to a folder of this test's."""
    folder = tmp_path / "files"
    default = {"BACKEND": "core.storage.LocalStorage", "OPTIONS": {"location": folder, "allow_overwrite": False}}
    settings.STORAGES = settings.STORAGES | {"default": default}
    settings.S3_BUCKET = ""
    return folder


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def use_s3(settings: Settings, endpoint: str) -> None:
    options = {
        "bucket_name": "nook",
        "endpoint_url": endpoint,
        "region_name": "us-east-1",
        "access_key": "test",
        "secret_key": "test",
    }
    default = {"BACKEND": "core.storage.s3.GuardedS3Storage", "OPTIONS": options}
    settings.STORAGES = settings.STORAGES | {"default": default}
    settings.S3_BUCKET = "nook"


@pytest.fixture
def s3_files(settings: Settings, s3_server: str) -> None:
    """Files go to a bucket of a real S3 server."""
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=s3_server, **keys).create_bucket(Bucket="nook")
    use_s3(settings, s3_server)


@pytest.fixture(params=["local_files", "s3_files"])
def _files(request: pytest.FixtureRequest) -> None:
    """Run the test on this machine's folder, and again on S3."""
    request.getfixturevalue(request.param)


@pytest.mark.usefixtures("_files")
def test_a_file_is_kept_and_given_back_and_removed() -> None:
    name = default_storage.save("reports/march.txt", ContentFile("Grüße".encode()))

    with default_storage.open(name) as file:
        assert file.read() == "Grüße".encode()
    assert (default_storage.exists(name), default_storage.size(name)) == (True, 7)
    default_storage.delete(name)
    assert default_storage.exists(name) is False


@pytest.mark.usefixtures("_files")
def test_a_taken_name_is_never_overwritten() -> None:
    first = default_storage.save("march.txt", ContentFile(b"one"))
    second = default_storage.save("march.txt", ContentFile(b"two"))

    assert first != second
    with default_storage.open(first) as file:
        assert file.read() == b"one"


@pytest.mark.usefixtures("_files")
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
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    use_s3(settings, f"http://127.0.0.1:{port}")

    for _ in range(7):
        with pytest.raises(ServiceUnavailable):
            default_storage.save("march.txt", ContentFile(b"one"))


@pytest.mark.usefixtures("s3_files")
def test_a_missing_file_is_not_an_outage() -> None:
    for _ in range(10):
        with pytest.raises(FileNotFoundError):
            default_storage.open("nothing.txt").read()
