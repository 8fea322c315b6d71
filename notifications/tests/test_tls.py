"""Mail over TLS, with a certificate that is trusted and with one that is not."""

import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pytest_django import Settings

from notifications import services
from notifications.models import Message
from notifications.tests.smtp import PATIENT, MailController, SmtpSink

Drain = Callable[..., int]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a certificate for 127.0.0.1 that nobody has signed but itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


def only_ada(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    return AuthResult(success=data == LoginPassword(login=b"ada", password=b"secret"), handled=False)


@pytest.fixture
def tls_sink(certificate: Path, settings: Settings) -> Iterator[SmtpSink]:
    """A mail server that takes mail only after STARTTLS and signing in."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    sink = SmtpSink()
    controller = MailController(
        sink,
        tls_context=context,
        require_starttls=True,
        auth_required=True,
        authenticator=only_ada,
    )
    controller.start()
    settings.MAIL = {
        "scheme": "smtp",
        "host": "127.0.0.1",
        "port": controller.port,
        "user": "ada",
        "password": "secret",
        "tls": "starttls",
        "timeout": PATIENT,
    }
    yield sink
    controller.stop(no_assert=True)


def test_a_trusted_server_gets_the_mail_and_the_password(
    drain: Drain, tls_sink: SmtpSink, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    services.send("account.welcome", address="ada@example.com")
    drain()

    assert [mail["To"] for mail in tls_sink.mails] == ["ada@example.com"]


def test_a_server_with_an_untrusted_certificate_gets_nothing(drain: Drain, tls_sink: SmtpSink) -> None:
    message = services.send("account.welcome", address="ada@example.com")
    drain()

    message.refresh_from_db()
    assert (message.state, tls_sink.offers) == ("queued", 0)
    assert "certificate verify failed" in message.attempts.get().answer


def test_a_wrong_password_is_our_mistake_and_not_the_mails(
    drain: Drain, tls_sink: SmtpSink, certificate: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    settings.MAIL = {**settings.MAIL, "password": "wrong"}
    services.send("account.welcome", address="ada@example.com")
    drain()

    message = Message.objects.get()
    assert (message.state, tls_sink.offers) == ("queued", 0)
    assert message.attempts.get().answer.startswith("535 ")
