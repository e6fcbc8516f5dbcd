"""The order of roles; pure."""

from typing import Final

from shared.tenancy.model import Role


RANK: Final = {Role.USER: 0, Role.ADMIN: 1, Role.SUPER_ADMIN: 2}


def may_manage(manager: Role, person: Role) -> bool:
    """Whether the manager may change the person's account: not one whose role is higher."""
    return RANK[manager] >= RANK[person]
