"""Connections that are kept between requests: as good as new ones, or not used."""

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pytest_django import Settings

from core.http_client import AddressRefused, RequestFailed, Response, TimedOut, request
from core.http_lines import IDLE_SECONDS

Script = Callable[[BaseHTTPRequestHandler], None]


class Host(ThreadingHTTPServer):
    """A server of the test's that keeps connections: counts them, and answers as its script says."""

    daemon_threads = True

    def __init__(self) -> None:
        self.opened = self.closed = 0
        self.bodies: list[bytes] = []
        self.script: list[Script] = []
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://localhost:{self.server_port}/hook"

    def told(self, body: bytes, **options: Any) -> Response:
        """Send the host this, over a kept connection if there is one."""
        return request("POST", self.url, data=body, keeps=True, **options)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Host

    def setup(self) -> None:
        self.server.opened += 1
        super().setup()

    def finish(self) -> None:
        super().finish()
        self.server.closed += 1

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        (self.server.script.pop(0) if self.server.script else answer())(self)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the test says what was asked."""


def answer(body: bytes = b"ok", *, is_last: bool = False, hangs_up: bool = False) -> Script:
    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        if is_last:
            handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = is_last or hangs_up

    return send


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


def drip(handler: BaseHTTPRequestHandler) -> None:
    """Send one byte of the body now and then, for ever."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.close_connection = True
    try:
        while True:
            handler.wfile.write(b".")
            time.sleep(0.05)
    except OSError:
        return


@pytest.fixture
def host(settings: Settings) -> Iterator[Host]:
    """A server on this machine that the settings allow by name."""
    server = Host()
    settings.OUTBOUND_ALLOWED_HOSTS = [f"localhost:{server.server_port}"]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def wait_until(is_so: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_one_connection_serves_request_after_request(host: Host) -> None:
    answers = [host.told(body).body for body in (b"1", b"2", b"3")]

    assert (answers, host.bodies, host.opened) == ([b"ok"] * 3, [b"1", b"2", b"3"], 1)


def test_a_body_does_not_wait_for_word_of_its_head(host: Host) -> None:
    took = []
    for number in range(10):
        started = time.monotonic()
        host.told(b"%d" % number)
        took.append(time.monotonic() - started)

    # The other side says so after 40 ms.
    assert min(took[1:]) < 0.03
    assert host.opened == 1


def test_who_does_not_ask_for_it_has_one_of_their_own(host: Host) -> None:
    host.told(b"1")

    for _ in range(2):
        request("POST", host.url, data=b"2")

    assert host.opened == 3


@pytest.mark.parametrize("last", [answer(is_last=True), answer(hangs_up=True)], ids=["says so", "says nothing"])
def test_what_the_other_side_has_closed_is_not_used(host: Host, last: Script) -> None:
    host.script = [last]
    host.told(b"1")
    wait_until(lambda: host.closed == 1)

    assert host.told(b"2").body == b"ok"
    assert (host.bodies, host.opened) == ([b"1", b"2"], 2)


def test_what_was_sent_as_the_other_side_hung_up_is_sent_again(host: Host) -> None:
    host.script = [answer(), hang_up, answer(b"again")]
    host.told(b"1")

    assert host.told(b"2").body == b"again"
    assert (host.bodies, host.opened) == ([b"1", b"2", b"2"], 2)


def test_over_a_new_connection_it_is_sent_once(host: Host) -> None:
    host.script = [hang_up]

    with pytest.raises(RequestFailed, match="RemoteDisconnected"):
        host.told(b"1")

    assert (host.bodies, host.opened) == ([b"1"], 1)


def test_an_answer_that_was_cut_is_no_part_of_the_next(host: Host) -> None:
    host.script = [answer(b"x" * 200_000)]

    first, second = host.told(b"1", max_bytes=1000, cut=True), host.told(b"2")

    assert (first.body, second.body, host.opened) == (b"x" * 1000, b"ok", 2)


def test_a_wall_clock_runs_on_each_request(host: Host) -> None:
    host.script = [answer(), drip]
    host.told(b"1")
    started = time.monotonic()

    with pytest.raises(TimedOut):
        host.told(b"2", timeout=0.5)

    assert time.monotonic() - started < 3
    assert host.told(b"3").body == b"ok"
    assert (host.bodies, host.opened) == ([b"1", b"2", b"3"], 2)


def test_nobody_goes_over_a_connection_that_they_could_not_open(host: Host, settings: Settings) -> None:
    host.told(b"1")
    settings.OUTBOUND_ALLOWED_HOSTS = []

    with pytest.raises(AddressRefused):
        host.told(b"2")

    assert host.bodies == [b"1"]


def test_it_is_hung_up_when_nothing_more_is_to_be_sent(host: Host) -> None:
    host.told(b"1")

    wait_until(lambda: host.closed == 1, seconds=3 * IDLE_SECONDS)
    assert host.told(b"2").body == b"ok"
    assert host.opened == 2


def test_side_by_side_each_has_one_alone(host: Host) -> None:
    gate = threading.Barrier(3)
    host.script = [lambda handler: (gate.wait(10), answer()(handler))[1] for _ in range(3)]
    senders = [threading.Thread(target=host.told, args=(b"%d" % number,)) for number in range(3)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()

    assert (sorted(host.bodies), host.opened) == ([b"0", b"1", b"2"], 3)
    host.told(b"3")
    assert host.opened == 3
