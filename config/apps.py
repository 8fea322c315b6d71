"""Django's admin, on our site."""

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.apps import AdminConfig


class StaffAdminConfig(AdminConfig):
    """Registers every app's pages on `config.admin.NookAdminSite`."""

    default_site = "config.admin.NookAdminSite"

    def ready(self) -> None:
        """Find the pages, and leave out Django's groups: what somebody may do follows from their one role."""
        super().ready()
        admin.site.unregister(apps.get_model("auth.Group"))
