"""What `EdgeMiddleware` and the page middleware do to every answer."""

import json
import re

import pytest
from django.test import Client
from pytest_django import Settings

pytestmark = pytest.mark.django_db


def last_line(capfd: pytest.CaptureFixture[str]) -> dict[str, object]:
    line: dict[str, object] = json.loads(capfd.readouterr().err.splitlines()[-1])
    return line


def test_a_good_request_id_is_taken_over(client: Client) -> None:
    response = client.get("/health/live", headers={"x-request-id": "order-7.retry_2"})

    assert response["X-Request-ID"] == "order-7.retry_2"


@pytest.mark.parametrize("offered", ["", "with space", "a" * 129, "line\nbreak", "ümlaut", "<script>"])
def test_any_other_request_id_is_replaced(client: Client, offered: str) -> None:
    response = client.get("/health/live", HTTP_X_REQUEST_ID=offered)

    assert re.fullmatch(r"[0-9a-f]{32}", response["X-Request-ID"])


def test_the_access_line_tells_what_was_asked_and_answered(client: Client, capfd: pytest.CaptureFixture[str]) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    client.get(
        "/health/live?token=secret",
        headers={"x-request-id": "abc", "traceparent": f"00-{trace}-b7ad6b7169203331-01"},
        REMOTE_ADDR="192.0.2.7",
    )

    line = last_line(capfd)
    metadata = line["metadata"]
    assert set(line) == {"timestamp", "level", "service", "trace_id", "message", "metadata"}
    assert (line["level"], line["service"], line["trace_id"]) == ("info", "nook", trace)
    assert line["message"] == "GET /health/live 200"
    assert isinstance(metadata, dict)
    assert metadata.pop("duration_ms") >= 0
    assert metadata == {
        "logger": "access",
        "method": "GET",
        "path": "/health/live",
        "route": "/health/live",
        "status": 200,
        "ip": "192.0.2.7",
        "user_id": None,
        "request_id": "abc",
    }


@pytest.mark.parametrize("traceparent", ["junk", f"00-{'0' * 32}-b7ad6b7169203331-01", f"00-{'a' * 32}-{'0' * 16}-01"])
def test_a_broken_traceparent_is_not_believed(
    client: Client, capfd: pytest.CaptureFixture[str], traceparent: str
) -> None:
    client.get("/health/live", headers={"x-request-id": "abc", "traceparent": traceparent})

    assert last_line(capfd)["trace_id"] == "abc"


def test_a_token_in_a_path_does_not_reach_the_log(client: Client, capfd: pytest.CaptureFixture[str]) -> None:
    client.get(f"/api/v1/shared/nks_{'a1B2' * 12}")

    assert last_line(capfd)["message"] == "GET /api/v1/shared/[redacted] 404"


def test_every_answer_carries_the_security_headers(client: Client) -> None:
    for path in ("/health/live", "/status", "/api/v1/nothing", "/nothing"):
        headers = client.get(path).headers

        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Permissions-Policy"].startswith("camera=()")
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_the_api_lets_nothing_be_loaded(client: Client) -> None:
    assert client.get("/health/live")["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_a_page_loads_only_what_is_ours_and_carries_its_nonce(client: Client) -> None:
    response = client.get("/status")

    policy = response["Content-Security-Policy"]
    (nonce,) = set(re.findall(r"'nonce-([^']+)'", policy))
    assert f'<style nonce="{nonce}">' in response.content.decode()
    assert "unsafe" not in policy
    assert "default-src 'self'" in policy
    assert nonce not in client.get("/status")["Content-Security-Policy"]


def test_the_admin_alone_may_evaluate_and_style_inline_but_never_run_inline_scripts(client: Client) -> None:
    policy = client.get("/admin/login/")["Content-Security-Policy"]

    directives = dict(part.split(" ", 1) for part in policy.split("; "))
    assert "'unsafe-eval'" in directives["script-src"]
    assert "'unsafe-inline'" not in directives["script-src"]
    assert directives["style-src"] == "'self' 'unsafe-inline'"


def test_api_paths_set_no_cookie_and_pages_do(client: Client) -> None:
    assert client.get("/api/v1/nothing").cookies == {}
    assert "csrftoken" in client.get("/admin/login/").cookies


def test_an_unknown_host_is_refused_with_every_header(client: Client) -> None:
    response = client.get("/api", headers={"host": "evil.example"})

    assert response.status_code == 400
    assert response["X-Content-Type-Options"] == "nosniff"
    assert re.fullmatch(r"[0-9a-f]{32}", response["X-Request-ID"])


def test_probes_answer_whatever_address_they_are_asked_by(client: Client) -> None:
    assert client.get("/health/live", headers={"host": "10.1.2.3:8000"}).status_code == 200


def test_hsts_is_said_over_https_only(settings: Settings) -> None:
    settings.SECURE_HSTS_SECONDS = 31536000
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    client = Client()

    assert client.get("/health/live", secure=True)["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    assert "Strict-Transport-Security" not in client.get("/health/live")


def test_plain_http_is_sent_to_https_but_for_the_probes(settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    client = Client()

    response = client.get("/status?a=b")
    assert (response.status_code, response["Location"]) == (301, "https://testserver/status?a=b")
    assert client.get("/health/live").status_code == 200


def test_a_listed_origin_may_call_and_another_may_not(settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example"]
    client = Client()

    listed = client.get("/api/v1/nothing", headers={"origin": "https://app.example"})
    other = client.get("/api/v1/nothing", headers={"origin": "https://app.example.evil.example"})
    preflight = client.options(
        "/api/v1/nothing",
        headers={"origin": "https://app.example", "access-control-request-method": "PATCH"},
    )

    assert listed["Access-Control-Allow-Origin"] == "https://app.example"
    assert listed["Access-Control-Allow-Credentials"] == "true"
    assert "x-request-id" in listed["Access-Control-Expose-Headers"]
    assert "Origin" in listed["Vary"].title()
    assert "Access-Control-Allow-Origin" not in other.headers
    assert preflight.status_code == 200
    assert "PATCH" in preflight["Access-Control-Allow-Methods"]
    assert "if-match" in preflight["Access-Control-Allow-Headers"]


def test_without_listed_origins_nobody_is_told_of_cors(client: Client) -> None:
    response = client.get("/api/v1/nothing", headers={"origin": "https://app.example"})

    assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, "203.0.113.9", "192.0.2.7"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "10.0.0.1, 203.0.113.9", "203.0.113.9"),
        (2, "198.51.100.1, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
        (2, "203.0.113.9", "192.0.2.7"),
        (1, "not an address", "192.0.2.7"),
        (1, "203.0.113.9:4711", "203.0.113.9"),
        (1, "[2001:db8::1]:4711", "2001:db8::1"),
        (1, "::ffff:203.0.113.9", "203.0.113.9"),
        (1, "", "192.0.2.7"),
    ],
)
def test_the_clients_address_is_the_one_our_own_proxies_saw(
    settings: Settings,
    capfd: pytest.CaptureFixture[str],
    proxies: int,
    forwarded: str,
    expected: str,
) -> None:
    settings.TRUSTED_PROXY_COUNT = proxies

    Client().get("/health/live", headers={"x-forwarded-for": forwarded}, REMOTE_ADDR="192.0.2.7")

    metadata = last_line(capfd)["metadata"]
    assert isinstance(metadata, dict)
    assert metadata["ip"] == expected
