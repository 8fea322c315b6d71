"""The user: an e-mail address, a password hash, one role."""

from datetime import timedelta
from typing import ClassVar, Final, Self
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_backends
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import F
from django.db.models.functions import Coalesce, Lower, Now, Upper

from accounts.models.roles import DefaultRole, Role
from core.models import BaseModel, SoftDeleteModel, SoftDeleteQuerySet
from core.permissions import ADMIN, Caller

READ: Final = "read:user"
"""Who holds this may open the Django admin; what they see there their role decides."""


def normalised_email(address: str) -> str:
    """Return the form in which an address is stored and compared."""
    return address.strip().lower()


LEGACY_HASH: Final = ~models.Q(("password__startswith", "bcrypt_sha256$")) & ~models.Q(("password__startswith", "!"))
"""Hashes that a sign-in replaces: those of other algorithms, from an import."""


NEVER_SET_UP: Final = models.Q(("password__startswith", "!"), ("last_login_at", None))
"""Accounts that staff made and whose owners have set no password yet, nor come in by another way."""


class UserQuerySet(SoftDeleteQuerySet["User"]):
    """Reads by state."""

    def locked(self) -> Self:
        """Return the users with their roles, locked for a write; rows that merely refer to them stay free."""
        return self.select_for_update(of=("self",), no_key=True).select_related("role")

    def move_to_bin(self, *, operation: UUID, by: UUID | None) -> int:
        """Mark the live users of this set as deleted, and say when they will be erased; return how many."""
        grace = timedelta(days=settings.ACCOUNT_GRACE_DAYS)
        return self.alive().update(deleted_at=Now(), deleted_by_id=by, delete_op=operation, erase_at=Now() + grace)

    def to_be_erased(self) -> Self:
        """Return the deleted users whose time of grace is over."""
        bin_end = F("deleted_at") + timedelta(days=settings.ACCOUNT_GRACE_DAYS)
        return self.dead().filter(anonymised_at=None).alias(due=Coalesce("erase_at", bin_end)).filter(due__lte=Now())

    def able_to_sign_in(self) -> Self:
        """Return those who may open a session: not deleted, not disabled, with a proved address where that counts."""
        able = self.alive().filter(is_active=True)
        return able.filter(email_verified=True) if settings.EMAIL_VERIFICATION_REQUIRED else able

    def visible_to(self, caller: Caller) -> Self:
        """Return the users that `caller` may see in full: everyone with `read:user`, else themself."""
        return self if caller.holds(READ) else self.filter(pk=caller.id)

    def matching(self, text: str) -> Self:
        """Return the users whose address or name contains `text`."""
        return self.filter(models.Q(email__icontains=text) | models.Q(name__icontains=text))


_UserManager = models.Manager.from_queryset(UserQuerySet)


class UserManager(_UserManager["User"]):
    """All users, those in the bin too."""

    def get_by_natural_key(self, email: str) -> "User":
        """Return the live user with this address; Django's own commands look users up this way."""
        return self.alive().get(email=normalised_email(email))


class LiveUserManager(UserManager):
    """The users that are not in the bin."""

    def get_queryset(self) -> UserQuerySet:
        return UserQuerySet(self.model, using=self._db).alive()


