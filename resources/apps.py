from importlib import import_module

from django.apps import AppConfig


class ResourcesConfig(AppConfig):
    name = "resources"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Import what registers itself: the types for the OpenAPI document, what empties the bin, sealed values."""
        import_module("resources.api.type_components")
        import_module("resources.services.references")
        import_module("resources.services.rotating")
