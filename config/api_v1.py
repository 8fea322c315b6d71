"""Every route of the REST API, version 1."""

from django.urls import URLPattern, URLResolver, path

from accounts.api.activity import Activity
from accounts.api.api_tokens import ApiTokens, OneApiToken
from accounts.api.avatar import Avatar
from accounts.api.export import ProfileExport
from accounts.api.gateway import Verify
from accounts.api.mfa import AuthenticatorApp, ConfirmAuthenticatorApp, RecoveryCodes, SecondFactors, VerifySecondFactor
from accounts.api.passkeys import OnePasskey, PasskeyLogin, PasskeyLoginOptions, PasskeyOptions, Passkeys
from accounts.api.passwords import ChangeEmail, ChangePassword, ForgotPassword, ResetPassword
from accounts.api.phone import ConfirmPhone, ResendPhoneCode
from accounts.api.profile import Profile, RestoreAccount
from accounts.api.registration import Register, ResendVerification, VerifyEmail
from accounts.api.roles import OneRole, Permissions, Roles
from accounts.api.sessions import (
    Login,
    Logout,
    LogoutAll,
    OneSession,
    Reauthenticate,
    ReauthenticateOptions,
    RefreshToken,
    Sessions,
)
from accounts.api.social import Authorize, Connections, OAuthCallback, OneConnection, Providers
from accounts.api.users import Me, OneUser, RestoreUser, Users
from core.api.audit import Audit
from core.api.documentation import DocumentationPage, SchemaDocument
from core.api.jobs import JobCancellation, Jobs, OneJob
from core.api.live import EventStream
from notifications.api import devices, inbox, webhooks
from notifications.api.inbound import InboundWebhooks
from notifications.api.preferences import Preferences
from notifications.api.sending import SendNotification
from notifications.api.unsubscribing import Unsubscribe
from resources.api import bulk, files, owning, pictures, transitions, uploads, versions
from resources.api import views as resources
from resources.api.aggregate import Aggregate
from resources.api.comments import Comments, OneComment
from resources.api.events import ResourceEvents
from resources.api.exports import Exports
from resources.api.imports import Imports
from resources.api.reasons import ResourceAccess
from resources.api.reports import Reports
from resources.api.saved_views import OneSavedView, SavedViews
from resources.api.shared import Shared
from resources.api.shares import OneShare, Shares
from resources.api.tags import Tags
from resources.api.types import OneResourceType, ResourceTypes, ResourceTypeVersions
from resources.api.watching import Watching

