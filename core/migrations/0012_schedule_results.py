"""What a scheduled task had to say stands beside its run."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("core", "0011_acts_on_behalf")]

    operations = [
        migrations.AddField("schedulerun", "result", models.TextField(blank=True, db_default="", default="")),
    ]
