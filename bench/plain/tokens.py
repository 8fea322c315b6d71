"""Print an access token of the comparison app for the user whose id is given."""

import os
import sys

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "bench.plain.settings"
django.setup()

from rest_framework_simplejwt.tokens import AccessToken  # noqa: E402  # after the setup

from accounts.models import User  # noqa: E402

sys.stdout.write(str(AccessToken.for_user(User.objects.get(pk=sys.argv[1]))))
