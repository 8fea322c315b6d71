"""HTTPS out of the house: who is trusted, and under which name."""

import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pytest_django import Settings

from core.http_client import RequestFailed, request


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the test says what was asked."""


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A file with a certificate for `localhost` that nobody has signed but itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path / "certificate.pem"
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + private)
    return path


@pytest.fixture
def port(certificate: Path, settings: Settings) -> Iterator[int]:
    """Where a server with that certificate listens; the settings let requests go there by two names."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    settings.OUTBOUND_ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_who_is_not_trusted_gets_nothing(port: int) -> None:
    with pytest.raises(RequestFailed, match="SSLCertVerificationError"):
        request("GET", f"https://localhost:{port}/")


def test_who_is_trusted_is_so_under_their_own_name_alone(
    port: int, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certifi, "where", lambda: str(certificate))

    answers = [request("GET", f"https://localhost:{port}/").body for _ in range(3)]

    assert answers == [b"ok"] * 3
    with pytest.raises(RequestFailed, match="SSLCertVerificationError"):
        request("GET", f"https://127.0.0.1:{port}/")


def test_who_is_trusted_no_longer_gets_nothing(port: int, certificate: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certifi, "where", lambda: str(certificate))
        assert request("GET", f"https://localhost:{port}/").status == 200

    with pytest.raises(RequestFailed, match="SSLCertVerificationError"):
        request("GET", f"https://localhost:{port}/")
