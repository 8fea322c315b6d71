"""The broker as Celery is told of it: one profile for RabbitMQ and for Redis/Valkey."""

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from django.conf import settings
from kombu.entity import Exchange, Queue

from core.queue import QUEUES
from core.relay import DEAD


def celery_url(url: str) -> str:
    """Return the URL in kombu's spelling: `unix:///socket?db=1` is `redis+socket:///socket?virtual_host=1` there."""
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return url
    query = dict(parse_qsl(parts.query))
    if "db" in query:
        query["virtual_host"] = query.pop("db")
    return f"redis+socket://{parts.path}" + (f"?{urlencode(query)}" if query else "")


def _queues(prefix: str, *, rabbitmq: bool) -> list[Queue]:
    exchange = Exchange(f"{prefix}tasks", type="direct", durable=True)
    arguments: dict[str, Any] = {}
    if rabbitmq:
        arguments = {
            "x-queue-type": "quorum",
            "x-delivery-limit": 5,
            "x-dead-letter-exchange": f"{prefix}{DEAD}",
            "x-dead-letter-routing-key": f"{prefix}{DEAD}",
        }
    return [
        Queue(prefix + name, exchange, routing_key=prefix + name, durable=True, queue_arguments=arguments)
        for name in QUEUES
    ]


def _transport_options(*, rabbitmq: bool) -> dict[str, Any]:
    if rabbitmq:
        return {"confirm_publish": True, "connect_timeout": 5, "read_timeout": 30, "write_timeout": 10}
    # What a killed worker held comes back by the outbox within seconds; the broker's own restore, after
    # visibility_timeout, only has to be longer than the longest task.
    return {
        "visibility_timeout": settings.TASK_TIME_LIMIT_SECONDS + 60,
        "socket_timeout": 30,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 25,
    }


_rabbitmq = urlsplit(settings.BROKER_URL).scheme in {"amqp", "amqps", "pyamqp"}

broker_url = celery_url(settings.BROKER_URL)
broker_transport_options = _transport_options(rabbitmq=_rabbitmq)
broker_connection_retry = True
broker_connection_retry_on_startup = True
broker_connection_max_retries = None
broker_connection_timeout = 5

task_queues = _queues(settings.QUEUE_PREFIX, rabbitmq=_rabbitmq)
task_default_queue = settings.QUEUE_PREFIX + "default"
task_default_exchange = f"{settings.QUEUE_PREFIX}tasks"
task_default_routing_key = settings.QUEUE_PREFIX + "default"
task_create_missing_queues = False

task_serializer = "json"
accept_content = ["json"]
task_ignore_result = True
task_acks_late = True
task_reject_on_worker_lost = True
task_time_limit = settings.TASK_TIME_LIMIT_SECONDS
task_soft_time_limit = settings.TASK_TIME_LIMIT_SECONDS - 15
worker_prefetch_multiplier = 1
worker_consumer = "config.consumer:Consumer"
worker_detect_quorum_queues = True
worker_disable_prefetch = not _rabbitmq
worker_soft_shutdown_timeout = 20.0
worker_enable_soft_shutdown_on_idle = False
worker_hijack_root_logger = False
worker_max_tasks_per_child = 10_000
worker_send_task_events = False
timezone = "UTC"

# Celery hangs up on the database before and after each task, unless told for how many it is to be kept: connecting took
# longer than a whole small task. `config.celery` sees to it that a task begins with a connection that is good.
CELERY_DB_REUSE_MAX = 10_000
