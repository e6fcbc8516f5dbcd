"""The work item in a path: its organization, which must be the tenant's, and its number."""

import re
from typing import Final

import sqlalchemy as sa

from shared.errors import NotFound
from shared.tenancy import organization_store
from shared.tenancy.model import Organization
from timers.azure_devops.model import ORGANIZATION


_DIGITS: Final = re.compile(r"\A[0-9]{1,10}\Z")  # of numbers below 2**31


def find_item(tx: sa.Connection, tenant_id: int, organization: str, number: str) -> tuple[Organization, int]:
    """The organization and the number of a work item, as texts of a path.

    Raises:
        NotFound: the tenant has no such organization, or the number is impossible.
    """
    parsed = work_item_number(number)
    found = organization_store.find(tx, tenant_id, organization) if ORGANIZATION.match(organization) else None
    if found is None or parsed is None:
        raise NotFound("Your company's Azure DevOps organizations have no such work item.")
    return found, parsed


def work_item_number(text: str) -> int | None:
    """A work item's number; None for other text."""
    return int(text) if _DIGITS.match(text) and 1 <= int(text) < 2**31 else None
