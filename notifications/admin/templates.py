"""Staff's wordings: listed, written with a preview beside, tried out on oneself, their versions restored."""

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied as PageDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect, JsonResponse
from django.template import TemplateDoesNotExist
from django.urls import path, reverse, reverse_lazy
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from core.errors import ApplicationError
from core.model_admin import AuditedModelAdmin, badge, tell_refusal
from core.permissions import Caller
from notifications.admin.inbox import KindFilter
from notifications.kinds import KINDS
from notifications.models import IN_APP, MessageTemplate
from notifications.overrides import Words, channels_of, has_html, variables_of
from notifications.samples import samples_of
from notifications.services import message_templates
from notifications.services.message_templates import NewTemplate
from notifications.template_checks import faults_of
from notifications.templates import whole_mail, words_of_files

_STATE_COLOURS: Final = {"in use": "success", "off": "info", "cannot be used": "danger"}
_PREFIX: Final = "notifications_messagetemplate_"
_PLACE: Final = ("kind", "channel", "locale")
_PARTS: Final = ("subject", "text", "html")
_SHOWN_VERSIONS: Final = 20


def _channels() -> list[str]:
    return sorted({channel for kind in KINDS.values() for channel in channels_of(kind)})


class ChannelFilter(admin.SimpleListFilter):
    """Which channel the words are for, from the registry."""

    title = "channel"
    parameter_name = "channel"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return [(channel, channel) for channel in _channels()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(channel=self.value()) if self.value() in _channels() else queryset


class TemplateForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    """A wording; it is judged by what the service judges by."""

    kind = forms.ChoiceField(
        choices=lambda: [(kind.code, f"{kind.title} ({kind.code})") for kind in KINDS.values()],
        widget=UnfoldAdminSelectWidget(),
    )
    channel = forms.ChoiceField(
        choices=lambda: [(channel, channel) for channel in _channels()], widget=UnfoldAdminSelectWidget()
    )
    seen_version = forms.IntegerField(required=False, widget=forms.HiddenInput())

    class Meta:
        model = MessageTemplate
        fields = ("kind", "channel", "locale", "subject", "text", "html", "is_active")
        help_texts: ClassVar[dict[str, str]] = {
            "locale": "A language tag such as de or pt-br; empty: everybody whose language has no wording of its own.",
            "subject": "One line; of the inbox it is the title. None for a text message.",
            "text": "{{ variable }}, {% if variable %} … {% else %} … {% endif %}, {% if not variable %}.",
            "html": "In the frame of the mail; made from the text when empty. {{ x|linebreaksbr }} keeps lines.",
        }
        widgets: ClassVar[dict[str, Any]] = {
            "subject": UnfoldAdminTextInputWidget(),
            "text": UnfoldAdminTextareaWidget(attrs={"rows": 10, "spellcheck": "false"}),
            "html": UnfoldAdminTextareaWidget(attrs={"rows": 14, "spellcheck": "false"}),
        }

    class Media:
        js = [forms.Script("notifications/template_editor.js", defer=True)]

    def clean(self) -> dict[str, Any]:
        """Tell what stands against the wording, each at its field."""
        values: dict[str, Any] = super().clean() or self.cleaned_data
        for part in ("text", "html"):
            # Browsers send every line break as two characters.
            values[part] = values.get(part, "").replace("\r\n", "\n")
        kind, channel, locale = (values.get(name, getattr(self.instance, name)) for name in _PLACE)
        is_switched_off = self.instance.pk and not values.get("is_active") and self.changed_data == ["is_active"]
        if not self.errors and not is_switched_off:
            for fault in faults_of(kind, channel, locale, Words(*(values.get(part, "") for part in _PARTS))):
                self.add_error(fault.field if fault.field in self.fields else None, fault.message)
        return values


@admin.register(MessageTemplate)
class MessageTemplateAdmin(AuditedModelAdmin):
    """What messages say instead of the files."""

    form = TemplateForm
    list_display = ("place", "kind_title", "channel", "language", "state_label", "version", "updated_at")
    list_filter = (KindFilter, ChannelFilter, "is_active")
    search_fields = ("kind", "locale", "subject", "text")
    search_help_text = "A part of the kind, the language, the subject or the text"
    ordering = ("kind", "channel", "locale")
    actions = ("try_out",)
    fields = (("kind", "channel"), "locale", "subject", "text", "html", "is_active", "seen_version")
    change_form_outer_before_template = "admin/notifications/template_head.html"
    change_form_outer_after_template = "admin/notifications/template_versions.html"

    @admin.display(description="wording", ordering="kind")
    def place(self, row: MessageTemplate) -> str:
        return str(row)

    @admin.display(description="kind")
    def kind_title(self, row: MessageTemplate) -> str:
        return KINDS[row.kind].title if row.kind in KINDS else row.kind

    @admin.display(description="language", ordering="locale")
    def language(self, row: MessageTemplate) -> str:
        return row.locale or "every other"

    @badge("state", _STATE_COLOURS)
    def state_label(self, row: MessageTemplate) -> str:
        if not row.is_active:
            return "off"
        return "cannot be used" if faults_of(row.kind, row.channel, row.locale, Words.of(row)) else "in use"

    def get_readonly_fields(self, request: HttpRequest, obj: MessageTemplate | None = None) -> tuple[str, ...]:
        return () if obj is None else ("kind", "channel", "locale")

    def get_form(self, request: HttpRequest, obj: MessageTemplate | None = None, **options: Any) -> Any:
        form = super().get_form(request, obj, **options)
        data: dict[str, Any] = {"data-check": reverse_lazy(f"admin:{_PREFIX}check")}
        if obj is not None:
            data |= {"data-kind": obj.kind, "data-channel": obj.channel, "data-locale": obj.locale}
            form.base_fields["seen_version"].initial = obj.version
        form.base_fields["text"].widget.attrs.update(data)
        return form

    def get_urls(self) -> list[Any]:
        views = {
            "check/": ("check", self.check_view),
            "<uuid:pk>/restore/": ("restore", self.restore_view),
            "<uuid:pk>/try/": ("try", self.try_view),
        }
        own = [
            path(route, self.admin_site.admin_view(view), name=_PREFIX + name) for route, (name, view) in views.items()
        ]
        return [*own, *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *arguments: Any, obj: Any = None, **keywords: Any
    ) -> HttpResponse:
        context["wording"] = obj
        context["versions"] = _versions_of(obj) if obj is not None else []
        context["may_change"] = self.has_change_permission(request, obj)
        context["can_be_tried"] = obj is not None and obj.channel != IN_APP
        response: HttpResponse = super().render_change_form(request, context, *arguments, obj=obj, **keywords)
        return response

    def check_view(self, request: HttpRequest) -> HttpResponse:
        """Say what would be said of a wording if it were saved, and how it looks; for the editor, as somebody types."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not (self.has_add_permission(request) or self.has_change_permission(request)):
            raise PageDenied
        kind, channel, locale = (request.POST.get(name, "") for name in _PLACE)
        words = Words(*(request.POST.get(part, "") for part in _PARTS))
        return JsonResponse(_said(kind, channel, locale, words))

    def restore_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Make an older version the newest."""
        number = request.POST.get("number", "")

        def restore() -> str:
            row = message_templates.restore_version(
                actor=_actor(request), template_id=pk, number=int(number) if number.isdecimal() else 0
            )
            return f"Version {number} stands again, as version {row.version}."

        return self._act(request, pk, restore)

    def try_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Send the newest version to whoever asks."""
        return self._act(
            request,
            pk,
            lambda: f"Sent to {message_templates.send_test(actor=_actor(request), template_id=pk).address}.",
        )

    def _act(self, request: HttpRequest, pk: Any, act: Any) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_change_permission(request):
            raise PageDenied
        try:
            messages.success(request, act())
        except ApplicationError as refusal:
            tell_refusal(request, refusal)
        return HttpResponseRedirect(reverse(f"admin:{_PREFIX}change", args=[pk]))

    @admin.action(description="Send to myself", permissions=["change"])
    def try_out(self, request: HttpRequest, queryset: QuerySet[MessageTemplate]) -> None:
        self.for_each(
            request,
            queryset,
            lambda row: message_templates.send_test(actor=_actor(request), template_id=row.pk),
            done="{} test messages sent.",
        )

    def create(self, actor: Caller, row: MessageTemplate, values: dict[str, Any]) -> MessageTemplate:
        values.pop("seen_version", None)
        return message_templates.create_template(actor=actor, new=NewTemplate(**values))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            seen = form.cleaned_data.pop("seen_version", None)
            changes = {name: form.cleaned_data[name] for name in form.changed_data if name in form.cleaned_data}
            message_templates.change_template(
                actor=_actor(request), template_id=obj.pk, changes=changes, seen_version=seen
            )
        else:
            super().save_model(request, obj, form, change)

    def remove(self, actor: Caller, row: MessageTemplate) -> None:
        message_templates.delete_template(actor=actor, template_id=row.pk)


def _actor(request: HttpRequest) -> Caller:
    return Caller.of(request.user)  # type: ignore[arg-type]  # the admin's users are ours


def _versions_of(row: MessageTemplate) -> list[dict[str, Any]]:
    """Return the newest versions with who wrote each; an id that stands for nobody any more is left empty."""
    versions = list(row.versions.order_by("-number")[:_SHOWN_VERSIONS])
    people = get_user_model()._default_manager.filter(pk__in={version.edited_by for version in versions} - {None})
    emails: dict[Any, str] = dict(people.values_list("pk", "email"))
    emails[None] = ""
    return [{"row": version, "by": emails.get(version.edited_by, "")} for version in versions]


def _said(kind_code: str, channel: str, locale: str, words: Words) -> dict[str, Any]:
    """Return what the editor shows: faults, the variables there are, the wording and the file's, with sample values."""
    faults = faults_of(kind_code, channel, locale, words)
    kind = KINDS.get(kind_code)
    if kind is None or channel not in channels_of(kind):
        return {"faults": [_fault(fault) for fault in faults], "variables": [], "preview": None, "file": None}
    values = samples_of(kind, channel)
    filled = None if faults else words.filled(kind, channel, values)
    if filled is not None and has_html(channel):
        filled = whole_mail(filled, values)
    try:
        of_files = words_of_files(kind, channel, {**values, "items": [("A thing", "What it says")]}, locale or "en")
    except TemplateDoesNotExist:
        of_files = None
    return {
        "faults": [_fault(fault) for fault in faults],
        "variables": sorted(variables_of(kind, channel)),
        "preview": _parts(filled),
        "file": _parts(of_files),
    }


def _parts(words: Words | None) -> dict[str, str] | None:
    return None if words is None else {part: getattr(words, part) for part in _PARTS}


def _fault(fault: Any) -> dict[str, str]:
    return {"path": fault.field or "", "message": fault.message}
