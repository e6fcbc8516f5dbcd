"""Invariants of the data: queries that find the rows that violate them.

They run over all tenants, as a job, after every integration test and in `ops check`. Slices have invariants of their
own tables; `function_app` and `ops.check` collect them all.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import sqlalchemy as sa

from shared.db.schema import (
    audit_log,
    erasures,
    organizations,
    projects,
    running_timers,
    tenants,
    time_entries,
    time_entry_days,
    timer_log,
    users,
)
from shared.health.record_invariants import RECORDS


Invariants = Mapping[str, sa.Select[Any]]
_FIRST_IDS: Final = 10
_days, _log = time_entry_days.c, timer_log.c
_later = timer_log.alias("later")
# Events of a running timer. Changes have numbers of their own beside the versions of the entry.
_CHANGED: Final = "changed"
_WHILE_RUNNING: Final = ("started", _CHANGED)
_is_changed_later = sa.exists().where(
    _later.c.tenant_id == _log.tenant_id,
    _later.c.timer_id == _log.timer_id,
    _later.c.event == _CHANGED,
    _later.c.entry_version > _log.entry_version,
)


@dataclass(frozen=True, slots=True)
class Violation:
    """A violated invariant: the number of rows, and the ids of the first ones."""

    name: str
    count: int
    ids: tuple[int, ...]


# PostgreSQL's planner does not know that a user belongs to one tenant, and would scan the whole log by tenant and user.
# So the user is compared in a form that no index has, and the row is found by the timer. Events of an entry from before
# its invitation was merged are under the invitation's account.
_merged = users.alias("merged")
_log_is_of_person = sa.or_(
    _log.user_id - time_entries.c.user_id == 0,
    sa.exists().where(
        _merged.c.tenant_id == time_entries.c.tenant_id,
        _merged.c.id == _log.user_id,
        _merged.c.merged_into == time_entries.c.user_id,
    ),
)
_log_of_entry = (
    _log.tenant_id == time_entries.c.tenant_id,
    _log.timer_id == time_entries.c.public_id,
    _log_is_of_person,
)


def _entry_has(*events: str) -> sa.Exists:
    return sa.exists().where(*_log_of_entry, _log.event.in_(events))


_logs_current_version = sa.exists().where(
    *_log_of_entry,
    _log.entry_version == time_entries.c.version,
    _log.elapsed_ms == time_entries.c.elapsed_ms,
    _log.event != "deleted",
)


def _of_entry(*columns: Any) -> sa.Select[Any]:  # noqa: ANN401 - columns of any type
    return sa.select(*columns).where(_days.tenant_id == time_entries.c.tenant_id, _days.entry_id == time_entries.c.id)


def _log_has_end() -> sa.Exists:
    return sa.exists().where(
        _log.tenant_id == running_timers.c.tenant_id,
        _log.timer_id == running_timers.c.public_id,
        _log.event.not_in(_WHILE_RUNNING),
    )


def _log_has_start() -> sa.Exists:
    """The start of the timer, or its last change, happened at the stored start."""
    return sa.exists().where(
        _log.tenant_id == running_timers.c.tenant_id,
        _log.timer_id == running_timers.c.public_id,
        _log.event.in_(_WHILE_RUNNING),
        _log.happened_at == running_timers.c.started_at,
        ~_is_changed_later,
    )


_entry_days_total = _of_entry(sa.func.coalesce(sa.func.sum(_days.elapsed_ms), -1)).scalar_subquery()
_entry_first_days = _of_entry(sa.func.coalesce(sa.func.sum(_days.starts_entry), 0)).scalar_subquery()
_entry_has_foreign_day = (
    _of_entry(sa.literal(1))
    .where(
        sa.or_(
            _days.user_id != time_entries.c.user_id,
            _days.project_id != time_entries.c.project_id,
            _days.work_item_id != time_entries.c.work_item_id,
        )
    )
    .exists()
)
_enabled_accounts = (
    sa.select(sa.func.count()).where(users.c.tenant_id == tenants.c.id, users.c.is_active).scalar_subquery()
)
_entry_exists = sa.exists().where(time_entries.c.tenant_id == _log.tenant_id, time_entries.c.public_id == _log.timer_id)
_logged_as_deleted = sa.exists().where(
    _later.c.tenant_id == _log.tenant_id, _later.c.timer_id == _log.timer_id, _later.c.event == "deleted"
)
_same_version = sa.exists().where(
    _later.c.tenant_id == _log.tenant_id,
    _later.c.timer_id == _log.timer_id,
    _later.c.entry_version == _log.entry_version,
    _later.c.event != _CHANGED,
    _later.c.id != _log.id,
)
_has_later_event = sa.exists().where(
    _later.c.tenant_id == _log.tenant_id,
    _later.c.timer_id == _log.timer_id,
    _later.c.id > _log.id,
)
_version_before = sa.exists().where(
    _later.c.tenant_id == _log.tenant_id,
    _later.c.timer_id == _log.timer_id,
    _later.c.entry_version == _log.entry_version - 1,
    sa.case((_later.c.event == _CHANGED, 1), else_=0) == sa.case((_log.event == _CHANGED, 1), else_=0),
)
_super_admin = sa.exists().where(
    users.c.tenant_id == tenants.c.id,
    users.c.role == "super_admin",
    users.c.is_active,
    users.c.entra_object_id.is_not(None),
)
_is_audited = sa.exists().where(
    audit_log.c.tenant_id == users.c.tenant_id,
    audit_log.c.subject_user_id == users.c.id,
    audit_log.c.action.in_(("tenant.created", "user.joined", "user.added")),
)
_erased_users = (
    sa.select(sa.func.count())
    .where(users.c.tenant_id == tenants.c.id, users.c.erased_at.is_not(None))
    .scalar_subquery()
)
_erasures = sa.select(sa.func.count()).where(erasures.c.tenant_id == tenants.c.id).scalar_subquery()
_second_timer = running_timers.alias("second_timer")
_default_organization = sa.exists().where(
    organizations.c.tenant_id == tenants.c.id,
    organizations.c.name == tenants.c.organization,
    organizations.c.is_active,
)
_joined_to = projects.alias("joined_to")
_join_is_followed = sa.exists().where(
    _joined_to.c.tenant_id == projects.c.tenant_id,
    _joined_to.c.id == projects.c.joined_to,
    sa.func.coalesce(_joined_to.c.alias_of, _joined_to.c.id) == projects.c.alias_of,
)
_has_organization_name = sa.exists().where(
    organizations.c.tenant_id == projects.c.tenant_id,
    organizations.c.id == projects.c.organization_id,
    organizations.c.name == projects.c.organization,
)

INVARIANTS: Final[Invariants] = {
    "one_running_timer_per_user": sa.select(running_timers.c.id).join(
        _second_timer,
        sa.and_(
            _second_timer.c.tenant_id == running_timers.c.tenant_id,
            _second_timer.c.user_id == running_timers.c.user_id,
            _second_timer.c.id != running_timers.c.id,
        ),
    ),
    "running_timer_has_a_start_and_no_end": sa.select(running_timers.c.id).where(
        sa.or_(_log_has_end(), ~_log_has_start())
    ),
    "days_sum_to_elapsed": sa.select(time_entries.c.id).where(_entry_days_total != time_entries.c.elapsed_ms),
    "days_name_one_first_day": sa.select(time_entries.c.id).where(_entry_first_days != 1),
    "days_belong_to_their_entry": sa.select(time_entries.c.id).where(_entry_has_foreign_day),
    "timed_entry_has_a_start_and_a_stop": sa.select(time_entries.c.id).where(
        time_entries.c.source != "manual", sa.or_(~_entry_has("started"), ~_entry_has("stopped"))
    ),
    "manual_entry_was_entered": sa.select(time_entries.c.id).where(
        time_entries.c.source == "manual", ~_entry_has("entered")
    ),
    "entry_is_as_last_logged": sa.select(time_entries.c.id).where(~_logs_current_version),
    "no_entry_ends_before_it_starts": sa.select(time_entries.c.id).where(
        time_entries.c.stopped_at < time_entries.c.started_at
    ),
    "one_event_makes_a_version": sa.select(timer_log.c.id).where(
        _log.entry_version > 0, _log.event != _CHANGED, _same_version
    ),
    "nothing_follows_a_removal": sa.select(timer_log.c.id).where(
        _log.event.in_(("deleted", "discarded")), _has_later_event
    ),
    "versions_follow_each_other": sa.select(timer_log.c.id).where(_log.entry_version > 1, ~_version_before),
    "end_has_its_entry_or_its_removal": sa.select(timer_log.c.id).where(
        _log.event.in_(("stopped", "entered")),
        sa.or_(sa.and_(_entry_exists, _logged_as_deleted), sa.and_(~_entry_exists, ~_logged_as_deleted)),
    ),
    "every_tenant_has_a_super_admin": sa.select(tenants.c.id).where(
        ~_super_admin, sa.or_(tenants.c.erased_at.is_(None), tenants.c.seats_used > 0)
    ),
    "the_default_organization_is_active": sa.select(tenants.c.id).where(
        ~_default_organization, tenants.c.erased_at.is_(None)
    ),
    "a_project_has_its_organizations_name": sa.select(projects.c.id).where(~_has_organization_name),
    "a_project_counts_as_where_its_joins_lead": sa.select(projects.c.id).where(
        projects.c.joined_to.is_not(None), ~_join_is_followed
    ),
    "a_merged_account_is_closed": sa.select(users.c.id).where(users.c.merged_into.is_not(None), users.c.is_active),
    "an_address_waits_only_for_an_open_invitation": sa.select(users.c.id).where(
        users.c.invitation_ends_at.is_not(None), sa.or_(users.c.entra_object_id.is_not(None), ~users.c.is_active)
    ),
    "an_erased_account_is_closed": sa.select(users.c.id).where(users.c.erased_at.is_not(None), users.c.is_active),
    "erased_users_are_listed": sa.select(tenants.c.id).where(_erased_users > _erasures),
    "every_account_is_on_record": sa.select(users.c.id).where(~_is_audited),
    "seats_used_counts_enabled_accounts": sa.select(tenants.c.id).where(tenants.c.seats_used != _enabled_accounts),
    **RECORDS,
    "only_a_trial_with_an_end_expires": sa.select(tenants.c.id).where(
        tenants.c.status == "expired",
        sa.or_(tenants.c.plan_kind != "trial", tenants.c.trial_ends_at.is_(None)),
    ),
}


@cache
def _first_rows(query: sa.Select[Any]) -> sa.Select[Any]:
    """The first rows of a query, each with the number of all rows."""
    [row] = query.subquery("found").columns
    return sa.select(row.label("id"), sa.func.count().over().label("violations")).order_by(row).limit(_FIRST_IDS)


def check(tx: sa.Connection, name: str, query: sa.Select[Any]) -> Violation | None:
    """The violation of one invariant; None when it holds."""
    rows = tx.execute(_first_rows(query)).all()
    return Violation(name, rows[0].violations, tuple(row.id for row in rows)) if rows else None


def find_violations(tx: sa.Connection, invariants: Invariants) -> Iterator[Violation]:
    """The invariants that do not hold."""
    return (violation for name, query in invariants.items() if (violation := check(tx, name, query)) is not None)
