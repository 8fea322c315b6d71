"""`manage.py bucket_setup` tells a bucket of a real S3 server what it has to be told, and leaves the rest alone."""

from io import StringIO
from typing import Any

import boto3
import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from core.tests.files import use_s3

BUCKET = "own"


@pytest.fixture
def client(settings: Settings, s3_server: str) -> Any:
    """The owner's client of a new bucket, which is that of the settings."""
    found = boto3.client(
        "s3", endpoint_url=s3_server, aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1"
    )
    found.create_bucket(Bucket=BUCKET)
    use_s3(settings, s3_server)
    settings.S3_BUCKET = BUCKET
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example.com"]
    yield found
    found.delete_bucket(Bucket=BUCKET)


def run(**options: Any) -> tuple[int, list[str]]:
    output = StringIO()
    try:
        call_command("bucket_setup", stdout=output, **options)
    except SystemExit as end:
        return int(str(end.code)), output.getvalue().splitlines()
    return 0, output.getvalue().splitlines()


def test_a_new_bucket_is_told_everything_and_a_second_time_nothing(client: Any) -> None:
    code, lines = run()
    again = run()

    assert (code, lines[-1]) == (0, "own: 4 set.")
    assert again[1][-1] == "own: 4 right."
    assert client.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    assert all(client.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"].values())
    (cors,) = client.get_bucket_cors(Bucket=BUCKET)["CORSRules"]
    assert (cors["AllowedOrigins"], cors["AllowedMethods"]) == (["https://app.example.com"], ["PUT"])


def test_a_dry_run_only_tells(client: Any) -> None:
    code, lines = run(dry_run=True)

    assert (code, lines[-1]) == (1, "own: 4 differs.")
    assert "Status" not in client.get_bucket_versioning(Bucket=BUCKET)


def test_rules_of_others_stay_and_ours_follow_the_settings(client: Any, settings: Settings) -> None:
    theirs = {"ID": "theirs", "Filter": {"Prefix": "old/"}, "Status": "Enabled", "Expiration": {"Days": 3}}
    client.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [theirs]})
    run()

    settings.CORS_ALLOWED_ORIGINS = ["https://new.example.com"]
    _, lines = run(keep_days=7)

    rules = client.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    assert lines[-1] == "own: 2 right, 2 set."
    assert [rule["ID"] for rule in rules] == ["theirs", "nook-old-versions", "nook-unfinished-uploads"]
    assert rules[1]["NoncurrentVersionExpiration"]["NoncurrentDays"] == 7
    (cors,) = client.get_bucket_cors(Bucket=BUCKET)["CORSRules"]
    assert cors["AllowedOrigins"] == ["https://new.example.com"]


def test_without_origins_no_page_may_upload(client: Any, settings: Settings) -> None:
    run()
    settings.CORS_ALLOWED_ORIGINS = []

    assert run()[1][-1] == "own: 3 right, 1 set."
    assert run()[1][-1] == "own: 4 right."

    with pytest.raises(client.exceptions.ClientError, match="NoSuchCORSConfiguration"):
        client.get_bucket_cors(Bucket=BUCKET)


def test_a_folder_is_no_bucket(local_files: object) -> None:
    with pytest.raises(CommandError, match="S3_BUCKET is empty"):
        run()


def test_a_number_of_days_is_one(client: Any) -> None:
    with pytest.raises(CommandError, match="from 1 on"):
        run(keep_days=0)
