"""The top of the route tree: API versions, admin, pages, operations."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView, TemplateView

from accounts.api.keys import jwks
from accounts.pages import avatars, links
from core import health
from core.api.fallback import unrouted
from core.api.versioning import Versions
from core.files import signed_file
from notifications.pages import UnsubscribePage
from resources.pages.shared import SharedPage
from resources.pages.uploads import upload

urlpatterns = [
    path("api", Versions.as_view(), name="versions"),
    path("api/v1/", include("config.api_v1")),
    re_path(r"^api/(?P<rest>.*)$", unrouted),
    path("admin/", admin.site.urls),
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    path(
        "",
        TemplateView.as_view(
            template_name="pages/home.html", extra_context={"title": "Welcome", "site_name": settings.SITE_NAME}
        ),
        name="home",
    ),
    path(".well-known/jwks.json", jwks, name="jwks"),
    path("files/uploads/<str:token>", upload, name="upload"),
    path("files/<str:token>", signed_file, name="signed-file"),
    re_path(r"^avatars/(?P<key>[0-9a-f]+)-(?P<size>\d{1,4})\.webp$", avatars.avatar, name="avatar-picture"),
    # Where mailed links land
    path("verify-email", links.VerifyEmailPage.as_view(), name="verify-email-page"),
    path("reset-password", links.ResetPasswordPage.as_view(), name="reset-password-page"),
    path("accept-invitation", links.AcceptInvitationPage.as_view(), name="accept-invitation-page"),
    path("change-email", links.ChangeEmailPage.as_view(), name="change-email-page"),
    path("restore-account", links.RestoreAccountPage.as_view(), name="restore-account-page"),
    path("data-export", links.DataExportPage.as_view(), name="data-export-page"),
    path("unsubscribe/<str:token>", UnsubscribePage.as_view(), name="unsubscribe-page"),
    path("shared", SharedPage.as_view(), name="shared-page"),
    # Operations: no envelope
    path("health", health.health),
    path("health/live", health.live),
    path("health/ready", health.ready),
    path("metrics", health.metrics),
    path("status", health.status_page, name="status"),
]
