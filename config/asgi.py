"""The ASGI application: the live stream, and nothing that the web processes answer faster."""

import gc
import os
from typing import Any

import django
from django.core.handlers.asgi import ASGIHandler

from config.requests import LiveRequest
from config.startup import explained
from core.embedded.process import die_with_supervisor

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")
die_with_supervisor()


class LiveHandler(ASGIHandler):
    """Django's handler over the few routes of `config.live_urls`."""

    request_class = LiveRequest

    def create_request(self, scope: Any, body_file: Any) -> Any:
        request, refusal = super().create_request(scope, body_file)
        if request is not None:
            request.urlconf = "config.live_urls"
        return request, refusal


with explained(exit_code=3):
    django.setup(set_prefix=False)
    application = LiveHandler()

gc.collect()
gc.freeze()
