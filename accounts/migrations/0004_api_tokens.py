"""Personal access tokens."""

import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.lookups
from django.conf import settings
from django.db import migrations, models

import accounts.models.roles
import core.identifiers
import core.models.base
from core.migration_operations import KeepUpdatedAt


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_two_factor_sign_in")]

    operations = [
        migrations.CreateModel(
            name="ApiToken",
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
                ("name", models.CharField(max_length=100)),
                ("token", models.CharField(max_length=64)),
                ("prefix", models.CharField(max_length=12)),
                ("scopes", models.JSONField(default=list)),
                ("has_mfa", models.BooleanField(db_default=False, default=False)),
                ("expires_at", models.DateTimeField()),
                ("last_used_at", models.DateTimeField(blank=True, null=True)),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                ("revoke_reason", models.CharField(blank=True, db_default="", default="", max_length=40)),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="api_tokens",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "API token",
                "db_table": "api_tokens",
                "indexes": [
                    models.Index(fields=["user", "-created_at"], name="idx_api_tokens_user_id"),
                    models.Index(fields=["expires_at"], name="idx_api_tokens_expires_at"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=["token"], name="uq_api_tokens_token"),
                    models.CheckConstraint(
                        condition=django.db.models.lookups.Exact(
                            accounts.models.roles.JsonType("scopes"), models.Value("array")
                        ),
                        name="ck_api_tokens_scopes_array",
                    ),
                ],
            },
        ),
        KeepUpdatedAt("api_tokens"),
    ]
