"""What a bucket has to be told once: to be closed, to keep what is written over, and to let pages upload.

Rules that somebody else has made stay; ours are known by their names.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings

KEPT_DAYS: Final = 30
_OWN: Final = "nook-"
_CLOSED: Final = dict.fromkeys(
    ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
)
_MISSING: Final = frozenset(
    {"NoSuchPublicAccessBlockConfiguration", "NoSuchLifecycleConfiguration", "NoSuchCORSConfiguration"}
)
_UNKNOWN: Final = frozenset({"NotImplemented", "MethodNotAllowed", "XNotImplemented"})


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing that a bucket is told: how it is read (None: it is not set), what it should be, how it is set."""

    name: str
    read: Callable[[], Any]
    wanted: Callable[[Any], Any]
    write: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a setting stands: `right` already, `set` now (or `differs`, where nothing was to be set), `unknown` here."""

    name: str
    state: str


class Bucket:
    """The bucket that files go to."""

    def __init__(self, client: Any, name: str, *, kept_days: int = KEPT_DAYS) -> None:
        """Take an S3 client of boto3, the bucket's name, and how many days what was written over is kept."""
        self._client = client
        self._name = {"Bucket": name}
        self._kept_days = kept_days

    def set_up(self, *, is_dry: bool = False) -> Iterator[Outcome]:
        """Tell the bucket what it has not been told, unless `is_dry`; yield how each setting stood."""
        for setting in self._settings():
            yield Outcome(setting.name, self._put_right(setting, is_dry=is_dry))

    def _put_right(self, setting: Setting, *, is_dry: bool) -> str:
        try:
            found = self._found(setting)
            wanted = setting.wanted(found)
            if found == wanted:
                return "right"
            if not is_dry:
                setting.write(wanted)
        except self._client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] not in _UNKNOWN:
                raise
            return "unknown"
        return "differs" if is_dry else "set"

    def _found(self, setting: Setting) -> Any:
        try:
            return setting.read()
        except self._client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] not in _MISSING:
                raise
            return None

    def _settings(self) -> Iterator[Setting]:
        ask, bucket = self._client, self._name
        yield Setting(
            "closed to the public",
            lambda: ask.get_public_access_block(**bucket)["PublicAccessBlockConfiguration"],
            lambda _found: _CLOSED,
            lambda value: ask.put_public_access_block(**bucket, PublicAccessBlockConfiguration=value),
        )
        yield Setting(
            "keeps what is written over",
            lambda: ask.get_bucket_versioning(**bucket).get("Status"),
            lambda _found: "Enabled",
            lambda value: ask.put_bucket_versioning(**bucket, VersioningConfiguration={"Status": value}),
        )
        yield Setting(
            f"forgets that after {self._kept_days} days, and unfinished uploads after one",
            lambda: ask.get_bucket_lifecycle_configuration(**bucket)["Rules"],
            lambda found: [*_of_others(found), *self._lifecycle()],
            lambda value: ask.put_bucket_lifecycle_configuration(**bucket, LifecycleConfiguration={"Rules": value}),
        )
        yield Setting(
            f"takes uploads from pages of {', '.join(settings.CORS_ALLOWED_ORIGINS) or 'nobody'}",
            lambda: ask.get_bucket_cors(**bucket)["CORSRules"],
            lambda found: [*_of_others(found), *_cors()] or None,
            lambda value: (
                ask.put_bucket_cors(**bucket, CORSConfiguration={"CORSRules": value})
                if value
                else ask.delete_bucket_cors(**bucket)
            ),
        )

    def _lifecycle(self) -> list[dict[str, Any]]:
        everything = {"Filter": {"Prefix": ""}, "Status": "Enabled"}
        return [
            {
                "ID": f"{_OWN}old-versions",
                **everything,
                "NoncurrentVersionExpiration": {"NoncurrentDays": self._kept_days},
                "Expiration": {"ExpiredObjectDeleteMarker": True},
            },
            {
                "ID": f"{_OWN}unfinished-uploads",
                **everything,
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
            },
        ]


def _of_others(rules: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    return [rule for rule in rules or () if not str(rule.get("ID", "")).startswith(_OWN)]


def _cors() -> list[dict[str, Any]]:
    if not settings.CORS_ALLOWED_ORIGINS:
        return []
    return [
        {
            "ID": f"{_OWN}uploads",
            "AllowedOrigins": list(settings.CORS_ALLOWED_ORIGINS),
            "AllowedMethods": ["PUT"],
            "AllowedHeaders": ["content-type"],
            "MaxAgeSeconds": 3600,
        }
    ]
