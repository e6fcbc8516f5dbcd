"""The header of an export (scope, purposes, recipients, rights), its action log, and its audit row."""

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
from tenants.actions.log import Action, ActionLog, LogQuery


_PAGE_SIZE: Final = 500
NOTICE: Final = {
    "purposes": [
        "to track time on work items, and to report it to the organization",
        "to bill the organization for each month's active users",
        "to keep an audit log of changes",
    ],
    "recipients": [
        "you",
        "admins and super admins of your organization",
        "Microsoft, as operator of the cloud and the Marketplace; for a bill it gets the number of people, never names",
        "authorities, on a valid order",
    ],
    "source": "you, the directory of your organization, its admins, and Azure DevOps with your own token",
    "rights": [
        "access and a portable copy: this file",
        "correction of your name and your entries, in the product",
        "erasure, restriction, objection, withdrawal of consent, a nominee: under privacy in the product",
        "a complaint to the authority for data protection where you live",
    ],
    "automatedDecisions": "none",
    "sale": "your data is not sold, not shared for advertising, and trains no model",
    "never": "IP addresses, user agents, location, contacts, payment details and passwords are not collected",
}


@dataclass(frozen=True, slots=True)
class ExportSubject:
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


def build_header(subject: ExportSubject, *, now: dt.datetime) -> dict[str, Any]:
    retention = [{"what": each.data, "period": each.period, "basis": each.basis} for each in RETENTION]
    return {"generatedAt": rfc3339(now), "scope": subject.scope.value, "notice": {**NOTICE, "retention": retention}}


def read_actions(log: ActionLog, subject: ExportSubject, people: dict[int, uuid.UUID]) -> Iterator[dict[str, Any]]:
    """The actions of `people` in the action log, newest first."""
    after = None
    while True:
        page = log.page(subject.tenant_id, LogQuery(user_id=subject.user_id, after=after, limit=_PAGE_SIZE))
        yield from (_to_json(action, people[action.user_id]) for action in page if action.user_id in people)
        if len(page) < _PAGE_SIZE:
            return
        after = page[-1].row_key


def record(work: Work, subject: ExportSubject, *, file_format: str) -> None:
    """Audits an export, and notifies super admins of an export of the whole organization."""
    titles = {"titles": "all"} if subject.reader_id is None else {}
    after = {"scope": subject.scope.value, "format": file_format, **titles}
    audit.record(work, audit.Action.DATA_EXPORTED, subject=subject.user_id, after=after)
    if subject.scope is Scope.TENANT:
        notices.record(work, NoticeKind.TENANT_EXPORTED, by=work.actor.user_id)


def _to_json(action: Action, user: uuid.UUID) -> dict[str, Any]:
    return {"actionType": action.action_type, "happenedAt": action.happened_at, "page": action.page, "userId": user}
