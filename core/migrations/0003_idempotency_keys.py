"""The kept answers of requests with an Idempotency-Key."""

import django.db.models.functions.datetime
from django.db import migrations, models

import core.crypto.fields
import core.identifiers
import core.models.base
from core.migration_operations import KeepUpdatedAt


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0002_spine"),
    ]

    operations = [
        migrations.CreateModel(
            name="IdempotencyKey",
            fields=[
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                (
                    "updated_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                (
                    "id",
                    models.UUIDField(
                        db_default=core.models.base.DatabaseUuid7(),
                        default=core.identifiers.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("owner", models.CharField(max_length=80)),
                ("key", models.CharField(max_length=128)),
                ("fingerprint", models.BinaryField(max_length=32)),
                ("answer", core.crypto.fields.EncryptedJSONField(null=True)),
                ("expires_at", models.DateTimeField()),
            ],
            options={
                "db_table": "idempotency_keys",
                "indexes": [models.Index(fields=["expires_at"], name="idx_idempotency_keys_expires")],
                "constraints": [models.UniqueConstraint(fields=("owner", "key"), name="uq_idempotency_keys_owner_key")],
            },
        ),
        KeepUpdatedAt("idempotency_keys"),
    ]
