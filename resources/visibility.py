"""The three visibilities, and whom each lets read."""

from typing import Final

from django.db import models


class Visibility(models.TextChoices):
    """Who may read a resource without owning it, without a share and without a role for it."""

    PRIVATE = "private", "Private: nobody"
    INTERNAL = "internal", "Internal: anyone signed in"
    PUBLIC = "public", "Public: anyone"


OPEN_TO_ALL: Final = (Visibility.PUBLIC.value,)
OPEN_TO_SIGNED_IN: Final = (Visibility.INTERNAL.value, Visibility.PUBLIC.value)
