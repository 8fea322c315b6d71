import pytest

from config.env import ConfigurationError
from config.mail import mail_from_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("consolemail://", {"scheme": "console"}),
        ("filemail:///var/mails", {"scheme": "folder", "folder": "/var/mails"}),
        (
            "smtp://ada:p%40ss@mail.example:2525",
            {
                "scheme": "smtp",
                "host": "mail.example",
                "port": 2525,
                "user": "ada",
                "password": "p@ss",
                "tls": "starttls",
                "timeout": 5.0,
            },
        ),
        (
            "smtps://mail.example",
            {
                "scheme": "smtp",
                "host": "mail.example",
                "port": 465,
                "user": "",
                "password": "",
                "tls": "implicit",
                "timeout": 5.0,
            },
        ),
        (
            "smtp://127.0.0.1:1025",
            {
                "scheme": "smtp",
                "host": "127.0.0.1",
                "port": 1025,
                "user": "",
                "password": "",
                "tls": "none",
                "timeout": 5.0,
            },
        ),
        (
            "smtp://catcher:1025?tls=none",
            {
                "scheme": "smtp",
                "host": "catcher",
                "port": 1025,
                "user": "",
                "password": "",
                "tls": "none",
                "timeout": 5.0,
            },
        ),
    ],
)
def test_a_mail_url_becomes_settings(url: str, expected: dict[str, object]) -> None:
    assert mail_from_url(url, timeout=5.0) == expected


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mail.example", "EMAIL_URL must start with smtp://, smtps://, filemail:/// or consolemail://."),
        ("smtp://", "EMAIL_URL names no host."),
        ("smtp://mail.example:many", "EMAIL_URL: the port is not a number."),
        ("smtp://mail.example?ssl=1", "EMAIL_URL has no option ssl; it knows tls."),
        ("smtp://mail.example?tls=maybe", "EMAIL_URL: tls must be starttls, implicit or none (smtps:// is implicit)."),
        ("smtps://mail.example?tls=none", "EMAIL_URL: tls must be starttls, implicit or none (smtps:// is implicit)."),
        (
            "smtp://ada:pass@mail.example?tls=none",
            "EMAIL_URL: a password is never sent without TLS; drop tls=none or the user.",
        ),
        ("filemail://folder", "EMAIL_URL: write the mail folder as filemail:///absolute/folder."),
    ],
)
def test_a_wrong_mail_url_is_one_clear_line(url: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        mail_from_url(url, timeout=5.0)

    assert str(refusal.value) == message


def test_a_wrong_url_of_the_second_server_says_which_setting_is_meant() -> None:
    with pytest.raises(ConfigurationError) as refusal:
        mail_from_url("smtp://", timeout=5.0, name="EMAIL_FALLBACK_URL")

    assert str(refusal.value) == "EMAIL_FALLBACK_URL names no host."
