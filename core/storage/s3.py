"""Files in S3; the one importer of its libraries.

What S3 cannot do at the moment is a `ServiceUnavailable` (503); what it refuses stays what it is.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property, wraps
from typing import Any, Final, ParamSpec, TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from storages.backends.s3 import S3Storage

from core.breaker import CircuitOpen, breaker
from core.errors import ServiceUnavailable
from core.storage import UploadWay

MEMORY_PER_FILE: Final = 2 * 1024 * 1024
"""Of a file that is read; the rest waits on this machine's disk."""

_CHUNK: Final = 256 * 1024
_COPY_SECONDS: Final = 60
"""S3 answers a copy when it has copied; a gibibyte takes its time."""

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class _StorageFailed(Exception):
    """S3 did not answer, or answered that it cannot."""


@contextmanager
def _asking_s3() -> Iterator[None]:
    try:
        with breaker("storage", counts=(_StorageFailed,)), _failures_told_apart():
            yield
    except (_StorageFailed, CircuitOpen) as error:
        raise ServiceUnavailable from error


@contextmanager
def _failures_told_apart() -> Iterator[None]:
    """Turn what S3 could not do into `_StorageFailed`; what it refuses stays what it is."""
    try:
        yield
    except BotoCoreError as error:
        raise _StorageFailed from error
    except ClientError as error:
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500) >= 500:
            raise _StorageFailed from error
        raise


@contextmanager
def _missing_told(name: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 404:
            raise FileNotFoundError(f"File does not exist: {name}") from error
        raise


def _guarded(method: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    @wraps(method)
    def guarded(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        with _asking_s3():
            return method(*args, **kwargs)

    return guarded


class GuardedS3Storage(S3Storage):  # type: ignore[misc]  # django-storages has no types
    """S3 behind a breaker and within timeouts."""

    _save = _guarded(S3Storage._save)
    _open = _guarded(S3Storage._open)
    delete = _guarded(S3Storage.delete)
    exists = _guarded(S3Storage.exists)
    size = _guarded(S3Storage.size)
    listdir = _guarded(S3Storage.listdir)
    get_modified_time = _guarded(S3Storage.get_modified_time)

    def upload_way(self, name: str, *, size: int, content_type: str, expires: timedelta) -> UploadWay:
        """Return an address that S3 takes this content at: key, length and type are signed."""
        parameters = {**self._object(name), "ContentLength": size, "ContentType": content_type}
        url: str = self.connection.meta.client.generate_presigned_url(
            "put_object", Params=parameters, ExpiresIn=int(expires.total_seconds()), HttpMethod="PUT"
        )
        return UploadWay("PUT", url, {"Content-Type": content_type})

    def copy(self, source: str, target: str) -> None:
        """Copy within the bucket; nothing passes through here."""
        with _asking_s3(), _missing_told(source):
            self._patient_client.copy_object(**self._object(target), CopySource=self._object(source))

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield the content piece by piece."""
        with _asking_s3(), _missing_told(name):
            answer = self.connection.meta.client.get_object(**self._object(name))
            yield from answer["Body"].iter_chunks(_CHUNK)

    def _object(self, name: str) -> dict[str, str]:
        return {"Bucket": self.bucket_name, "Key": self._normalize_name(name)}

    @cached_property
    def _patient_client(self) -> Any:
        return self._create_session().client(
            "s3",
            region_name=self.region_name,
            use_ssl=self.use_ssl,
            endpoint_url=self.endpoint_url,
            config=self.client_config.merge(Config(read_timeout=_COPY_SECONDS)),
            verify=self.verify,
        )

    def get_default_settings(self) -> dict[str, Any]:
        defaults: dict[str, Any] = super().get_default_settings()
        return defaults | {
            "client_config": _client_config(),
            "file_overwrite": False,
            "default_acl": None,
            "max_memory_size": MEMORY_PER_FILE,
        }


def _client_config() -> Config:
    return Config(
        # Without this boto3 signs query strings in the old way, which not every S3 server takes.
        signature_version="s3v4",
        connect_timeout=2,
        read_timeout=5,
        retries={"total_max_attempts": 2, "mode": "standard"},
        s3={"addressing_style": "path"},
    )
