from accounts.models.roles import Role
from accounts.models.users import User

__all__ = ["Role", "User"]
