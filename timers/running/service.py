"""Starts and stops timers. Offline events, which may arrive late, are in `late_service`."""

from shared.errors import Conflict
from shared.tenancy.model import User
from shared.tenancy.organization_service import require_active
from shared.tenancy.rules import require_processing, require_tracking
from shared.work import Work
from timers import store as timers_store
from timers.entries.finish_service import stop_if_running
from timers.model import TimeEntry
from timers.projects.service import add_project
from timers.running import late_service, rules
from timers.running.insert_service import concurrent_change, insert_running_timer
from timers.running.model import Start, StartResult, Stop


def start(work: Work, user: User, subject: Start) -> StartResult:
    """Starts a timer, now or at the instant that an offline event gives.

    Raises:
        PaymentRequired: the plan does not allow new time.
        Forbidden: the processing of the user's data is restricted.
        InvalidRequest: the organization is not an active one of the tenant.
        TimerAlreadyRunning: a timer runs on another work item, and `switch` is not set.
        InvalidRequest, Conflict: as `late_service.start`.
    """
    if subject.is_offline_event:
        return late_service.start(work, user, subject)
    tx, tenant_id = work.tx, work.tenant.id
    require_tracking(work.tenant, work.now)
    require_processing(user)
    require_active(tx, work.tenant, subject.organization)
    timer = insert_running_timer(work, user.id, subject, at=work.now, timer_id=work.new_id())
    if timer is not None:
        return StartResult(timer, is_new=True)
    running = timers_store.find_running(tx, tenant_id, user.id)
    stopped = None
    if running is not None:
        if rules.is_on_same_item(running, subject):
            return StartResult(running, is_new=False)
        if not subject.switch:
            raise rules.TimerAlreadyRunning(running, is_final=True)
        stopped = _stop(work, user.id, end_inferred=True)
    add_project(work, subject.organization, subject.project)
    timer = insert_running_timer(work, user.id, subject, at=work.now, timer_id=work.new_id())
    if timer is None:
        raise concurrent_change()
    return StartResult(timer, is_new=True, stopped=stopped)


def stop(work: Work, user: User, subject: Stop) -> TimeEntry:
    """Stops the running timer or, for an offline event, the timer that it is about; also after the plan has ended.

    Raises:
        Conflict: `no_running_timer`.
        InvalidRequest, RetryableConflict: as `late_service.stop`.
    """
    if subject.is_offline_event:
        return late_service.stop(work, user, subject)
    return _stop(work, user.id, note=subject.note)


def _stop(work: Work, user_id: int, *, note: str | None = None, end_inferred: bool = False) -> TimeEntry:
    """Stops the running timer now. The end by a switch is inferred: a late stop may still give the real one."""
    entry = stop_if_running(work, user_id, note=note, end_inferred=end_inferred)
    if entry is None:
        raise Conflict("No timer is running, so there is nothing to stop.", code="no_running_timer")
    return entry
