from importlib import import_module

from django.apps import AppConfig

from accounts.providers.table import providers
from accounts.signing_keys import active_key

SECOND_FACTORS = ("accounts.services.totp", "accounts.services.recovery_codes", "accounts.services.passkey_sign_in")


class AccountsConfig(AppConfig):
    name = "accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Read key ring and providers now: a wrong setting is one line at the start and not a fault at a sign-in.

        The second factors register themselves, in the order in which people are offered them.
        """
        active_key()
        providers()
        for module in SECOND_FACTORS:
            import_module(module)
        import_module("accounts.services.standing")
        import_module("accounts.checks")
