"""How Django's own machinery (the admin) asks who may what: the role's permissions, nothing else."""

from django.contrib.auth.backends import BaseBackend


class RoleBackend(BaseBackend):
    """Answers Django's permission questions from the user's role."""
