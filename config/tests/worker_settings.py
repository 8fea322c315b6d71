"""The settings of a worker that a test starts: those of the tests, on the queues of that test's process."""

import os

from config.settings.test import *  # noqa: F403  # settings are stitched by star imports

QUEUE_PREFIX = os.environ["QUEUE_PREFIX"]
