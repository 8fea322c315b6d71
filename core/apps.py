from importlib import import_module

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class CoreConfig(AppConfig):
    name = "core"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Import what registers itself: every app's `subscribers` and `live`, and the system checks."""
        autodiscover_modules("subscribers", "live")
        import_module("core.api.checks")
        import_module("core.checks")
