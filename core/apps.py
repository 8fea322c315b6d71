from importlib import import_module

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class CoreConfig(AppConfig):
    name = "core"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Import what registers itself, in every app and here; the checks."""
        autodiscover_modules(
            "subscribers", "live", "personal_data", "jobs", "access_columns", "configuration", "gauges"
        )
        import_module("core.own_personal_data")
        import_module("core.live.jobs")
        import_module("core.api.checks")
        import_module("core.checks")
