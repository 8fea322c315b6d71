"""A whole house to break: `manage.py up` on a scratch folder, with a broker and peers that the drill holds."""

import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from kombu.connection import Connection as BrokerConnection
from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb

from core.embedded.locations import Locations
from core.embedded.program import status_of
from core.embedded.valkey import Valkey
from core.queue import QUEUES
from core.relay import DEAD
from core.tests.embedded.running import embedded_environment, manage, process_numbers_of, wait_until_gone
from core.tests.ports import free_port
from tests.drills.peers import Peers

ADMIN = ("drill@example.com", "a-password-for-the-drill")
RELAY = r"manage\.py relay"
WORKER = r"celery .*worker"
WEB = r"granian .*config\.wsgi"
WEB_CHILD = r"multiprocessing.*spawn_main"


class House:
    """A running set of processes, each of which may be killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "data"
        self.port = free_port()
        self._redis_places = Locations(folder / "redis")
        self.redis = Valkey(self._redis_places)
        self.redis.start()
        # The mail server's library tells of every command; a drill prints one line.
        logging.getLogger("mail.log").setLevel(logging.WARNING)
        self.peers = Peers()
        self.sink = self.peers.mail
        self.environment = self._environment()
        self.log = folder / "up.log"
        self._up = self._start()
        self._make_admin()
        self.execute("CREATE TABLE drill_marks (name text)")

    def _environment(self) -> dict[str, str]:
        broker = {"BROKER_URL": os.environ["BROKER_URL"]} if self.has_rabbitmq else {}
        return embedded_environment(
            self.folder,
            DJANGO_SETTINGS_MODULE="tests.drills.settings",
            REDIS_URL=self._redis_places.redis_url,
            **broker,
            QUEUE_PREFIX=f"drill-{os.getpid()}.",
            **self.peers.environment(),
            RATE_LIMIT_SCALE="100000",
            NOOK_WORKERS="2",
            NOOK_DEMO="false",
        )

    @property
    def has_rabbitmq(self) -> bool:
        """Return whether the broker is one that was given and that we may not kill."""
        return os.environ.get("BROKER_URL", "").startswith("amqp")

    def _start(self) -> subprocess.Popen[bytes]:
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "manage.py", "up", "--port", str(self.port)],
                cwd=settings.BASE_DIR,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait_until_ready(process)
        except BaseException:
            # Nobody else would: a house that came up too late would stand for ever.
            process.terminate()
            raise
        return process

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + 180
        while status_of(("127.0.0.1", self.port), "/health/ready") != 200:
            assert process.poll() is None, self.log.read_text(encoding="utf-8")
            assert time.monotonic() < deadline, self.log.read_text(encoding="utf-8")
            time.sleep(0.1)

    def mend(self) -> None:
        """Start again what a drill left down, and wait for the rest."""
        if self.redis.process is None or self.redis.process.poll() is not None:
            self.redis.start()
        self._wait_until_ready(self._up)

    def _make_admin(self) -> None:
        email, password = ADMIN
        secret = {"DJANGO_SUPERUSER_PASSWORD": password}
        made = manage("createsuperuser", "--noinput", "--email", email, environment=self.environment | secret)
        assert made.returncode == 0, made.stderr

    def kill(self, pattern: str, *, which: int = 0) -> bool:
        """Kill one of the processes whose command line matches with -9; return whether there was one."""
        numbers = process_numbers_of(self.folder, pattern)
        if not numbers:
            return False
        try:
            os.kill(numbers[which % len(numbers)], signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    def kill_workers(self) -> bool:
        """Kill the worker and all its children with -9, at one blow; return whether there were any."""
        numbers = process_numbers_of(self.folder, WORKER)
        for number in numbers:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        return bool(numbers)

    def terminate_workers(self) -> float:
        """Tell the worker to end what it does and go, as a deploy does; return how many seconds that took."""
        children = set(self.children())
        mains = set(process_numbers_of(self.folder, WORKER)) - children
        started = time.monotonic()
        for number in mains:
            os.kill(number, signal.SIGTERM)
        while (mains | children) & set(process_numbers_of(self.folder, WORKER)):
            time.sleep(0.05)
        return time.monotonic() - started

    def kill_child(self, *, which: int = 0) -> bool:
        """Kill one child of the worker's pool with -9, as the kernel does when memory is out."""
        children = self.children()
        with suppress(ProcessLookupError, IndexError):
            os.kill(children[which % max(1, len(children))], signal.SIGKILL)
            return True
        return False

    def children(self) -> list[int]:
        """Return the processes of the worker's pool."""
        numbers = set(process_numbers_of(self.folder, WORKER))
        return sorted(number for number in numbers if _parent_of(number) in numbers)

    def kill_redis(self, *, wiped: bool = False) -> None:
        """Kill Redis (and with it the broker, unless that is RabbitMQ) with -9, and leave it down; or its disk too."""
        self.signal_redis(signal.SIGKILL)
        assert self.redis.process is not None
        self.redis.process.wait()
        if wiped:
            shutil.rmtree(self._redis_places.valkey_dir)

    def signal_redis(self, number: signal.Signals) -> None:
        assert self.redis.process is not None
        self.redis.process.send_signal(number)

    def rows(self, query: str) -> list[Any]:
        """Return what the database says, asked past the product."""
        with self._database() as connection:
            return connection.execute(query.encode()).fetchall()

    def execute(self, statement: str) -> int:
        """Write to the database past the product; return how many rows that concerned."""
        with self._database() as connection:
            return connection.execute(statement.encode()).rowcount

    def _database(self) -> psycopg.Connection[Any]:
        run_dir = str(Locations(self.folder).run_dir)
        return psycopg.connect(host=run_dir, user="nook", dbname="nook", row_factory=namedtuple_row)

    def enqueue(self, task: str, **kwargs: Any) -> None:
        """Promise a run of one of the town's tasks."""
        with self._database() as connection:
            connection.execute(
                "INSERT INTO outbox (task, queue, kwargs) VALUES (%s, 'default', %s)",
                [f"tests.drills.town.tasks.{task}", Jsonb(kwargs)],
            )

    def marks(self) -> Counter[str]:
        """Return what the town's tasks have left, and how often."""
        return Counter(row.name for row in self.rows("SELECT name FROM drill_marks"))

    def start_module(self, name: str) -> subprocess.Popen[bytes]:
        """Start a module of the drills in the house's environment."""
        return subprocess.Popen(
            [sys.executable, "-m", name], cwd=settings.BASE_DIR, env=self.environment, stdout=subprocess.DEVNULL
        )

    def run_module(self, name: str, *arguments: str) -> None:
        """Run a module of the drills in the house's environment."""
        done = subprocess.run(
            [sys.executable, "-m", name, *arguments],
            cwd=settings.BASE_DIR,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def seconds_until_quiet(self, *, patience: float) -> float:
        """Return how long it takes until nothing is left to be done."""
        started = time.monotonic()
        while self.rows("SELECT 1 FROM outbox LIMIT 1"):
            assert time.monotonic() - started < patience, self.rows("SELECT * FROM outbox LIMIT 5")
            time.sleep(0.2)
        return round(time.monotonic() - started, 1)

    def _leave_no_queues(self) -> None:
        if not self.has_rabbitmq:
            return
        prefix = self.environment["QUEUE_PREFIX"]
        with BrokerConnection(os.environ["BROKER_URL"]) as broker:
            for name in (*QUEUES, DEAD):
                broker.default_channel.queue_delete(prefix + name)
            for name in ("tasks", DEAD):
                broker.default_channel.exchange_delete(prefix + name)

    def stop(self) -> None:
        """Stop everything; nothing may be left."""
        self._up.send_signal(signal.SIGTERM)
        code = self._up.wait(60)
        self.signal_redis(signal.SIGCONT)
        self.redis.stop()
        self.peers.stop()
        self._leave_no_queues()
        assert (code, wait_until_gone(self.folder)) == (0, [])


def _parent_of(number: int) -> int:
    try:
        after_the_name = Path(f"/proc/{number}/stat").read_text(encoding="ascii").rpartition(")")[2]
    except OSError:
        return 0
    return int(after_the_name.split()[1])
