"""The servers of others that accounts talk to."""

from collections.abc import Iterator

from django.db.models import Max

from accounts.models import Connection
from accounts.providers.table import providers
from core.integrations import Integration, host_of, integrations


@integrations
def sign_in_providers() -> Iterator[Integration]:
    """Yield those that people may sign in with."""
    used = dict(Connection.objects.order_by().values_list("provider").annotate(Max("last_used_at")))
    for provider in providers().values():
        yield Integration(
            provider.name,
            "signs people in",
            f"OAUTH_{provider.id.upper().replace('-', '_')}_…",
            host_of(provider.issuer),
            f"oauth:{provider.id}",
            used.get(provider.id),
        )
