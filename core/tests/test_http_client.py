"""The way out: no request reaches an address of ours, and an answer is bounded in time and size."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from core.breaker import CircuitOpen
from core.context import WorkContext, working
from core.http_client import AddressRefused, RequestFailed, TimedOut, TooLarge, request
from core.public_addresses import is_public
from core.tests.timing import quickest

REFUSED_HOSTS = [
    line
    for line in Path(__file__).with_name("refused_hosts.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
MALFORMED = [
    "http://", "http:///path", "//127.0.0.1:{port}/", "http:127.0.0.1:{port}", "http:/127.0.0.1:{port}",
    "ftp://127.0.0.1:{port}/", "file:///etc/passwd", "gopher://127.0.0.1:{port}/_", "dict://127.0.0.1:{port}/",
    "javascript:alert(1)", "http://user@127.0.0.1:{port}/", "http://user:password@127.0.0.1:{port}/",
    "http://example.com@127.0.0.1:{port}/", "http://127.0.0.1:{port}@example.com/", "http://127.0.0.1:0/",
    "http://127.0.0.1:65536/", "http://127.0.0.1:-1/", "http://127.0.0.1:a/", "http://127.0.0.1\\@example.com/",
    "http://127.0.0.1:{port}\\/", "http://127.0.0.1 :{port}/", "http://127.0.0.1\t:{port}/", "http://127.0.0.1\n:{port}/",
    "http://127.0.0.1:{port}/\r\nHost: example.com", "http://[::1:{port}/", "http://[::1]]:{port}/", "http://[]/",
    "http://[127.0.0.1]:{port}/", "http://\x00127.0.0.1:{port}/", " http://127.0.0.1:{port}/", "", "http://[::1]x/",
]  # fmt: skip


@pytest.fixture
def listener() -> Iterator[tuple[int, Callable[[], int]]]:
    """A port that listens on every address of this machine, and how many connections came."""
    server = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True, backlog=256)
    server.setblocking(False)

    def connections() -> int:
        count = 0
        while True:
            try:
                server.accept()[0].close()
            except BlockingIOError:
                return count
            count += 1

    yield server.getsockname()[1], connections
    server.close()


class Peer(ThreadingHTTPServer):
    """A server of the test's, which answers as its script says and keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.script: list[Callable[[BaseHTTPRequestHandler], None]] = []
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://localhost:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    def _answer(self) -> None:
        peer: Any = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        peer.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        (peer.script.pop(0) if peer.script else answer(200, b'{"ok": true}'))(self)

    do_GET = do_POST = do_PUT = do_DELETE = _answer

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the test says what was asked."""


def answer(status: int, body: bytes = b"", **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return send


def drip(handler: BaseHTTPRequestHandler) -> None:
    """Send one byte of the body now and then, for ever."""
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b".")
            time.sleep(0.05)
    except OSError:
        return


def flood(handler: BaseHTTPRequestHandler) -> None:
    """Send more than anybody wants."""
    handler.send_response(200)
    handler.end_headers()
    try:
        for _ in range(1000):
            handler.wfile.write(b"x" * 65536)
    except OSError:
        return


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def peer(settings: Settings) -> Iterator[Peer]:
    """A server on this machine that the settings allow by name."""
    server = Peer()
    settings.OUTBOUND_ALLOWED_HOSTS = [f"localhost:{server.server_port}"]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_no_spelling_of_an_address_of_ours_is_connected_to(listener: tuple[int, Callable[[], int]]) -> None:
    port, connections = listener
    urls = [f"http://{host}:{port}/" for host in REFUSED_HOSTS]
    urls += [f"https://{host}:{port}/" for host in REFUSED_HOSTS[:50]]
    urls += [form.replace("{port}", str(port)) for form in MALFORMED]

    for url in urls:
        with pytest.raises(RequestFailed):
            request("GET", url, timeout=2)

    assert len(urls) >= 180
    assert connections() == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "[fd00:ec2::254]", "localhost"])
def test_the_refusal_says_so(host: str) -> None:
    with pytest.raises(AddressRefused, match="not on the open internet"):
        request("GET", f"http://{host}/")


def test_a_name_with_one_private_address_is_refused_whole(
    listener: tuple[int, Callable[[], int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, connections = listener
    asked: list[str] = []
    elsewhere = socket.getaddrinfo

    def resolve(host: str, *more: Any, **named: Any) -> list[Any]:
        if host != "rebinding.example":  # a thread that asks for a Redis, say
            return list(elsewhere(host, *more, **named))
        asked.append(host)
        addresses = ["93.184.216.34", "127.0.0.1"]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)

    with pytest.raises(AddressRefused):
        request("GET", f"http://rebinding.example:{port}/")
    assert (asked, connections()) == (["rebinding.example"], 0)


def test_a_name_is_resolved_once_so_it_cannot_change_its_mind(
    peer: Peer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.OUTBOUND_ALLOWED_HOSTS = ["changing.example"]
    answers = ["127.0.0.1", "127.0.0.66"]
    elsewhere = socket.getaddrinfo

    def resolve(host: str, *more: Any, **named: Any) -> list[Any]:
        if host != "changing.example":  # as above
            return list(elsewhere(host, *more, **named))
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers.pop(0), peer.server_port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)

    assert request("GET", f"http://changing.example:{peer.server_port}/").ok
    assert answers == ["127.0.0.66"]
    assert peer.seen[0][2]["host"] == f"changing.example:{peer.server_port}"


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "2a00:1450:4001:81b::200e"])
def test_the_open_internet_is_public(address: str) -> None:
    assert is_public(ip_address(address))


def test_a_host_is_allowed_by_its_exact_name_and_port(peer: Peer, settings: Settings) -> None:
    assert request("GET", f"{peer.url}/").ok
    with pytest.raises(AddressRefused):
        request("GET", f"http://127.0.0.1:{peer.server_port}/")
    settings.OUTBOUND_ALLOWED_HOSTS = ["localhost:1"]
    with pytest.raises(AddressRefused):
        request("GET", f"{peer.url}/")


def test_a_request_arrives_as_it_was_given(peer: Peer) -> None:
    traceparent = f"00-{'a' * 32}-{'b' * 16}-01"
    with working(WorkContext(traceparent=traceparent)):
        response = request("POST", f"{peer.url}/hook?a=b", json={"name": "ü"}, headers={"X-Own": "1"})

    ((method, path, headers, body),) = peer.seen
    assert (method, path, body) == ("POST", "/hook?a=b", '{"name":"ü"}'.encode())
    assert headers["content-type"] == "application/json"
    assert (headers["x-own"], headers["traceparent"]) == ("1", traceparent)
    assert (response.status, response.ok, response.json()) == (200, True, {"ok": True})


def test_a_redirect_is_an_answer_and_not_followed(peer: Peer) -> None:
    peer.script = [answer(302, Location="http://169.254.169.254/")]

    response = request("GET", f"{peer.url}/")

    assert (response.status, response.headers["location"]) == (302, "http://169.254.169.254/")
    assert len(peer.seen) == 1


def test_a_dripping_answer_is_cut_off_by_the_clock(peer: Peer) -> None:
    peer.script = [drip] * 5

    def ask() -> None:
        with pytest.raises(TimedOut):
            request("GET", f"{peer.url}/", timeout=0.4)

    assert quickest(ask, under=1) < 1


def test_a_flood_is_cut_off_by_the_size(peer: Peer) -> None:
    peer.script = [flood]

    with pytest.raises(TooLarge):
        request("GET", f"{peer.url}/", max_bytes=100_000)


def test_a_body_that_is_not_json_is_a_failure_not_a_crash(peer: Peer) -> None:
    peer.script = [answer(200, b"<html>")]

    with pytest.raises(RequestFailed, match="not JSON"):
        request("GET", f"{peer.url}/").json()


@pytest.mark.parametrize("failure", [answer(503), answer(500), answer(429), hang_up])
def test_an_idempotent_request_is_repeated(peer: Peer, failure: Any) -> None:
    peer.script = [failure, failure]

    response = request("PUT", f"{peer.url}/", json={}, attempts=3)

    assert (response.status, len(peer.seen)) == (200, 3)


@pytest.mark.parametrize("status", [500, 503])
def test_a_post_is_not_repeated_unless_it_carries_a_key(peer: Peer, status: int) -> None:
    peer.script = [answer(status), answer(status)]

    assert request("POST", f"{peer.url}/", json={}, attempts=3).status == status
    assert len(peer.seen) == 1
    response = request("POST", f"{peer.url}/", json={}, attempts=3, headers={"Idempotency-Key": "k"})
    assert (response.status, len(peer.seen)) == (200, 3)


def test_what_the_client_did_wrong_is_not_repeated(peer: Peer) -> None:
    peer.script = [answer(404)]

    assert request("GET", f"{peer.url}/", attempts=3).status == 404
    assert len(peer.seen) == 1


def test_retry_after_is_heeded(peer: Peer) -> None:
    def ask() -> None:
        peer.script = [answer(429, Retry_After="1")]
        assert request("POST", f"{peer.url}/", json={}, attempts=2).status == 200

    assert 1 <= quickest(ask, under=2) < 2


def test_a_host_that_keeps_failing_is_left_alone(peer: Peer) -> None:
    peer.script = [answer(500)] * 5
    for _ in range(5):
        assert request("GET", f"{peer.url}/").status == 500

    with pytest.raises(CircuitOpen):
        request("GET", f"{peer.url}/")
    assert len(peer.seen) == 5


def test_refusals_of_ours_do_not_open_a_breaker() -> None:
    for _ in range(10):
        with pytest.raises(AddressRefused):
            request("GET", "http://127.0.0.1/")


@pytest.mark.parametrize("header", ["value\r\nInjected: yes", "value\nInjected: yes"])
def test_a_header_cannot_smuggle_another(peer: Peer, header: str) -> None:
    with pytest.raises(RequestFailed):
        request("GET", f"{peer.url}/", headers={"X-Own": header})
    assert peer.seen == []
