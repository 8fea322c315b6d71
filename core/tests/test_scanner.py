"""The virus scanner's protocol, spoken to a server of it."""

import socketserver
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from core.breaker import state_of
from core.doctor import stores
from core.scanner import ScannerUnavailable, TooLargeToScan, Verdict, answers, scan
from core.tests.clamd import EICAR, Clamd
from core.tests.ports import free_port

CHUNK = 256 * 1024


def test_what_is_clean_and_what_is_not(clamd: Clamd) -> None:
    assert scan([b"A note", b".\n"]) == Verdict("")
    assert scan([EICAR[:20], EICAR[20:]]) == Verdict("Eicar-Signature")
    assert clamd.scanned == [b"A note.\n", EICAR]


def test_what_is_larger_than_it_takes_is_neither(clamd: Clamd) -> None:
    clamd.most_bytes = 1000

    with pytest.raises(TooLargeToScan):
        scan(bytes(CHUNK) for _ in range(40))


def test_a_scanner_that_hangs_costs_its_time_and_no_more(clamd: Clamd, settings: Settings) -> None:
    clamd.hangs, settings.CLAMD_TIMEOUT_SECONDS = True, 1
    started = time.monotonic()

    with pytest.raises(ScannerUnavailable):
        scan([b"A note"])

    assert 0.9 < time.monotonic() - started < 3


@pytest.mark.parametrize("answer", [b"stream: ERROR\0", b"Access denied. ERROR\0", b"stream: OK", b"\0", b"OK\0"])
def test_only_a_whole_answer_counts(answer: bytes, clamd: Clamd) -> None:
    clamd.answer = answer

    if answer == b"stream: OK":
        assert scan([b"A note"]) == Verdict("")
    else:
        with pytest.raises(ScannerUnavailable):
            scan([b"A note"])


def test_a_scanner_that_is_away_is_left_alone_after_a_while(settings: Settings) -> None:
    settings.CLAMD = {"host": "127.0.0.1", "port": free_port()}

    for _ in range(6):
        with pytest.raises(ScannerUnavailable):
            scan([b"A note"])

    assert state_of("scanner") == "open"
    assert (answers(), stores.scanner().level) == (False, "red")


def test_without_a_scanner_nothing_is_scanned(settings: Settings) -> None:
    settings.CLAMD = {}

    with pytest.raises(ScannerUnavailable):
        scan([b"A note"])
    assert stores.scanner().level == "green"


def test_what_cannot_be_read_is_no_fault_of_the_scanner(clamd: Clamd) -> None:
    def missing() -> Iterator[bytes]:
        yield b"A note"
        raise FileNotFoundError

    for _ in range(6):
        with pytest.raises(FileNotFoundError):
            scan(missing())

    assert state_of("scanner") == "closed"
    assert (answers(), stores.scanner().found) == (True, "clamd answers")


def test_it_may_listen_at_a_socket_in_the_file_system(settings: Settings, tmp_path: Path) -> None:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.rfile.read(6)
            self.wfile.write(b"PONG\0")

    path = str(tmp_path / "clamd.sock")
    settings.CLAMD = {"path": path}
    with socketserver.UnixStreamServer(path, Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        assert answers()
        thread.join()
