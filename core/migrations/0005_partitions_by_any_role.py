"""Let a role that does not own the log make its coming months, and nothing else of it."""

from django.db import migrations

# The path is fixed, as it must be for a function that runs with its owner's rights.
AS_OWNER = """
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION nook_make_events_partition(date) SECURITY DEFINER SET search_path = %I, pg_temp',
                   current_schema());
END
$$
"""


class Migration(migrations.Migration):
    dependencies = [("core", "0004_schedules_and_seals")]
    operations = [
        migrations.RunSQL(
            AS_OWNER, "ALTER FUNCTION nook_make_events_partition(date) SECURITY INVOKER RESET search_path"
        ),
    ]
