from django.contrib import admin

from bookmarks.models import Bookmark
from core.model_admin import ReadOnlyModelAdmin


@admin.register(Bookmark)
class BookmarkAdmin(ReadOnlyModelAdmin):
    list_display = ["url", "owner", "created_at"]
    list_select_related = ["owner"]
    search_fields = ["url"]
