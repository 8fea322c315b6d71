from importlib import import_module

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class NotificationsConfig(AppConfig):
    name = "notifications"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Import what registers itself: our channels, and the kinds of every app."""
        import_module("notifications.channels.email")
        import_module("notifications.channels.sms")
        import_module("notifications.services.pushing")
        autodiscover_modules("kinds")
