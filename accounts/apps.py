from django.apps import AppConfig

from accounts.signing_keys import active_key


class AccountsConfig(AppConfig):
    name = "accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Read the key ring now, so that a wrong JWT_KEYS is one line at the start and not a fault at a sign-in."""
        active_key()
