"""The type that is always there: `item`, any JSON object, no workflow."""

from typing import Any

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def rows_of(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> Any:
    """Return the types of the database that is migrated, which need not be the default one."""
    return apps.get_model("resources", "ResourceType").objects.using(schema_editor.connection.alias)


def add_item(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    rows_of(apps, schema_editor).get_or_create(
        key="item",
        defaults={"name": "Item", "description": "Any JSON object.", "schema": {"type": "object"}},
    )


def remove_item(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    rows_of(apps, schema_editor).filter(key="item").delete()


class Migration(migrations.Migration):
    dependencies = [("resources", "0002_functions_and_triggers")]

    operations = [migrations.RunPython(add_item, remove_item)]
