"""SMS_URL: what it says, and what is wrong with it."""

import pytest
from django.test import override_settings

from config.env import ConfigurationError
from config.sms import sms_from_url
from core.checks import check_deployment


def test_no_url_is_no_provider() -> None:
    assert sms_from_url("", timeout=5) == {}


def test_a_provider_is_read_from_its_url() -> None:
    read = sms_from_url("twilio://AC1:to%2Fken@api.twilio.com?from=%2B15005550006", timeout=5)

    assert read == {
        "scheme": "twilio",
        "base_url": "https://api.twilio.com",
        "account": "AC1",
        "token": "to/ken",
        "sender": "+15005550006",
        "timeout": 5,
    }


@pytest.mark.parametrize(
    ("url", "base_url"),
    [
        ("twilio://a:b@127.0.0.1:8080?from=Nook&tls=none", "http://127.0.0.1:8080"),
        ("twilio://a:b@[::1]:8080?from=Nook&tls=none", "http://[::1]:8080"),
        ("twilio://a:b@sms.example/api/?messaging_service=MG1", "https://sms.example/api"),
    ],
)
def test_a_compatible_server_stands_elsewhere(url: str, base_url: str) -> None:
    assert sms_from_url(url, timeout=5)["base_url"] == base_url


@pytest.mark.parametrize(
    "url",
    [
        "https://api.twilio.com",
        "twilio://api.twilio.com?from=%2B15005550006",
        "twilio://a@api.twilio.com?from=%2B15005550006",
        "twilio://a:b@?from=%2B15005550006",
        "twilio://a:b@api.twilio.com",
        "twilio://a:b@api.twilio.com?from=%2B15005550006&messaging_service=MG1",
        "twilio://a:b@api.twilio.com?from=much-too-long-a-name",
        "twilio://a:b@api.twilio.com?from=Nook&tls=none",
        "twilio://a:b@api.twilio.com?from=Nook&tls=perhaps",
        "twilio://a:b@api.twilio.com?from=Nook&region=eu",
        "twilio://a:b@api.twilio.com:port?from=Nook",
    ],
)
def test_what_is_no_such_url_is_told_in_one_line(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^SMS_URL[^\n]*$"):
        sms_from_url(url, timeout=5)


def test_the_deployment_check_sees_codes_in_the_log_and_open_countries() -> None:
    twilio = sms_from_url("twilio://a:b@api.twilio.com?from=Nook", timeout=5)
    found = []
    for sms, prefixes in (({"scheme": "console"}, []), (twilio, []), (twilio, ["+43"]), ({}, [])):
        with override_settings(SMS=sms, SMS_ALLOWED_PREFIXES=prefixes):
            found.append([message.id for message in check_deployment(None) if message.id in {"nook.E124", "nook.W125"}])

    assert found == [["nook.E124"], ["nook.W125"], [], []]
