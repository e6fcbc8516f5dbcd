"""Builds the replies of operations that change entries: the body, before and after the write-back that follows."""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

import sqlalchemy as sa

from shared.http.call import Call
from shared.http.reply import Reply
from shared.http.wire import WireModel
from shared.log import exception_fields, get_logger
from shared.tenancy import people
from timers import azure_devops, model
from timers.azure_devops.errors import AzureDevOpsError
from timers.entries.change_store import find_overlaps
from timers.schemas import TimeEntry
from timers.write_back import store as write_back_store
from timers.write_back.flow import write_back
from timers.write_back.model import WriteBack, WriteBackProgress, progress_for


Progress = Mapping[uuid.UUID, WriteBackProgress]  # by the id of the entry


@dataclass(frozen=True, slots=True)
class EntryView:
    """An entry with the values that its wire model adds."""

    entry: model.TimeEntry
    user: uuid.UUID
    overlaps: Sequence[uuid.UUID]
    is_adjustment: bool = False

    @classmethod
    def load(cls, tx: sa.Connection, call: Call, entry: model.TimeEntry, *, is_adjustment: bool = False) -> "EntryView":
        user = people.public_id_of(tx, call.caller, entry.user_id)
        return cls(entry, user, find_overlaps(tx, call.caller.tenant.id, entry), is_adjustment)

    def to_wire(self, progress: Progress) -> TimeEntry:
        return TimeEntry.of(
            self.entry,
            user=self.user,
            overlaps=self.overlaps,
            is_adjustment=self.is_adjustment,
            progress=progress.get(self.entry.id),
        )


def load_progress(tx: sa.Connection, call: Call, entries: Iterable[model.TimeEntry]) -> Progress:
    """The write-back progress of the entries that count."""
    tenant = call.caller.tenant
    # An entry that was just added does not count while the write-back is off.
    ids = [each.id for each in entries if tenant.write_back or each.version > 1 or not call.operation.writes]
    return write_back_store.load_progress(tx, tenant.id, ids, is_on=tenant.write_back) if ids else {}


def respond_after_write_back(
    call: Call,
    reply: Reply,
    entries: Iterable[model.TimeEntry],
    to_wire: Callable[[Progress], WireModel] | None = None,
) -> Reply:
    """The reply to a committed change, after an attempt to write its hours to Azure DevOps.

    `to_wire` builds the body with the new progress; None for a reply without a body. A failure does not affect the
    change: its hours stay pending.
    """
    if not call.caller.tenant.write_back or not azure_devops.has_token(call):
        return reply
    try:
        return _write_back_and_reply(call, reply, tuple(entries), to_wire)
    except Exception as error:  # noqa: BLE001 - the change is committed and has its reply
        fields = {"operation": call.operation.id, "requestId": call.request_id, **exception_fields(error)}
        get_logger().error("write_back_failed", **fields)
        return reply


def _write_back_and_reply(
    call: Call, reply: Reply, entries: tuple[model.TimeEntry, ...], to_wire: Callable[[Progress], WireModel] | None
) -> Reply:
    tenant, refusal = call.caller.tenant, None
    try:
        for entry in entries:
            write_back(call.app, tenant, entry.id, partial(azure_devops.open_change_session, call))
    except AzureDevOpsError as error:  # the token is not valid
        refusal = progress_for(error.code)
    if to_wire is None or not entries:
        return reply
    with call.app.transaction(tenant=tenant.id) as tx:
        progress = write_back_store.load_progress(tx, tenant.id, [each.id for each in entries], is_on=True)
        if not progress:
            return reply
        if refusal is not None:
            progress = {id_: each if each.state is WriteBack.DONE else refusal for id_, each in progress.items()}
        return call.replace_reply(tx, Reply.of(HTTPStatus(reply.status), to_wire(progress), reply.headers))
