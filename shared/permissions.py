"""Permissions: one row for every operation; without a row nothing is allowed."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from shared.tenancy.model import Role


class Access(IntEnum):
    """Access levels; each includes the ones before it."""

    ANYONE = 0
    TOKEN = 1  # a valid token, also of an unknown directory or person
    USER = 2
    ADMIN = 3
    SUPER_ADMIN = 4

    def admits(self, role: Role) -> bool:
        return self <= _OF_ROLE[role]


_OF_ROLE: Final = {Role.USER: Access.USER, Role.ADMIN: Access.ADMIN, Role.SUPER_ADMIN: Access.SUPER_ADMIN}


@dataclass(frozen=True, slots=True)
class Permission:
    """`access` is the least level. From level `everyone` on callers see all rows of the tenant, else only their own."""

    access: Access
    everyone: Access | None = None
    when_cancelled: bool = False  # allowed also after the subscription was cancelled

    def sees_everyone(self, role: Role) -> bool:
        return self.everyone is not None and self.everyone.admits(role)


PERMISSIONS: Final[Mapping[str, Permission]] = MappingProxyType(
    {
        "get_health": Permission(Access.ANYONE),
        "get_openapi": Permission(Access.ANYONE),
        "no_such_route": Permission(Access.ANYONE),
        "receive_marketplace_event": Permission(Access.ANYONE),  # its handler checks Microsoft's token
        "open_landing_page": Permission(Access.ANYONE),  # these seven: buyers sign in to the page itself
        "return_from_sign_in": Permission(Access.ANYONE),
        "show_purchase": Permission(Access.ANYONE),
        "change_account": Permission(Access.ANYONE),
        "activate_purchase": Permission(Access.ANYONE),
        "refresh_purchase": Permission(Access.ANYONE),
        "sign_out_of_landing_page": Permission(Access.ANYONE),
        "create_tenant": Permission(Access.TOKEN),
        "sign_in": Permission(Access.TOKEN),
        "get_session": Permission(Access.TOKEN),
        "get_me": Permission(Access.USER, when_cancelled=True),
        "rename_me": Permission(Access.USER),
        "get_tenant": Permission(Access.ADMIN),
        "change_tenant": Permission(Access.SUPER_ADMIN),
        "list_organizations": Permission(Access.USER),
        "add_organization": Permission(Access.SUPER_ADMIN),
        "change_organization": Permission(Access.SUPER_ADMIN),
        "list_projects": Permission(Access.USER, everyone=Access.ADMIN),
        "join_project": Permission(Access.ADMIN),
        "separate_project": Permission(Access.ADMIN),
        "list_audit": Permission(Access.SUPER_ADMIN),
        "list_users": Permission(Access.ADMIN),
        "add_users": Permission(Access.ADMIN),
        "get_user": Permission(Access.ADMIN),
        "change_user": Permission(Access.ADMIN),
        "merge_user": Permission(Access.SUPER_ADMIN),
        "confirm_role": Permission(Access.SUPER_ADMIN),
        "deactivate_user": Permission(Access.ADMIN, when_cancelled=True),
        "reactivate_user": Permission(Access.ADMIN),
        "list_notices": Permission(Access.USER, when_cancelled=True),  # each role has its own notices
        "see_notice": Permission(Access.USER, when_cancelled=True),
        "dismiss_notice": Permission(Access.USER, when_cancelled=True),
        "record_actions": Permission(Access.USER, when_cancelled=True),
        "list_actions": Permission(Access.ADMIN),
        "start_timer": Permission(Access.USER),
        "stop_timer": Permission(Access.USER, when_cancelled=True),
        "get_running_timer": Permission(Access.USER, when_cancelled=True),
        "change_running_timer": Permission(Access.USER),
        "discard_running_timer": Permission(Access.USER, when_cancelled=True),
        "list_timers": Permission(Access.ADMIN),
        "list_entries": Permission(Access.USER, everyone=Access.ADMIN),
        "add_entry": Permission(Access.USER, everyone=Access.ADMIN),
        "get_entry": Permission(Access.USER, everyone=Access.ADMIN),
        "correct_entry": Permission(Access.USER, everyone=Access.ADMIN),
        "delete_entry": Permission(Access.USER, everyone=Access.ADMIN),
        "delete_entry_with_reason": Permission(Access.USER, everyone=Access.ADMIN),
        "set_work_item_day": Permission(Access.USER, everyone=Access.ADMIN),
        "list_timer_log": Permission(Access.USER, everyone=Access.ADMIN),
        "write_back_entry": Permission(Access.USER, everyone=Access.ADMIN),
        "get_work_item": Permission(Access.USER),
        "get_work_item_time": Permission(Access.USER, everyone=Access.ADMIN),
        "search_work_items": Permission(Access.USER, everyone=Access.ADMIN),
        "list_recent_work_items": Permission(Access.USER),
        "list_favorites": Permission(Access.USER),
        "set_favorite": Permission(Access.USER),
        "remove_favorite": Permission(Access.USER),
        "get_work_item_write_back": Permission(Access.USER, everyone=Access.ADMIN),
        "write_back_work_item": Permission(Access.USER),
        "refresh_work_items": Permission(Access.USER),
        "get_month_report": Permission(Access.USER, everyone=Access.ADMIN),
        "get_summary_report": Permission(Access.USER, everyone=Access.ADMIN),
        "get_week_report": Permission(Access.USER, everyone=Access.ADMIN),
        "get_subscription": Permission(Access.SUPER_ADMIN, when_cancelled=True),
        "list_purchases": Permission(Access.ADMIN, when_cancelled=True),
        "agree_purchase": Permission(Access.ADMIN, when_cancelled=True),  # its handler decides which admins
        "decline_purchase": Permission(Access.ADMIN, when_cancelled=True),
        "list_billing_records": Permission(Access.SUPER_ADMIN, when_cancelled=True),
        "get_billing_month": Permission(Access.SUPER_ADMIN, when_cancelled=True),
        "get_billing_preview": Permission(Access.SUPER_ADMIN, when_cancelled=True),
        "get_billing_statement": Permission(Access.SUPER_ADMIN, when_cancelled=True),
        "get_privacy": Permission(Access.USER, when_cancelled=True),
        "change_rights": Permission(Access.USER, when_cancelled=True),
        "name_nominee": Permission(Access.USER, when_cancelled=True),
        "remove_nominee": Permission(Access.USER, when_cancelled=True),
        "export_data": Permission(Access.USER, everyone=Access.SUPER_ADMIN, when_cancelled=True),
        "request_erasure": Permission(Access.USER, everyone=Access.SUPER_ADMIN, when_cancelled=True),
        "list_erasures": Permission(Access.USER, everyone=Access.SUPER_ADMIN, when_cancelled=True),
        "list_mentions": Permission(Access.SUPER_ADMIN, when_cancelled=True),
        "choose_mentions": Permission(Access.SUPER_ADMIN, when_cancelled=True),
        "withdraw_erasure": Permission(Access.USER, everyone=Access.SUPER_ADMIN, when_cancelled=True),
    }
)
