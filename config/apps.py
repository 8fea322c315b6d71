"""Django's admin, on our site."""

from django.contrib.admin.apps import AdminConfig


class StaffAdminConfig(AdminConfig):
    """Registers every app's pages on `config.admin.NookAdminSite`."""

    default_site = "config.admin.NookAdminSite"
