"""The pytest plugin that gives the suite its servers: the URLs that are given, else embedded ones.

Loaded with `-p` before pytest-django reads the settings.
"""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
