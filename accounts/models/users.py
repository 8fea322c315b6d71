"""The user: an e-mail address, a password hash, one role."""

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models

from accounts.models.roles import Role
from core.models import BaseModel, SoftDeleteModel


class User(AbstractBaseUser, BaseModel, SoftDeleteModel):
    """An account; the e-mail address, in lower case, is what it signs in with."""

    email = models.CharField(max_length=255)
    password = models.CharField(max_length=255, db_column="password_hash")
    name = models.CharField(max_length=255)
    role = models.ForeignKey(Role, models.PROTECT, related_name="users", db_index=False)
    is_active = models.BooleanField(default=True, db_default=True)
    email_verified = models.BooleanField(default=False, db_default=False)
    bio = models.CharField(max_length=2000, blank=True, default="", db_default="")
    locale = models.CharField(max_length=35, default="en", db_default="en")
    time_zone = models.CharField(max_length=64, default="UTC", db_default="UTC")

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    class Meta:
        db_table = "users"

    def __str__(self) -> str:
        return self.email
