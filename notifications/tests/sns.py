"""The pytest plugin that gives a test a host of Amazon SNS: with its certificate, over TLS, under its name."""

import base64
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from pytest_django import Settings

from notifications.tests.names import lead_here

HOST = "sns.eu-west-1.amazonaws.com"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:bounces"
CERTIFICATE = f"https://{HOST}/SimpleNotificationService-0123abcd.pem"


class Sns(ThreadingHTTPServer):
    """A host of Amazon SNS: has the certificate that messages are signed with, and counts who confirms."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.asked: list[str] = []
        self.certificate = _certificate(self.key)
        super().__init__(("127.0.0.1", 0), _SnsHandler)
        path = folder / "sns.pem"
        path.write_bytes(
            self.certificate
            + self.key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        self.path = path
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(path)
        self.socket = context.wrap_socket(self.socket, server_side=True)

    def signed(self, facts: dict[str, Any], *, version: str = "2") -> dict[str, Any]:
        """Sign as AWS has published it: names and values in lines, in the order of the names."""
        facts = {
            "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
            "TopicArn": TOPIC,
            "Timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            **facts,
        }
        names = sorted(facts.keys() & {"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"})
        if facts["Type"] != "Notification":
            names = sorted([*names, "SubscribeURL", "Token"])
        text = "".join(f"{name}\n{facts[name]}\n" for name in names)
        digest = hashes.SHA256() if version == "2" else hashes.SHA1()  # noqa: S303  # SNS's first version
        signature = base64.b64encode(self.key.sign(text.encode(), padding.PKCS1v15(), digest)).decode()
        return {"SignatureVersion": version, "Signature": signature, "SigningCertURL": CERTIFICATE, **facts}


class _SnsHandler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Sns)
        self.server.asked.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.certificate if self.path.endswith(".pem") else b"<ConfirmSubscriptionResponse/>")

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the test says what was asked."""


def _certificate(key: rsa.RSAPrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return signed.public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def sns(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Sns]:
    """Amazon SNS, where its name leads to in this test."""
    server = Sns(tmp_path)
    lead_here(monkeypatch, HOST, server.server_port)
    monkeypatch.setattr(certifi, "where", lambda: str(server.path))
    settings.OUTBOUND_ALLOWED_HOSTS = [HOST]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
