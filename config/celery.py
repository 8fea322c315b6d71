"""The Celery application and every schedule."""

import gc
import os
from datetime import timedelta
from typing import Any, Final

import django
from celery import Celery, signals
from celery.schedules import crontab
from django.apps import apps
from django.db import close_old_connections

from config.startup import explained
from core import beside
from core.embedded.process import die_with_supervisor

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")

_GRACE_SECONDS: Final = 12.0
"""How long a child that is told to go waits for providers: longer than their timeouts."""

app = Celery("nook")
app.set_default()
app.config_from_object("config.broker")
app.autodiscover_tasks()


SCHEDULES: Final[dict[str, tuple[str, crontab | timedelta, str]]] = {
    # accounts
    "look-for-masses": ("accounts.tasks.look_for_masses", timedelta(minutes=1), "maintenance"),
    "purge-accounts": ("accounts.tasks.purge", crontab(minute="40", hour="3"), "maintenance"),
    "sweep-avatars": ("accounts.tasks.sweep_avatars", crontab(minute="10", hour="4"), "maintenance"),
    "erase-accounts": ("accounts.tasks.erase_accounts", crontab(minute="20", hour="4"), "maintenance"),
    # core
    "export-audit-head": ("core.tasks.export_audit_head", timedelta(minutes=1), "maintenance"),
    "maintain-database": ("core.tasks.maintain_database", crontab(minute="0", hour="2"), "maintenance"),
    "make-partitions": ("core.tasks.make_partitions", crontab(minute="20", hour="0"), "maintenance"),
    "remove-job-files": ("core.tasks.remove_expired_files", crontab(minute="10"), "maintenance"),
    "purge": ("core.tasks.purge_expired", crontab(minute="30", hour="3"), "maintenance"),
    # notifications
    "send-webhooks": ("notifications.tasks.send_webhooks", timedelta(minutes=1), "webhooks"),
    "watch-operations": ("notifications.tasks.watch_operations", timedelta(minutes=1), "maintenance"),
    "heartbeat": ("notifications.tasks.beat_heart", timedelta(minutes=1), "maintenance"),
    "release-messages": ("notifications.tasks.release", timedelta(seconds=30), "notifications"),
    "purge-messages": ("notifications.tasks.purge", crontab(minute="50", hour="3"), "maintenance"),
    # resources
    "monthly-reports": (
        "resources.tasks.make_monthly_reports",
        crontab(minute="0", hour="5", day_of_month="1"),
        "bulk",
    ),
    "follow-schemas": ("resources.tasks.follow_schemas", crontab(minute="35"), "maintenance"),
    "sweep-files": ("resources.tasks.sweep_files", crontab(minute="25"), "maintenance"),
    "sweep-shares": ("resources.tasks.sweep_shares", crontab(minute="5", hour="4"), "maintenance"),
}
"""Name: (task path, period in UTC, queue). `manage.py beat` makes one run for each period."""


def set_up_django(**_: Any) -> None:
    """Set Django up before Celery reads its configuration; what is wrong with the settings is told in one line."""
    # The celery command takes BROKER_URL for its own --broker, over the settings; it knows no unix:// URL.
    os.environ.pop("CELERY_BROKER_URL", None)
    with explained():
        if not (apps.ready or apps.loading):
            django.setup()


def tie_to_the_worker(**_: Any) -> None:
    die_with_supervisor()
    beside.allow()


def keep_what_is_loaded(**_: Any) -> None:
    """Let the collector look past what is loaded now, which lives as long as this child: an import paid 9 µs a row."""
    gc.collect()
    gc.freeze()


def begin_with_a_good_connection(sender: Any, **_: Any) -> None:
    """Hang up on a database that has hung up on us, or that was talked to for long enough."""
    # A task that is run at once, by whoever asks, runs in their transaction.
    if not sender.request.is_eager:
        close_old_connections()


def finish_what_was_left_behind(**_: Any) -> None:
    """Let what threads of this child still wait for come to its end: a deploy interrupts no delivery."""
    beside.wait_for_all(seconds=_GRACE_SECONDS)


app.on_configure.connect(set_up_django, weak=False)
signals.worker_process_init.connect(tie_to_the_worker, weak=False)
signals.worker_process_init.connect(keep_what_is_loaded, weak=False)
signals.task_prerun.connect(begin_with_a_good_connection, weak=False)
signals.worker_process_shutdown.connect(finish_what_was_left_behind, weak=False)
