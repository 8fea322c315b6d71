"""The cast and the stage of every test; app tests reach up to other floors only through these fixtures."""

import os

import hypothesis
import pytest

# The same examples in every run, without a deadline: `--hypothesis-profile default` looks for others.
hypothesis.settings.load_profile("ci")

_SETTINGS = "config.settings.test"

# Named here and not in pyproject.toml: the plugin below must see to the servers before anyone reads the settings.
if os.environ.setdefault("DJANGO_SETTINGS_MODULE", _SETTINGS) != _SETTINGS:
    raise pytest.UsageError(f"The tests run on {_SETTINGS}: unset DJANGO_SETTINGS_MODULE.")

pytest_plugins = [
    "config.tests.services",
    "core.tests.platform",
    "core.tests.spine",
    "core.tests.files",
    "core.tests.clamd",
    "config.tests.migrated_rows",
    "config.tests.cast",
    "notifications.tests.smtp",
    "notifications.tests.twilio",
    "notifications.tests.push_services",
    "notifications.tests.receiver",
    "notifications.tests.sns",
]
