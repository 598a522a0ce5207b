"""The admin's name, and keys to look through and to revoke."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.http import HttpRequest

from maxft_site.web.models import ApiToken

if TYPE_CHECKING:
    TokenAdminBase = admin.ModelAdmin[ApiToken]
else:
    TokenAdminBase = admin.ModelAdmin

admin.site.site_header = admin.site.site_title = "MaxFT"
admin.site.index_title = "People, roles and everything that is stored"


@admin.register(ApiToken)
class TokenAdmin(TokenAdminBase):
    list_display = ("name", "user", "prefix", "scope", "created", "last_used", "expires")
    list_filter = ("user",)
    fields = readonly_fields = list_display

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False
