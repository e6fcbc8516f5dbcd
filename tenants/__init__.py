"""People and their organization: sign-in, accounts, invitations, settings, notices and the action log."""

from tenants.new_rows import NewTenant, is_same_address
from tenants.seat_store import count_other_super_admins, give_seat_back, set_active
from tenants.time_zones import TimeZone, zones


__all__ = [
    "NewTenant",
    "TimeZone",
    "count_other_super_admins",
    "give_seat_back",
    "is_same_address",
    "set_active",
    "zones",
]
