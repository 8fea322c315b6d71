"""`GET /auth/verify`: what it answers, what it costs, and that deploy/nginx/forward-auth.conf guards with it."""

import http.client
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from django.conf import settings
from pytest_django import DjangoAssertNumQueries

from accounts.models import Role, User
from accounts.services.sessions import revoke
from accounts.tests.factories import access_token_of, create_api_token_of, create_session, create_user
from accounts.tests.servers import WebProcess
from config.tests.cast import ApiClient
from core.permissions import SYSTEM
from core.tests.ports import free_port

PATH = "/api/v1/auth/verify"
SNIPPET = Path(settings.BASE_DIR) / "deploy" / "nginx" / "forward-auth.conf"


def test_it_says_who_asks_and_nothing_else(moderator: User) -> None:
    response = ApiClient(access_token_of(create_session(moderator))).get(PATH)

    assert (response.status_code, response.content) == (204, b"")
    assert (response.headers["X-User-Id"], response.headers["X-User-Role"]) == (str(moderator.pk), "moderator")
    assert response.headers["Cache-Control"] == "no-store"


def test_a_role_s_name_fits_into_a_header(db: None) -> None:
    Role.objects.create(name="Prüfer 100%", permissions=[])

    response = ApiClient(access_token_of(create_session(create_user("Prüfer 100%")))).get(PATH)

    assert response.headers["X-User-Role"] == "Pr%C3%BCfer 100%25"


@pytest.mark.parametrize("sent", [{"Accept": "image/png"}, {"If-None-Match": '"1"'}, {"Cookie": "a=b"}], ids=str)
def test_the_headers_of_the_guarded_request_do_not_matter(owner: User, sent: dict[str, str]) -> None:
    client = ApiClient(access_token_of(create_session(owner)))

    assert client.get(PATH, headers=sent).status_code == 204
    assert client.head(PATH, headers=sent).status_code == 204


def test_who_is_not_signed_in_is_refused_in_the_envelope(owner: User) -> None:
    session = create_session(owner)
    token = access_token_of(session)
    revoke(session, actor=SYSTEM, reason="test")

    answers = [ApiClient().get(PATH), ApiClient("junk").get(PATH), ApiClient(token).get(PATH)]

    codes = [answer.json()["error"]["code"] for answer in answers]
    assert [answer.status_code for answer in answers] == [401] * 3
    assert codes == ["NOT_AUTHENTICATED", "INVALID_TOKEN", "SESSION_REVOKED"]
    assert all("X-User-Id" not in answer.headers for answer in answers)


def test_a_personal_access_token_opens_no_other_service(admin: User) -> None:
    response = ApiClient(create_api_token_of(admin, "admin")[1]).get(PATH)

    assert (response.status_code, response.json()["error"]["code"]) == (403, "PERMISSION_DENIED")
    assert "X-User-Id" not in response.headers


@pytest.mark.usefixtures("sessions_read_once")
def test_it_costs_no_query_while_the_snapshot_is_fresh(
    owner: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = ApiClient(access_token_of(create_session(owner)))
    client.get(PATH)

    with django_assert_num_queries(0):
        client.get(PATH)


class Guarded(BaseHTTPRequestHandler):
    """A service that answers with what it was told of the caller."""

    def do_GET(self) -> None:
        told = [self.headers.get(name, "") for name in ("X-User-Id", "X-User-Role", "Authorization")]
        body = "|".join([self.path, *told]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def gateway(transactional_db: None, tmp_path: Path) -> Iterator[int]:
    """The port of an nginx with our snippet, in front of a web process and a service of somebody else's."""
    web, guarded, port = WebProcess(), ThreadingHTTPServer(("127.0.0.1", 0), Guarded), free_port()
    threading.Thread(target=guarded.serve_forever, daemon=True).start()
    configuration = tmp_path / "nginx.conf"
    paths = " ".join(
        f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    configuration.write_text(
        f"""daemon off; pid {tmp_path}/pid; error_log {tmp_path}/error.log; events {{}}
        http {{
            access_log off; {paths}
            upstream web {{ server 127.0.0.1:{web.port}; }}
            upstream guarded {{ server 127.0.0.1:{guarded.server_port}; }}
            server {{ listen 127.0.0.1:{port}; server_name localhost; include {SNIPPET}; }}
        }}"""
    )
    proxy = subprocess.Popen([shutil.which("nginx") or "nginx", "-c", configuration, "-e", tmp_path / "error.log"])
    yield port
    proxy.terminate()
    proxy.wait(10)
    web.stop()
    guarded.shutdown()
    guarded.server_close()


def ask(port: int, headers: dict[str, str]) -> tuple[int, str]:
    for _ in range(50):
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            client.request("GET", "/guarded/report?year=2026", headers={"Host": "localhost", **headers})
            response = client.getresponse()
            return response.status, response.read().decode()
        except ConnectionRefusedError:
            time.sleep(0.1)
        finally:
            client.close()
    raise AssertionError("nginx does not answer")


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
def test_nginx_lets_through_who_is_signed_in_and_says_who_it_is(gateway: int) -> None:
    user = create_user("moderator")
    bearer = {"Authorization": f"Bearer {access_token_of(create_session(user))}", "Accept": "image/png"}
    pretended = {"X-User-Id": "somebody-else", "X-User-Role": "admin"}

    assert ask(gateway, {**bearer, **pretended}) == (200, f"/report?year=2026|{user.pk}|moderator|")
    assert ask(gateway, pretended)[0] == 401
    assert ask(gateway, {"Authorization": f"Bearer {create_api_token_of(user)[1]}"})[0] == 403
