"""The head of an export (scope, purposes, recipients, rights), the action log in it, and its audit row."""

import datetime as dt
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from privacy.retention.rules import RETENTION
from privacy.rules import Scope
from shared import audit, notices
from shared.instants import rfc3339
from shared.notices import NoticeKind
from shared.work import Work
from tenants.actions.log import Action, ActionLog


_AT_ONCE: Final = 500
NOTICE: Final = {
    "purposes": [
        "to track time on work items, and to show the organisation where it went",
        "to bill the organisation for the people who used the product in a month",
        "to keep on record who changed what",
    ],
    "recipients": [
        "you",
        "admins and super admins of your organisation",
        "Microsoft, who runs the cloud and the Marketplace; of a bill it is told how many people, never who",
        "authorities, on a valid order",
    ],
    "source": "you, the directory of your organisation, its admins, and Azure DevOps by your own token",
    "rights": [
        "access and a portable copy: this file",
        "correction: your name and your entries, in the product",
        "erasure, restriction, objection, withdrawal of consent, a nominee: under privacy in the product",
        "a complaint to the authority for data protection where you live",
    ],
    "automatedDecisions": "none",
    "sale": "your data is not sold, not shared for advertising, and trains no model",
    "never": "IP addresses, user agents, location, contacts, payment details and passwords are not collected",
}


@dataclass(frozen=True, slots=True)
class Subject:
    """The data of one person, or with `user_id` None of the whole organization. `is_own`: of the requester.

    Titles of work items are those that the reader may see; with None, for an organization, all stored ones.
    """

    tenant_id: int
    user_id: int | None
    reader_id: int | None
    is_own: bool = False

    @property
    def scope(self) -> Scope:
        return Scope.TENANT if self.user_id is None else Scope.PERSON


def about(subject: Subject, *, now: dt.datetime) -> dict[str, Any]:
    retention = [{"what": each.what, "period": each.period, "basis": each.basis} for each in RETENTION]
    return {"generatedAt": rfc3339(now), "scope": subject.scope.value, "notice": {**NOTICE, "retention": retention}}


def actions(log: ActionLog, subject: Subject, people: dict[int, uuid.UUID]) -> Iterator[dict[str, Any]]:
    """The action log, newest first; `people` may be shown."""
    after = None
    while True:
        page = log.page(subject.tenant_id, user_id=subject.user_id, after=after, limit=_AT_ONCE)
        yield from (_to_json(action, people[action.user_id]) for action in page if action.user_id in people)
        if len(page) < _AT_ONCE:
            return
        after = page[-1].row_key


def record(work: Work, subject: Subject, *, file_format: str) -> None:
    """Audits an export, and notifies super admins of an export of the whole organization."""
    titles = {"titles": "all"} if subject.reader_id is None else {}
    after = {"scope": subject.scope.value, "format": file_format, **titles}
    audit.record(work, audit.Action.DATA_EXPORTED, subject=subject.user_id, after=after)
    if subject.scope is Scope.TENANT:
        notices.record(work, NoticeKind.TENANT_EXPORTED, by=work.actor.user_id)


def _to_json(action: Action, user: uuid.UUID) -> dict[str, Any]:
    return {"actionType": action.action_type, "happenedAt": action.happened_at, "page": action.page, "userId": user}