urlpatterns: list[URLPattern | URLResolver] = [
    # Resources (first, because routes are tried in order and these are asked for most)
    path("resources", resources.ResourceList.as_view(), name="resources"),
    path("resources/<uuid:resource_id>", resources.ResourceDetail.as_view(), name="resource"),
    path("resources/aggregate", Aggregate.as_view(), name="resources-aggregate"),
    path("resources/trash", resources.Trash.as_view(), name="resources-trash"),
    path("resources/bulk", bulk.Bulk.as_view(), name="resources-bulk"),
    path("resources/<uuid:resource_id>/restore", resources.Restoration.as_view(), name="resource-restore"),
    path("resources/<uuid:resource_id>/shares", Shares.as_view(), name="resource-shares"),
    path("resources/<uuid:resource_id>/shares/<uuid:share_id>", OneShare.as_view(), name="resource-share"),
    path("resources/<uuid:resource_id>/access", ResourceAccess.as_view(), name="resource-access"),
    path("shared/<slug:token>", Shared.as_view(), name="shared"),
    path("resources/<uuid:resource_id>/versions", resources.VersionList.as_view(), name="resource-versions"),
    path(
        "resources/<uuid:resource_id>/versions/<int:number>", resources.VersionDetail.as_view(), name="resource-version"
    ),
    path("resources/<uuid:resource_id>/versions/<int:a>/diff/<int:b>", versions.Diff.as_view(), name="resource-diff"),
    path(
        "resources/by-external/<slug:type>/<path:external_id>",
        owning.ResourceByExternalId.as_view(),
        name="resource-by-external-id",
    ),
    path("resources/<uuid:resource_id>/transfer", owning.Transfer.as_view(), name="resource-transfer"),
    path("resources/<uuid:resource_id>/revert", versions.Reversion.as_view(), name="resource-reversion"),
    path("resources/<uuid:resource_id>/transitions", transitions.Transitions.as_view(), name="resource-transitions"),
    path(
        "resources/<uuid:resource_id>/transitions/<slug:name>",
        transitions.OneTransition.as_view(),
        name="resource-transition",
    ),
    path("resources/<uuid:resource_id>/comments", Comments.as_view(), name="comments"),
    path("resources/<uuid:resource_id>/comments/<uuid:comment_id>", OneComment.as_view(), name="comment"),
    path("resources/<uuid:resource_id>/events", ResourceEvents.as_view(), name="resource-events"),
    path("resources/<uuid:resource_id>/watch", Watching.as_view(), name="resource-watch"),
    path("tags", Tags.as_view(), name="tags"),
    path("saved-views", SavedViews.as_view(), name="saved-views"),
    path("saved-views/<uuid:view_id>", OneSavedView.as_view(), name="saved-view"),
    path("resource-types", ResourceTypes.as_view(), name="resource-types"),
    path("resource-types/<slug:key>", OneResourceType.as_view(), name="resource-type"),
    path("resource-types/<slug:key>/versions", ResourceTypeVersions.as_view(), name="resource-type-versions"),
    # Files
    path("files", files.Files.as_view(), name="files"),
    path("files/presign", uploads.PresignedFiles.as_view(), name="presigned-files"),
    path("files/<uuid:file_id>", files.OneFile.as_view(), name="file"),
    path("files/<uuid:file_id>/content", files.FileContent.as_view(), name="file-content"),
    path("files/<uuid:file_id>/complete", uploads.FileCompletion.as_view(), name="file-completion"),
    path("files/<uuid:file_id>/image", pictures.FileImage.as_view(), name="file-image"),
    path("files/<uuid:file_id>/versions/presign", uploads.PresignedVersions.as_view(), name="presigned-versions"),
    path("files/<uuid:file_id>/versions", files.FileVersions.as_view(), name="file-versions"),
    path("resources/<uuid:resource_id>/files", files.ResourceFiles.as_view(), name="resource-files"),
    path("resources/<uuid:resource_id>/files/<uuid:file_id>", files.OneResourceFile.as_view(), name="resource-file"),
    # Imports and exports
    path("imports", Imports.as_view(), name="imports"),
    path("exports", Exports.as_view(), name="exports"),
    path("reports", Reports.as_view(), name="reports"),
    # Events
    path("audit", Audit.as_view(), name="audit"),
    path("events/stream", EventStream.as_view(), name="event-stream"),
    # Jobs
    path("jobs", Jobs.as_view(), name="jobs"),
    path("jobs/<uuid:job_id>", OneJob.as_view(), name="job"),
    path("jobs/<uuid:job_id>/cancel", JobCancellation.as_view(), name="job-cancellation"),
    # Notifications
    path("notifications", inbox.Notifications.as_view(), name="notifications"),
    path("notifications/unread-count", inbox.UnreadCount.as_view(), name="notifications-unread-count"),
    path("notifications/preferences", Preferences.as_view(), name="notification-preferences"),
    path("notifications/send", SendNotification.as_view(), name="notifications-send"),
    path("unsubscribe/<str:subscription>", Unsubscribe.as_view(), name="unsubscribe"),
    path("notifications/read-all", inbox.AllRead.as_view(), name="notifications-read-all"),
    path("notifications/<uuid:notification_id>", inbox.OneNotification.as_view(), name="notification"),
    path("notifications/<uuid:notification_id>/read", inbox.ReadMark.as_view(), name="notification-read"),
    path("notifications/<uuid:notification_id>/unread", inbox.UnreadMark.as_view(), name="notification-unread"),
    path("notifications/<uuid:notification_id>/deliveries", inbox.Deliveries.as_view(), name="notification-deliveries"),
    # Devices
    path("devices", devices.Devices.as_view(), name="devices"),
    path("devices/web-push-key", devices.WebPushKey.as_view(), name="web-push-key"),
    path("devices/<uuid:device_id>", devices.OneDevice.as_view(), name="device"),
    # Webhooks
    path("webhooks/in/<slug:source>", InboundWebhooks.as_view(), name="inbound-webhooks"),
    path("webhooks", webhooks.Webhooks.as_view(), name="webhooks"),
    path("webhooks/<uuid:webhook_id>", webhooks.OneWebhook.as_view(), name="webhook"),
    path("webhooks/<uuid:webhook_id>/rotate-secret", webhooks.WebhookSecret.as_view(), name="webhook-secret"),
    path("webhooks/<uuid:webhook_id>/test", webhooks.WebhookTest.as_view(), name="webhook-test"),
    path("webhooks/<uuid:webhook_id>/deliveries", webhooks.WebhookDeliveries.as_view(), name="webhook-deliveries"),
    path(
        "webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>/redeliver",
        webhooks.Redelivery.as_view(),
        name="webhook-redelivery",
    ),
    # Documentation
    path("schema", SchemaDocument.as_view(), name="schema"),
    path("docs", DocumentationPage.as_view(), name="docs"),
    # Accounts: becoming a user
    path("auth/register", Register.as_view(), name="register"),
    path("auth/verify-email", VerifyEmail.as_view(), name="verify-email"),
    path("auth/resend-verification", ResendVerification.as_view(), name="resend-verification"),
    # Accounts: signing in and out
    path("auth/login", Login.as_view(), name="login"),
    path("auth/refresh-token", RefreshToken.as_view(), name="refresh-token"),
    path("auth/logout", Logout.as_view(), name="logout"),
    path("auth/logout-all", LogoutAll.as_view(), name="logout-all"),
    path("auth/reauthenticate", Reauthenticate.as_view(), name="reauthenticate"),
    path("auth/reauthenticate/options", ReauthenticateOptions.as_view(), name="reauthenticate-options"),
    path("auth/mfa", SecondFactors.as_view(), name="mfa"),
    path("auth/mfa/totp", AuthenticatorApp.as_view(), name="mfa-totp"),
    path("auth/mfa/totp/confirm", ConfirmAuthenticatorApp.as_view(), name="mfa-totp-confirm"),
    path("auth/mfa/recovery-codes", RecoveryCodes.as_view(), name="mfa-recovery-codes"),
    path("auth/mfa/verify", VerifySecondFactor.as_view(), name="mfa-verify"),
    path("auth/verify", Verify.as_view(), name="verify"),
    path("auth/sessions", Sessions.as_view(), name="sessions"),
    path("auth/sessions/<uuid:session_id>", OneSession.as_view(), name="session"),
    path("auth/api-tokens", ApiTokens.as_view(), name="api-tokens"),
    path("auth/api-tokens/<uuid:token_id>", OneApiToken.as_view(), name="api-token"),
    # Accounts: signing in with a provider
    path("auth/oauth/providers", Providers.as_view(), name="oauth-providers"),
    path("auth/oauth/connections", Connections.as_view(), name="oauth-connections"),
    path("auth/oauth/connections/<uuid:connection_id>", OneConnection.as_view(), name="oauth-connection"),
    path("auth/oauth/<slug:provider>/authorize", Authorize.as_view(), name="oauth-authorize"),
    path("auth/oauth/<slug:provider>/callback", OAuthCallback.as_view(), name="oauth-callback"),
    # Accounts: passkeys
    path("auth/passkeys/login/options", PasskeyLoginOptions.as_view(), name="passkey-login-options"),
    path("auth/passkeys/login", PasskeyLogin.as_view(), name="passkey-login"),
    path("auth/mfa/passkeys/options", PasskeyOptions.as_view(), name="passkey-options"),
    path("auth/mfa/passkeys", Passkeys.as_view(), name="passkeys"),
    path("auth/mfa/passkeys/<uuid:passkey_id>", OnePasskey.as_view(), name="passkey"),
    # Accounts: password and address
    path("auth/forgot-password", ForgotPassword.as_view(), name="forgot-password"),
    path("auth/reset-password", ResetPassword.as_view(), name="reset-password"),
    path("auth/change-password", ChangePassword.as_view(), name="change-password"),
    path("auth/restore-account", RestoreAccount.as_view(), name="restore-account"),
    path("auth/change-email", ChangeEmail.as_view(), name="change-email"),
    # Accounts: users, roles, profile
    path("users", Users.as_view(), name="users"),
    path("users/me", Me.as_view(), name="me"),
    path("users/me/activity", Activity.as_view(), name="activity"),
    path("users/<uuid:user_id>", OneUser.as_view(), name="user"),
    path("users/<uuid:user_id>/restore", RestoreUser.as_view(), name="restore-user"),
    path("roles", Roles.as_view(), name="roles"),
    path("roles/<int:role_id>", OneRole.as_view(), name="role"),
    path("permissions", Permissions.as_view(), name="permissions"),
    path("profile", Profile.as_view(), name="profile"),
    path("profile/export", ProfileExport.as_view(), name="profile-export"),
    path("profile/phone/confirm", ConfirmPhone.as_view(), name="confirm-phone"),
    path("profile/phone/resend", ResendPhoneCode.as_view(), name="resend-phone-code"),
    path("profile/avatar", Avatar.as_view(), name="avatar"),
]
