"""Which personal access token started a job."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("core", "0009_redactions")]

    operations = [
        migrations.AddField(
            model_name="job", name="token_id", field=models.UUIDField(blank=True, editable=False, null=True)
        ),
    ]
