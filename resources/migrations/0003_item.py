"""The type that is always there: `item`, any JSON object, no workflow."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def add_item(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("resources", "ResourceType").objects.get_or_create(
        key="item",
        defaults={"name": "Item", "description": "Any JSON object.", "schema": {"type": "object"}},
    )


def remove_item(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("resources", "ResourceType").objects.filter(key="item").delete()


class Migration(migrations.Migration):
    dependencies = [("resources", "0002_functions_and_triggers")]

    operations = [migrations.RunPython(add_item, remove_item)]
