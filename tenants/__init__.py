"""People and their organization: sign-in, accounts, settings, and what is on record of both."""

from tenants.new_rows import NewId, NewTenant, is_same_address
from tenants.seat_store import give_seat_back, other_super_admins, set_active
from tenants.time_zones import TimeZone, zones


__all__ = [
    "NewId",
    "NewTenant",
    "TimeZone",
    "give_seat_back",
    "is_same_address",
    "other_super_admins",
    "set_active",
    "zones",
]
