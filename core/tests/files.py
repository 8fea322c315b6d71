"""The pytest plugin of stored files: a folder of the test's own, or a bucket of a real S3 server."""

import os
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import boto3
import pytest
from django.conf import settings as django_settings
from moto.server import ThreadedMotoServer
from pytest_django import Settings

from core.tests.ports import free_port


@pytest.fixture(autouse=True, scope="session")
def _files_of_this_run(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what tests store by the way out of the folder that the settings name."""
    django_settings.STORAGES["default"]["OPTIONS"]["location"] = tmp_path_factory.mktemp("files")


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


@pytest.fixture
def no_storage(settings: Settings) -> None:
    """Files would go to an S3 server that does not answer."""
    use_s3(settings, f"http://127.0.0.1:{free_port()}")


@pytest.fixture
def set_age(local_files: Path) -> Callable[[timedelta], None]:
    """`set_age(timedelta(days=2))`: make every stored file look as old."""

    def set_age(age: timedelta) -> None:
        then = time.time() - age.total_seconds()
        for file in local_files.rglob("*"):
            os.utime(file, (then, then))

    return set_age
