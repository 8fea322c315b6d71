"""How users, roles and sessions look from outside: each a dictionary, and the serializer that documents it."""

from typing import Any
from uuid import UUID

from rest_framework import serializers

from accounts.avatars import avatar_url, avatar_urls
from accounts.models import Role, Session, User
from core.permissions import ADMIN, PERMISSIONS

USER_EXAMPLE = {
    "id": "01a1fbd6-0ada-777c-a2f4-7a27d1610d76",
    "email": "olive@example.com",
    "name": "Olive Owner",
    "role": "user",
    "is_active": True,
    "email_verified": True,
    "avatar": "https://nook.example/avatars/5e0c1b9f4a7d3e2c8b6a1f0d9e8c7b6a5f4e3d2c-192.webp",
    "locale": "en",
    "time_zone": "Europe/Vienna",
    "mfa_enabled": False,
    "last_login_at": "2026-11-21T09:30:00.000000Z",
    "created_at": "2026-11-20T08:00:00.000000Z",
    "updated_at": "2026-11-21T09:30:00.000000Z",
}
PROFILE_EXAMPLE = {
    "id": "01a1fbd6-0ada-777c-a2f4-7a27d1610d76",
    "email": "olive@example.com",
    "name": "Olive Owner",
    "bio": "",
    "locale": "en",
    "time_zone": "Europe/Vienna",
    "phone": "+436641234567",
    "phone_verified": True,
    "avatar": "https://nook.example/avatars/5e0c1b9f4a7d3e2c8b6a1f0d9e8c7b6a5f4e3d2c-192.webp",
    "avatar_sizes": {
        "64": "https://nook.example/avatars/5e0c1b9f4a7d3e2c8b6a1f0d9e8c7b6a5f4e3d2c-64.webp",
        "192": "https://nook.example/avatars/5e0c1b9f4a7d3e2c8b6a1f0d9e8c7b6a5f4e3d2c-192.webp",
        "512": "https://nook.example/avatars/5e0c1b9f4a7d3e2c8b6a1f0d9e8c7b6a5f4e3d2c-512.webp",
    },
    "created_at": "2026-11-20T08:00:00.000000Z",
    "updated_at": "2026-11-21T09:30:00.000000Z",
}
ROLE_EXAMPLE = {
    "id": 4,
    "name": "editor",
    "description": "Writes everywhere.",
    "permissions": ["read:resource", "write:resource"],
    "require_mfa": False,
    "created_at": "2026-11-20T08:00:00.000000Z",
    "updated_at": "2026-11-20T08:00:00.000000Z",
}
SESSION_EXAMPLE = {
    "id": "01a1fbd6-1f3e-7c22-9d0a-52d3a8f0c1b7",
    "created_at": "2026-11-21T09:30:00.000000Z",
    "last_seen_at": "2026-11-21T09:45:00.000000Z",
    "expires_at": "2026-12-21T09:45:00.000000Z",
    "ip": "203.0.113.7",
    "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "device": "Firefox on Linux",
    "current": True,
}


class PublicUserShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    avatar = serializers.CharField(allow_null=True)


class UserShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    email = serializers.EmailField()
    name = serializers.CharField()
    role = serializers.CharField()
    is_active = serializers.BooleanField()
    email_verified = serializers.BooleanField()
    avatar = serializers.CharField(allow_null=True)
    locale = serializers.CharField()
    time_zone = serializers.CharField()
    mfa_enabled = serializers.BooleanField()
    last_login_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class MeShape(UserShape):
    permissions = serializers.ListField(child=serializers.CharField())


class SomeUserShape(serializers.Serializer[Any]):
    """The whole user to oneself and to callers with `read:user`; id, name and avatar to everyone else."""

    id = serializers.UUIDField()
    email = serializers.EmailField(required=False)
    name = serializers.CharField()
    role = serializers.CharField(required=False)
    is_active = serializers.BooleanField(required=False)
    email_verified = serializers.BooleanField(required=False)
    avatar = serializers.CharField(allow_null=True)
    locale = serializers.CharField(required=False)
    time_zone = serializers.CharField(required=False)
    mfa_enabled = serializers.BooleanField(required=False)
    last_login_at = serializers.DateTimeField(allow_null=True, required=False)
    created_at = serializers.DateTimeField(required=False)
    updated_at = serializers.DateTimeField(required=False)


class ProfileShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    email = serializers.EmailField()
    name = serializers.CharField()
    bio = serializers.CharField(allow_blank=True)
    locale = serializers.CharField()
    time_zone = serializers.CharField()
    phone = serializers.CharField(allow_null=True)
    phone_verified = serializers.BooleanField()
    avatar = serializers.CharField(allow_null=True)
    avatar_sizes = serializers.DictField(
        child=serializers.CharField(), allow_null=True, help_text="Addresses by the length of an edge in pixels."
    )
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class RoleShape(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    permissions = serializers.ListField(child=serializers.CharField())
    require_mfa = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class SessionShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    created_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    ip = serializers.IPAddressField(allow_null=True)
    user_agent = serializers.CharField(allow_blank=True)
    device = serializers.CharField(allow_blank=True)
    current = serializers.BooleanField()


class PermissionShape(serializers.Serializer[Any]):
    name = serializers.CharField()
    description = serializers.CharField()


def public_user_shape(user: User) -> dict[str, Any]:
    """Return what anyone signed in may see of a user."""
    return {"id": user.pk, "name": user.name, "avatar": avatar_url(user.avatar)}


def user_shape(user: User) -> dict[str, Any]:
    """Return what staff and the user themself see."""
    return {
        "id": user.pk,
        "email": user.email,
        "name": user.name,
        "role": user.role_name,
        "is_active": user.is_active,
        "email_verified": user.email_verified,
        "avatar": avatar_url(user.avatar),
        "locale": user.locale,
        "time_zone": user.time_zone,
        "mfa_enabled": user.mfa_enabled,
        "last_login_at": user.last_login_at,
        "created_at": user.created_at,
        "updated_at": user.updated_at,
    }


def me_shape(user: User, permissions: frozenset[str]) -> dict[str, Any]:
    """Return the user with everything that they hold as they come; `admin` is spelled out."""
    held = PERMISSIONS if ADMIN in permissions else permissions
    return {**user_shape(user), "permissions": sorted(held)}


def profile_shape(user: User) -> dict[str, Any]:
    return {
        "id": user.pk,
        "email": user.email,
        "name": user.name,
        "bio": user.bio,
        "locale": user.locale,
        "time_zone": user.time_zone,
        "phone": user.phone,
        "phone_verified": user.phone_verified,
        "avatar": avatar_url(user.avatar),
        "avatar_sizes": avatar_urls(user.avatar),
        "created_at": user.created_at,
        "updated_at": user.updated_at,
    }


def role_shape(role: Role) -> dict[str, Any]:
    return {
        "id": role.pk,
        "name": role.name,
        "description": role.description,
        "permissions": role.permissions,
        "require_mfa": role.require_mfa,
        "created_at": role.created_at,
        "updated_at": role.updated_at,
    }


def session_shape(session: Session, *, current: UUID | None) -> dict[str, Any]:
    return {
        "id": session.pk,
        "created_at": session.created_at,
        "last_seen_at": session.last_seen_at,
        "expires_at": session.expires_at,
        "ip": session.ip,
        "user_agent": session.user_agent,
        "device": session.device,
        "current": session.pk == current,
    }
