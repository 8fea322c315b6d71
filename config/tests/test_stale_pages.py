"""Two of the staff have the same page open: who saves last overwrites nothing that they have not seen."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin as site
from django.test import Client

from accounts.models import Role, User
from accounts.tests.factories import create_user
from core.model_admin import AuditedModelAdmin, SeenForm
from core.models import Event
from notifications.models import WebhookSource
from resources.models import ResourceType
from resources.tests.factories import create_type

BrowserOf = Callable[[User], Client]
Opened = tuple[str, Any, dict[str, Any], dict[str, Any]]
"""The path of a page, its row, and what two of the staff want to save there."""

pytestmark = pytest.mark.django_db

CHANGED = "was changed successfully"
REFUSED = "This was changed in the meantime; read it again."


def person() -> Opened:
    row = create_user(email_verified=False)
    form = {"email": row.email, "name": row.name, "role": row.role_id, "is_active": "on"}
    return f"accounts/user/{row.pk}", row, {**form, "name": "Ada Lovelace"}, {**form, "email_verified": "on"}


def role() -> Opened:
    row = Role.objects.create(name="editor", permissions=["read:resource"])
    form = {"name": row.name, "description": "", "permissions": row.permissions}
    more = {**form, "permissions": ["read:resource", "write:resource"]}
    return f"accounts/role/{row.pk}", row, more, {**form, "description": "Edits."}


def kind() -> Opened:
    row = create_type("letter", schema={"type": "object"})
    form = {"name": row.name, "default_visibility": "private", "schema": '{"type": "object"}', "trash_days": 30}
    other = '{"type": "object", "required": ["to"], "properties": {"to": {"type": "string"}}}'
    return f"resources/resourcetype/{row.pk}", row, {**form, "schema": other}, {**form, "description": "Letters."}


def source() -> Opened:
    row = WebhookSource.objects.create(key="shop", name="Shop", scheme="github", secret="a secret that is long enough")
    form = {"key": "shop", "name": "Shop", "scheme": "github", "tolerance_seconds": 300, "is_active": "on"}
    return f"notifications/webhooksource/{row.pk}", row, {**form, "tolerance_seconds": 60}, {**form, "name": "The shop"}


PAGES = {User: person, Role: role, ResourceType: kind, WebhookSource: source}


@pytest.mark.parametrize("page", PAGES.values(), ids=lambda page: page.__name__)
def test_a_page_that_is_out_of_date_overwrites_nothing(
    admin: User, browser_of: BrowserOf, page: Callable[[], Opened]
) -> None:
    path, row, early, late = page()
    browser, address = browser_of(admin), f"/admin/{path}/change/"
    seen = [browser.get(address).context["adminform"].form["seen"].value() for _ in range(2)]

    first = browser.post(address, {**early, "seen": seen[0]}, follow=True).content.decode()
    row.refresh_from_db()
    state, told = dict(row.__dict__), Event.objects.count()
    second = browser.post(address, {**late, "seen": seen[1]}, follow=True).content.decode()

    assert (CHANGED in first, REFUSED in first) == (True, False)
    assert (CHANGED in second, REFUSED in second) == (False, True)
    row.refresh_from_db()
    assert {name: value for name, value in row.__dict__.items() if name != "_state"} == {
        name: value for name, value in state.items() if name != "_state"
    }
    assert Event.objects.count() == told
    again = browser.get(address).context["adminform"].form["seen"].value()
    assert CHANGED in browser.post(address, {**late, "seen": again}, follow=True).content.decode()


def test_every_page_that_changes_rows_knows_what_was_seen() -> None:
    pages = {model: page for model, page in site.site._registry.items() if isinstance(page, AuditedModelAdmin)}

    blind = {
        model.__name__
        for model, page in pages.items()
        if not issubclass(page.form, SeenForm) and "seen_version" not in page.form.declared_fields
    }

    assert blind == set()
    assert PAGES.keys() <= pages.keys()


def test_who_may_only_look_is_shown_no_mark(moderator: User, browser_of: BrowserOf) -> None:
    Role.objects.filter(name="moderator").update(permissions=["read:user", "read:role"])
    path, *_ = role()

    page = browser_of(User.objects.get(pk=moderator.pk)).get(f"/admin/{path}/change/")

    assert (page.status_code, "field-seen" in page.content.decode()) == (200, False)
