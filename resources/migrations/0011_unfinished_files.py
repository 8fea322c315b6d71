"""Which versions are not finished, found without looking at the others; when the scanner looked."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("resources", "0010_type_indexes"),
    ]

    operations = [
        migrations.AddField(
            model_name="fileversion",
            name="scanned_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddIndex(
            model_name="fileversion",
            index=models.Index(
                condition=models.Q(("state__in", ["pending", "quarantined"])),
                fields=["created_at"],
                name="idx_file_versions_unfinished",
            ),
        ),
    ]