class User(AbstractBaseUser, BaseModel, SoftDeleteModel):
    """An account; the e-mail address, in lower case, is what it signs in with."""

    email = models.CharField(max_length=255)
    password = models.CharField(max_length=255, db_column="password_hash")
    name = models.CharField(max_length=255)
    role = models.ForeignKey(Role, models.PROTECT, related_name="users", db_index=False, db_default=DefaultRole())
    is_active = models.BooleanField(default=True, db_default=True)
    email_verified = models.BooleanField(default=False, db_default=False)
    mfa_enabled = models.BooleanField(default=False, db_default=False, editable=False)
    """Whether a second step follows the password: kept by triggers on the tables of the methods."""
    bio = models.CharField(max_length=2000, blank=True, default="", db_default="")
    locale = models.CharField(max_length=35, default="en", db_default="en")
    time_zone = models.CharField(max_length=64, default="UTC", db_default="UTC")
    phone = models.CharField(max_length=16, null=True, blank=True, editable=False)
    phone_verified = models.BooleanField(default=False, db_default=False, editable=False)
    avatar = models.CharField(max_length=40, null=True, blank=True, editable=False)
    last_login = None
    last_login_at = models.DateTimeField(null=True, blank=True, editable=False)
    version = models.PositiveIntegerField(default=1, db_default=1, editable=False)
    erase_at = models.DateTimeField(null=True, blank=True, editable=False)
    """When a deleted account is erased; until then it can come back."""
    anonymised_at = models.DateTimeField(null=True, blank=True, editable=False)

    leaves_the_bin_by_purge = False

    impersonated_by: UUID | None = None
    """The administrator who acts as this user in the request at hand; no column."""

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    objects: ClassVar[LiveUserManager] = LiveUserManager()
    all_objects: ClassVar[UserManager] = UserManager()

    class Meta:
        db_table = "users"
        constraints = [
            models.UniqueConstraint(
                fields=["email"], condition=models.Q(deleted_at__isnull=True), name="idx_users_email"
            ),
            models.CheckConstraint(name="ck_users_email_lower", condition=models.Q(email=Lower("email"))),
            models.CheckConstraint(
                name="ck_users_phone", condition=models.Q(phone__regex=r"^\+[1-9][0-9]{6,14}$") | models.Q(phone=None)
            ),
            models.CheckConstraint(
                name="ck_users_phone_verified", condition=models.Q(phone_verified=False) | models.Q(phone__isnull=False)
            ),
            models.CheckConstraint(
                name="ck_users_erased_stay_deleted",
                condition=models.Q(anonymised_at__isnull=True) | models.Q(deleted_at__isnull=False),
            ),
        ]
        indexes = [
            GinIndex(
                OpClass(Upper("email"), name="gin_trgm_ops"),
                OpClass(Upper("name"), name="gin_trgm_ops"),
                name="idx_users_search",
            ),
            models.Index(fields=["role"], name="idx_users_role_id"),
            models.Index(fields=["-created_at", "-id"], name="idx_users_created_at"),
            models.Index(fields=["avatar"], name="idx_users_avatar", condition=models.Q(avatar__isnull=False)),
            models.Index(
                fields=["password"],
                opclasses=["varchar_pattern_ops"],
                name="idx_users_legacy_hash",
                condition=LEGACY_HASH,
            ),
        ]

    def __str__(self) -> str:
        return self.email

    def get_full_name(self) -> str:
        """Return the name, under which Django's admin greets people."""
        return self.name

    @property
    def role_name(self) -> str:
        return self.role.name

    @property
    def permission_set(self) -> frozenset[str]:
        return self.role.permission_set

    @property
    def is_staff(self) -> bool:
        """Return whether the Django admin opens for this user."""
        return bool(self.permission_set & {ADMIN, READ})

    @property
    def is_superuser(self) -> bool:
        return ADMIN in self.permission_set

    def has_perm(self, permission: str, obj: models.Model | None = None) -> bool:
        """Return whether one of Django's permissions (`accounts.view_user`) follows from the role."""
        return self.is_active and any(backend.has_perm(self, permission, obj) for backend in get_backends())

    def has_perms(self, permissions: list[str], obj: models.Model | None = None) -> bool:
        return all(self.has_perm(permission, obj) for permission in permissions)

    def has_module_perms(self, app_label: str) -> bool:
        """Return whether anything of `app_label` is for this user."""
        return self.is_active and (self.is_superuser or self._sees_something_of(app_label))

    def _sees_something_of(self, app_label: str) -> bool:
        names = {name for backend in get_backends() for name in backend.get_all_permissions(self)}
        return any(name.partition(".")[0] == app_label for name in names)
