"""The roles that every installation starts with."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

ROLES = {
    "user": ("Uses the product; sees and changes what is their own or shared with them.", []),
    "moderator": (
        "Looks after people and content.",
        ["read:user", "write:user", "read:role", "read:resource", "write:resource"],
    ),
    "admin": (
        "Holds everything.",
        [
            "read:user",
            "write:user",
            "delete:user",
            "read:role",
            "read:resource",
            "write:resource",
            "delete:resource",
            "read:audit",
            "send:notification",
            "admin",
        ],
    ),
}


def create_roles(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    roles = apps.get_model("accounts", "Role").objects.using(schema_editor.connection.alias)
    for name, (description, permissions) in ROLES.items():
        roles.get_or_create(name=name, defaults={"description": description, "permissions": permissions})


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_first")]
    operations = [migrations.RunPython(create_roles, migrations.RunPython.noop)]
