from accounts.models.access_reviews import AccessOfUser, AccessReview
from accounts.models.api_tokens import ApiToken
from accounts.models.connections import Connection, SocialFlow
from accounts.models.impersonations import Impersonation
from accounts.models.passkeys import Passkey, PasskeyChallenge
from accounts.models.phone_codes import PhoneCode
from accounts.models.roles import Role
from accounts.models.second_factors import MfaChallenge, RecoveryCode, TotpDevice
from accounts.models.sessions import KnownDevice, Session, SpentRefreshToken
from accounts.models.single_use_tokens import SingleUseToken
from accounts.models.threats import Threat
from accounts.models.throttles import SignInThrottle
from accounts.models.users import User

__all__ = [
    "AccessOfUser",
    "AccessReview",
    "ApiToken",
    "Connection",
    "Impersonation",
    "KnownDevice",
    "MfaChallenge",
    "Passkey",
    "PasskeyChallenge",
    "PhoneCode",
    "RecoveryCode",
    "Role",
    "Session",
    "SignInThrottle",
    "SingleUseToken",
    "SocialFlow",
    "SpentRefreshToken",
    "Threat",
    "TotpDevice",
    "User",
]
