"""A connection per thread to one Redis, with a switch that keeps a dead or hung server out of the way.

The first failure opens the switch; from then on callers are refused at once and use their fallback, while one
thread of the process asks the server again until it answers. So a hung Redis costs one request its read
timeout, once, and no later request anything.
"""

import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final

import redis
from django.conf import settings
from django_redis.exceptions import ConnectionInterrupted
from redis.backoff import NoBackoff
from redis.connection import ConnectionInterface, ConnectionPool
from redis.retry import Retry

CONNECT_TIMEOUT: Final = 0.2
READ_TIMEOUT: Final = 0.15
"""The default of `REDIS_TIMEOUT_SECONDS`."""
PROBE_INTERVAL: Final = 0.25
_REPLY_AT_MOST: Final = 4096
_FAILURES: Final = (redis.ConnectionError, redis.TimeoutError, OSError)


class RedisUnavailable(Exception):
    """The server does not answer at the moment; use the fallback."""


class RedisLink:
    """Commands to the Redis at `url`, from any thread; a reply that takes longer than `read_timeout` is none."""

    def __init__(self, url: str, *, read_timeout: float = READ_TIMEOUT) -> None:
        self._read_timeout = read_timeout
        self._pool = ConnectionPool.from_url(
            url,
            socket_connect_timeout=max(CONNECT_TIMEOUT, read_timeout),
            socket_timeout=read_timeout,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
            protocol=2,
        )
        self._local = threading.local()
        self._lock = threading.Lock()
        self._is_open = False
        self._generation = 0
        os.register_at_fork(after_in_child=self._begin_anew)

    @property
    def is_available(self) -> bool:
        """Return whether commands are let through."""
        return not self._is_open

    def call(self, *command: Any) -> Any:
        """Return the reply to one command; raises `RedisUnavailable` when the server does not give one.

        A refusal by a server that does answer (`redis.ResponseError`) is the caller's.
        """
        return self._with_connection(lambda connection: _ask(connection, command))

    def exchange(self, packed: bytes, *, lines: int) -> bytes:
        """Return the raw reply of so many lines, or the line of an error, to a command that is RESP already.

        For the one command that every request waits for: redis-py's packing and parsing take longer than the server.
        """
        return bytes(self._with_connection(lambda connection: _exchange(connection._sock, packed, lines)))

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Put the switch in front of commands that go over somebody else's connection to the same server."""
        if self._is_open:
            raise RedisUnavailable
        try:
            yield
        except (ConnectionInterrupted, *_FAILURES) as error:
            self._open()
            raise RedisUnavailable from error

    def _with_connection(self, command: Callable[[Any], Any]) -> Any:
        if self._is_open:
            raise RedisUnavailable
        try:
            return command(self._connection())
        except _FAILURES as error:
            # What is left in the socket may be half of an answer.
            self._drop_connection()
            self._open()
            raise RedisUnavailable from error

    def _connection(self) -> Any:
        connection: Any = getattr(self._local, "connection", None)
        if connection is None or self._local.generation != self._generation:
            self._drop_connection()
            connection = self._new_connection()
            connection.connect()
            _let_the_kernel_keep_time(connection._sock, self._read_timeout)
            self._local.connection, self._local.generation = connection, self._generation
        return connection

    def _new_connection(self) -> Any:
        # Not the pool's make_connection: that one counts, and refuses after so many, though all are closed again.
        return self._pool.connection_class(**self._pool.connection_kwargs)

    def _drop_connection(self) -> None:
        connection: ConnectionInterface | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.disconnect()
            self._local.connection = None

    def _begin_anew(self) -> None:
        # A child shares its parent's sockets, which it must not use, and has not its threads, on which a switch relies.
        self._lock = threading.Lock()
        self._generation += 1
        self._is_open = False

    def _open(self) -> None:
        with self._lock:
            if self._is_open:
                return
            self._is_open = True
            # Connections of other threads may hold half an answer: none of them is used again.
            self._generation += 1
        threading.Thread(target=self._probe_until_it_answers, name="redis-probe", daemon=True).start()

    def _probe_until_it_answers(self) -> None:
        while not self._answers():
            time.sleep(PROBE_INTERVAL)
        self._is_open = False

    def _answers(self) -> bool:
        connection = self._new_connection()
        try:
            connection.connect()
            connection.send_command("PING")
            return bool(connection.read_response() in (b"PONG", "PONG"))
        except (redis.RedisError, OSError):
            return False
        finally:
            connection.disconnect()


def _ask(connection: Any, command: tuple[Any, ...]) -> Any:
    connection.send_command(*command, check_health=False)
    return connection.read_response()


def _exchange(line: socket.socket, packed: bytes, lines: int) -> bytes:
    line.sendall(packed)
    reply = line.recv(_REPLY_AT_MOST)
    while reply.count(b"\r\n") < (1 if reply.startswith(b"-") else lines):
        more = line.recv(_REPLY_AT_MOST)
        if not more:
            raise ConnectionResetError
        reply += more
    return reply


def _let_the_kernel_keep_time(line: socket.socket, timeout: float) -> None:
    """Have the kernel end a read that takes too long: Python's own timeout asks `poll` before each."""
    seconds, fraction = divmod(timeout, 1)
    limit = struct.pack("ll", int(seconds), int(fraction * 1_000_000))
    line.settimeout(None)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)


@lru_cache(maxsize=8)
def link_to(url: str) -> RedisLink:
    """Return this process's link to the Redis at `url`."""
    return RedisLink(url, read_timeout=settings.REDIS_TIMEOUT_SECONDS)
