"""The Celery application and every schedule."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")

app = Celery("nook")
app.set_default()
app.config_from_object("config.broker")
app.autodiscover_tasks()
