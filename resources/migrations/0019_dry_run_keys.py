"""What a dry run of an import has seen, so that it tells of repeats however far apart they stand."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("resources", "0018_many_at_once"),
    ]

    operations = [
        migrations.CreateModel(
            name="DryRunKey",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "job_id", "digest", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("job_id", models.UUIDField()),
                ("digest", models.BinaryField()),
                ("slot", models.BinaryField()),
            ],
            options={
                "db_table": "dry_run_keys",
                "indexes": [models.Index(fields=["job_id", "slot"], name="idx_dry_run_keys_slot")],
            },
        ),
    ]
