"""The WSGI application: the API, the admin and the pages."""

import gc
import os

from django.core.cache import close_caches
from django.core.handlers.base import reset_urlconf
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, reset_queries

from config.requests import WebRequest
from config.startup import explained
from core.embedded.process import die_with_supervisor

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")
die_with_supervisor()

# gunicorn starts a worker that ended with any other code again, for ever.
with explained(exit_code=3):
    application = get_wsgi_application()
    application.request_class = WebRequest

# A seventh of a small answer went into these: query logs exist only under DEBUG, old connections are seen to at the
# end of the request before, our cache keeps its connections, and each request begins with the one tree of routes.
request_started.disconnect(reset_queries)
request_started.disconnect(close_old_connections)
request_finished.disconnect(close_caches)
request_finished.disconnect(reset_urlconf)

# What is loaded now lives as long as the process: the collector need not look at it again.
gc.collect()
gc.freeze()
