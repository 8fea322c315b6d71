"""The Celery application and every schedule."""

import os
from typing import Any

import django
from celery import Celery, signals
from django.apps import apps

from config.startup import explained
from core.embedded.process import die_with_supervisor

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")

app = Celery("nook")
app.set_default()
app.config_from_object("config.broker")
app.autodiscover_tasks()


def set_up_django(**_: Any) -> None:
    """Set Django up before Celery reads its configuration; what is wrong with the settings is told in one line."""
    with explained():
        if not (apps.ready or apps.loading):
            django.setup()


def tie_to_the_worker(**_: Any) -> None:
    die_with_supervisor()


app.on_configure.connect(set_up_django, weak=False)
signals.worker_process_init.connect(tie_to_the_worker, weak=False)
