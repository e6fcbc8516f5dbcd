"""The retention table: the periods and reasons for all data, for the hourly job and docs/privacy.md."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.http.idempotency import KEY_LIFETIME
from timers.work_items import SHOWN_FOR


class RetentionClass(StrEnum):
    """Data that the job removes after a period; other data is removed on request."""

    ANSWERS = "answers"  # responses stored for an idempotency key
    BILLS = "bills"
    REQUESTS = "requests"
    TITLES = "titles"
    READERS = "readers"


@dataclass(frozen=True, slots=True)
class Retention:
    """One row of the table. The job removes data with a `data_class` and a `lifetime`."""

    data: str
    tables: tuple[str, ...]
    period: str
    basis: str
    action: str
    data_class: RetentionClass | None = None
    lifetime: dt.timedelta | None = None


_YEAR: Final = dt.timedelta(days=365.25)
RETENTION: Final = (
    Retention(
        "accounts and monthly sign-ins",
        ("users", "user_months"),
        "until deactivated by an admin, then with their history",
        "audit and verifiable bills",
        "a pseudonym on request",
    ),
    Retention(
        "timers, entries and their days, the timer log, projects, hours written to work items",
        (
            "running_timers",
            "time_entries",
            "time_entry_days",
            "timer_log",
            "projects",
            "organizations",
            "write_back_changes",
            "write_back_items",
            "write_back_attempts",
        ),
        "while the organization is a customer, also after a trial",
        "the contract with the organization",
        "names go with their person's erasure, all of it with the organization's",
    ),
    Retention(
        "titles, assignees, states and projects of work items from Azure DevOps",
        ("work_items",),
        "30 days after the last reading of the item",
        "a copy that can be read again",
        "blanked; the type of the item stays with its time",
        RetentionClass.TITLES,
        SHOWN_FOR,
    ),
    Retention(
        "readings of work items, by person and day",
        ("work_item_readers",),
        "30 days",
        "titles are visible only to people with access in Azure DevOps",
        "removed, also with their person's erasure",
        RetentionClass.READERS,
        SHOWN_FOR,
    ),
    Retention(
        "favorite work items",
        ("favorites",),
        "until removed by the person",
        "a list that the person made",
        "removed with their person's erasure",
    ),
    Retention(
        "the action log",
        ("action_log",),
        "while the organization is a customer",
        "the contract with the organization",
        "pages go with their person's erasure, all of it with the organization's",
    ),
    Retention(
        "the audit log",
        ("audit_log",),
        "stays; it has no names or addresses",
        "proof of changes",
        "its row numbers lead to no person after an erasure",
    ),
    Retention(
        "notices",
        ("notices", "notice_views"),
        "while the organization is a customer",
        "the contract with the organization",
        "views go with their person's erasure",
    ),
    Retention(
        "the organization",
        ("tenants", "tenant_zones", "slugs"),
        "stays; each directory has one trial",
        "bills need their customer",
        "the admin's address is removed with the organization's erasure",
    ),
    Retention(
        "bills, usage reported to the Marketplace, closed months",
        ("billing_records", "billing_lines", "usage_events", "adopted_usage", "closed_months"),
        "seven years after the close of the month",
        "statutory bookkeeping obligations",
        "names and addresses are removed, sums stay",
        RetentionClass.BILLS,
        7 * _YEAR,
    ),
    Retention(
        "purchases with an approval",
        ("purchase_requests",),
        "while the organization is a customer",
        "proof of the approval",
        "removed with the organization's erasure",
    ),
    Retention(
        "subscriptions and their events",
        ("subscriptions", "subscription_events", "subscription_rates"),
        "with the organization",
        "bills need them",
        "stay",
    ),
    Retention(
        "responses stored for an Idempotency-Key",
        ("idempotency_keys",),
        "48 hours",
        "a repeated request must not take effect twice",
        "removed",
        RetentionClass.ANSWERS,
        KEY_LIFETIME,
    ),
    Retention(
        "visits to the landing page",
        ("landing_visits",),
        "minutes, until they expire",
        "the purchase on that page",
        "removed within an hour",
    ),
    Retention(
        "erasure requests",
        ("privacy_requests",),
        "three years after completion or withdrawal",
        "proof that the right was granted",
        "removed",
        RetentionClass.REQUESTS,
        3 * _YEAR,
    ),
    Retention(
        "the state of this installation, and changes pending for the restore store",
        ("installation", "restore_changes"),
        "minutes, until sent; the state stays",
        "a restored backup must respect later requests of people",
        "removed after sending",
    ),
    Retention(
        "the list of erasures, by random ids",
        ("erasures",),
        "stays",
        "erasures must be repeated in a restored backup",
        "stays",
    ),
    Retention(
        "mentions of a person that stay at their erasure",
        ("kept_mentions",),
        "until the erasure is completed",
        "by decision of a super admin, they mean another person",
        "removed with their person's erasure",
    ),
    Retention(
        "the list of log documents damaged by erasures of earlier versions",
        ("damaged_documents",),
        "while the organization is a customer",
        "readers of the logs must know the damaged rows",
        "removed with the organization's erasure",
    ),
    Retention(
        "nominees",
        ("nominees",),
        "until removed, or until their person's erasure",
        "the right to nominate",
        "removed with their person's erasure",
    ),
)


def lifetime_of(data_class: RetentionClass) -> dt.timedelta:
    return next(each.lifetime for each in RETENTION if each.data_class is data_class and each.lifetime is not None)
