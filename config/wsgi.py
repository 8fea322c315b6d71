"""The WSGI application: the API, the admin and the pages."""

import gc
import os

from django.core.wsgi import get_wsgi_application

from config.startup import explained
from core.embedded.process import die_with_supervisor

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")
die_with_supervisor()

# gunicorn starts a worker that ended with any other code again, for ever.
with explained(exit_code=3):
    application = get_wsgi_application()

# What is loaded now lives as long as the process: the collector need not look at it again.
gc.collect()
gc.freeze()
