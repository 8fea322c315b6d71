"""Migration operations that every app uses."""

from django.db import migrations


class KeepUpdatedAt(migrations.RunSQL):
    """Give `table` the trigger that sets `updated_at` on every UPDATE, raw SQL included."""

    def __init__(self, table: str) -> None:
        self.table = table
        super().__init__(
            sql=(
                f'CREATE TRIGGER keep_updated_at BEFORE UPDATE ON "{table}" '
                "FOR EACH ROW EXECUTE FUNCTION nook_keep_updated_at()"
            ),
            reverse_sql=f'DROP TRIGGER keep_updated_at ON "{table}"',
        )

    def deconstruct(self) -> tuple[str, list[str], dict[str, object]]:
        return (type(self).__name__, [self.table], {})
