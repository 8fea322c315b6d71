"""The pytest plugin of stored files: a folder of the test's own, or a bucket of a real S3 server."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer
from pytest_django import Settings


@pytest.fixture
def local_files(settings: Settings, tmp_path: Path) -> Path:
    """Files go to a folder of this test's."""
    folder = tmp_path / "files"
    default = {"BACKEND": "core.storage.LocalStorage", "OPTIONS": {"location": folder, "allow_overwrite": False}}
    settings.STORAGES = settings.STORAGES | {"default": default}
    settings.S3_BUCKET = ""
    return folder


@pytest.fixture(scope="session")
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
def stored_files(request: pytest.FixtureRequest) -> None:
    """Run the test on this machine's folder, and again on S3."""
    request.getfixturevalue(request.param)
