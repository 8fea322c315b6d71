from django.db import migrations, models

import core.models.decoding


class Migration(migrations.Migration):
    dependencies = [
        ("resources", "0024_index_of_who_deleted"),
    ]

    operations = [
        migrations.AlterField(
            model_name="resource",
            name="data",
            field=models.JSONField(blank=True, db_default={}, decoder=core.models.decoding.StoredJSON, default=dict),
        ),
        migrations.AlterField(
            model_name="resourcetype",
            name="schema",
            field=models.JSONField(db_default={}, decoder=core.models.decoding.StoredJSON, default=dict),
        ),
        migrations.AlterField(
            model_name="resourcetypeversion",
            name="schema",
            field=models.JSONField(decoder=core.models.decoding.StoredJSON),
        ),
        migrations.AlterField(
            model_name="resourceversion",
            name="snapshot",
            field=models.JSONField(decoder=core.models.decoding.StoredJSON),
        ),
    ]
