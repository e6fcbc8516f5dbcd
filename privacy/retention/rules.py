"""What is kept how long and why: the table that the nightly job follows, and that docs/privacy.md shows."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.http.idempotency import KEY_LIFETIME
from timers.work_items import SHOWN_FOR


class Kept(StrEnum):
    """What a period begins with, where rows go by themselves; the others go when somebody asks."""

    ANSWERS = "answers"
    BILLS = "bills"
    REQUESTS = "requests"
    TITLES = "titles"
    READERS = "readers"


@dataclass(frozen=True, slots=True)
class Retention:
    """One class of data. `after` is None for what is kept until somebody asks; `kept` names what the job removes."""

    what: str
    tables: tuple[str, ...]
    period: str
    basis: str
    action: str
    kept: Kept | None = None
    after: dt.timedelta | None = None


_YEAR: Final = dt.timedelta(days=365.25)
RETENTION: Final = (
    Retention(
        "accounts and monthly sign-ins",
        ("users", "user_months"),
        "until an admin deactivates them, then with their history",
        "audit, and bills that can be checked",
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
        "as long as the organisation is a customer, also after a trial",
        "the contract with the organisation",
        "names go with their person's erasure, all of it with the organisation's",
    ),
    Retention(
        "titles, assignees and states of work items, as read from Azure DevOps",
        ("work_items",),
        "30 days after anybody has read the item",
        "they are a copy, and can be read again",
        "blanked; the type of the item stays with the time on it",
        Kept.TITLES,
        SHOWN_FOR,
    ),
    Retention(
        "who has read which work item, and on which day",
        ("work_item_readers",),
        "30 days",
        "titles are shown to those to whom Azure DevOps has shown them",
        "removed, and with their person's erasure",
        Kept.READERS,
        SHOWN_FOR,
    ),
    Retention(
        "the action log",
        ("action_log",),
        "as long as the organisation is a customer",
        "the contract with the organisation",
        "pages are blanked with their person's erasure, all of it goes with the organisation's",
    ),
    Retention(
        "the audit log",
        ("audit_log",),
        "stays; it holds no name and no address",
        "proof of who changed what",
        "people in it are row numbers, which erasure leaves without a person",
    ),
    Retention(
        "notices",
        ("notices", "notice_views"),
        "as long as the organization is a customer",
        "the contract with the organization",
        "people in them are row numbers; which ones a person has seen goes with their erasure",
    ),
    Retention(
        "the organisation",
        ("tenants", "tenant_zones", "slugs"),
        "stays; one trial is given to a directory, ever",
        "bills need their customer",
        "the admin's address goes with the organisation's erasure",
    ),
    Retention(
        "bills, what the Marketplace was told of them, closed months",
        ("billing_records", "billing_lines", "usage_events", "adopted_usage", "closed_months"),
        "seven years after the month was closed",
        "the law on keeping books",
        "names and addresses go from the lines, sums stay; before that a pseudonym stands for whoever is erased",
        Kept.BILLS,
        7 * _YEAR,
    ),
    Retention(
        "purchases that needed somebody's agreement",
        ("purchase_requests",),
        "as long as the organization is a customer",
        "proof of who agreed to pay",
        "people in them are row numbers; they go with the organization's erasure",
    ),
    Retention(
        "subscriptions and what happened to them",
        ("subscriptions", "subscription_events", "subscription_rates"),
        "with the organisation",
        "bills need them; their billing contact is a row number, which erasure leaves without a person",
        "stay",
    ),
    Retention(
        "answers kept for their Idempotency-Key",
        ("idempotency_keys",),
        "48 hours",
        "a repeated request must not be done twice",
        "removed",
        Kept.ANSWERS,
        KEY_LIFETIME,
    ),
    Retention(
        "visits to the landing page",
        ("landing_visits",),
        "minutes, until they expire",
        "the purchase that is made there",
        "removed; hourly at the latest, and with their person's erasure",
    ),
    Retention(
        "requests for erasure",
        ("privacy_requests",),
        "three years after they were done or taken back",
        "proof that the right was granted",
        "removed",
        Kept.REQUESTS,
        3 * _YEAR,
    ),
    Retention(
        "how far this installation has acted, and what the store outside is to be told",
        ("installation", "restore_changes"),
        "minutes, until it is told; the mark stays",
        "a backup that is restored must be noticed, and respect what people asked for since",
        "removed once it is told",
    ),
    Retention(
        "the list of who is erased, by random ids",
        ("erasures",),
        "stays",
        "a backup that is restored must forget them again",
        "stays",
    ),
    Retention(
        "mentions of a person that stay at their erasure",
        ("kept_mentions",),
        "until the erasure is carried out",
        "a super admin has seen that they are about somebody else",
        "removed with their person's erasure",
    ),
    Retention(
        "the list of documents of the logs that erasures of earlier versions damaged",
        ("damaged_documents",),
        "as long as the organization is a customer",
        "whoever reads the logs must know which rows are not as they were written",
        "removed with the organization's erasure",
    ),
    Retention(
        "nominees",
        ("nominees",),
        "until they are removed, or their person is erased",
        "the right to nominate",
        "removed with their person's erasure",
    ),
)


def period(kept: Kept) -> dt.timedelta:
    """How long what is kept under a period is kept."""
    return next(each.after for each in RETENTION if each.kept is kept and each.after is not None)
