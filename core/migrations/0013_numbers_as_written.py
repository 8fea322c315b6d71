import django.core.serializers.json
from django.db import migrations, models

import core.models.decoding


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0012_schedule_results"),
    ]

    operations = [
        migrations.AlterField(
            model_name="job",
            name="checkpoint",
            field=models.JSONField(
                db_default={},
                decoder=core.models.decoding.StoredJSON,
                default=dict,
                encoder=django.core.serializers.json.DjangoJSONEncoder,
            ),
        ),
        migrations.AlterField(
            model_name="job",
            name="parameters",
            field=models.JSONField(
                db_default={},
                decoder=core.models.decoding.StoredJSON,
                default=dict,
                encoder=django.core.serializers.json.DjangoJSONEncoder,
            ),
        ),
    ]
