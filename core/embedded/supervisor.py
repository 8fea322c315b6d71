"""The supervisor of `manage.py up`: starts the services in order, restarts what crashes, stops in reverse order."""

import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import FrameType

from core.embedded.output import say
from core.embedded.process import EmbeddedServerError
from core.embedded.program import Service

_STOPPING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LONGEST_PAUSE = 5.0
_STEADY_AFTER = 10.0


class StopRequested(Exception):
    """Someone asked us to stop: ^C, TERM or the terminal closing."""


@dataclass(slots=True)
class _Watch:
    """What is known of a service's health."""

    started_at: float
    crashes: int = 0
    restart_at: float | None = None


class Supervisor:
    """Runs services until someone asks it to stop; after `close` none of their processes is left."""

    def __init__(self) -> None:
        self._services: list[Service] = []
        self._watches: dict[str, _Watch] = {}
        self._requests = 0
        self._is_closing = False
        # A background job of a shell starts with INT ignored: KeyboardInterrupt would never come.
        self._former = {number: signal.signal(number, self._on_signal) for number in _STOPPING_SIGNALS}

    def start(self, service: Service) -> None:
        """Start a service and watch it from now on."""
        self._services.append(service)
        self._watches[service.name] = _Watch(started_at=time.monotonic())
        service.start()

    def watch(self) -> None:
        """Restart what crashes, until `StopRequested`."""
        while True:
            self.look_after()
            time.sleep(0.1)

    def wait_for(self, condition: Callable[[], bool], *, seconds: float) -> bool:
        """Look after the services until `condition()` holds; return whether it did within `seconds`."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            self.look_after()
            time.sleep(0.05)
        return True

    def close(self, order: Sequence[Sequence[str]]) -> None:
        """Stop the services, group after group; those of a group at the same time."""
        self._is_closing = True
        for group in order:
            self._stop_together([service for service in self._services if service.name in group])
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def _stop_together(self, services: Sequence[Service]) -> None:
        with ThreadPoolExecutor() as threads:
            went = list(threads.map(lambda service: service.stop(self._is_urgent), services))
        for service, went_by_itself in zip(services, went, strict=True):
            if not went_by_itself:
                say(f"{service.name} did not stop by itself and was killed.")

    def look_after(self) -> None:
        """Notice crashes and start again what has waited long enough."""
        for service in self._services:
            watch = self._watches[service.name]
            if watch.restart_at is not None:
                if time.monotonic() >= watch.restart_at:
                    self._restart(service, watch)
            elif service.process is None or service.process.poll() is not None:
                self._note_crash(service, watch)

    def _note_crash(self, service: Service, watch: _Watch) -> None:
        if time.monotonic() - watch.started_at > _STEADY_AFTER:
            watch.crashes = 0
        pause = min(2.0**watch.crashes, _LONGEST_PAUSE)
        watch.crashes += 1
        watch.restart_at = time.monotonic() + pause
        say(f"{service.name} ended ({_ending(service)}); starting it again in {pause:.0f} s.")
        service.stop(lambda: True)

    def _restart(self, service: Service, watch: _Watch) -> None:
        watch.started_at, watch.restart_at = time.monotonic(), None
        try:
            service.start()
        except EmbeddedServerError as error:
            say(str(error))

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._requests += 1
        if not self._is_closing:
            self._is_closing = True
            raise StopRequested

    def _is_urgent(self) -> bool:
        return self._requests > 1


def _ending(service: Service) -> str:
    code = service.process.returncode if service.process else None
    if code is None:
        return "it did not start"
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
