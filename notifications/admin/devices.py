"""Staff's view of devices: whose they are, when they were last reached; removing them."""

from typing import Final

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from core.model_admin import ReadOnlyModelAdmin
from core.permissions import Caller
from notifications.models import Device
from notifications.services import devices

_COLUMNS: Final = ("user", "platform", "name", "last_registered_at", "last_reached_at", "created_at")


@admin.register(Device)
class DeviceAdmin(ReadOnlyModelAdmin):
    list_display = _COLUMNS
    list_filter = ("platform", "last_reached_at", "created_at")
    list_select_related = ("user",)
    search_fields = ("user__email", "user__name", "name")
    search_help_text = "E-mail address or name of the person, name of the device"
    date_hierarchy = "created_at"
    fields = ("id", *_COLUMNS, "session_id")
    actions = ("remove",)

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("notifications.change_device")

    @admin.action(description="Remove: no more push notices there", permissions=["decide"])
    def remove(self, request: HttpRequest, queryset: QuerySet[Device]) -> None:
        wanted = list(queryset.values_list("pk", flat=True))
        actor = Caller.of(request.user)  # type: ignore[arg-type]  # the admin's users are ours
        number = devices.remove_devices(device_ids=wanted, actor=actor)
        messages.success(request, f"{number} devices removed.")
