"""Who stands above whom; pure."""

from typing import Final

from shared.tenancy.model import Role


RANK: Final = {Role.USER: 0, Role.ADMIN: 1, Role.SUPER_ADMIN: 2}


def may_manage(manager: Role, person: Role) -> bool:
    """Nobody changes the account of somebody above them."""
    return RANK[manager] >= RANK[person]
