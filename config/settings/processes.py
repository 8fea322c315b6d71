"""The processes that `manage.py up` runs, and where they listen."""

import os

from config import env

NOOK_HOST = env.text("NOOK_HOST", "127.0.0.1", help="Address that `manage.py up` listens at.")
NOOK_PORT = env.integer("NOOK_PORT", 8000, help="Port of the web server.", minimum=1, maximum=65534)
NOOK_LIVE_PORT = env.integer(
    "NOOK_LIVE_PORT", 0, help="Port of the live server; 0: the one after NOOK_PORT.", minimum=0, maximum=65535
)
NOOK_LIVE_PORT = NOOK_LIVE_PORT or NOOK_PORT + 1
NOOK_WORKERS = env.integer("NOOK_WORKERS", 0, help="How many web processes; 0: one per core.", minimum=0, maximum=512)
NOOK_WEB_SERVER = env.choice("NOOK_WEB_SERVER", "granian", ("granian", "gunicorn"), help="The WSGI server.")
NOOK_DEMO = env.boolean("NOOK_DEMO", False, help="Whether the first start of `manage.py up` makes demo data.")
LIVE_MAX_STREAMS = env.integer(
    "LIVE_MAX_STREAMS", 200, help="How many live connections a process of the live server holds.", minimum=1
)
LIVE_RETRY_MILLISECONDS = env.integer(
    "LIVE_RETRY_MILLISECONDS", 2000, help="After this long a client of the event stream comes back.", minimum=100
)
DEMO_DATA_ALLOWED = False

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
WEB_PROCESSES = NOOK_WORKERS or CORES
