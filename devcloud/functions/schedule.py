"""The schedules of timer functions: NCRONTAB in UTC, one run of a function at a time."""

import asyncio
import datetime as dt
import logging
import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from croniter import CroniterError, croniter

from devcloud.functions.indexing import IndexingError
from devcloud.functions.worker import Function, InvocationFailed, Worker


NUMBERS = re.compile(r"[0-9*,/-]+")
NAMES = {4: r"jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec", 5: r"sun|mon|tue|wed|thu|fri|sat"}
WITH_SECONDS, WITHOUT_SECONDS = 6, 5
WEEKDAY = 5
LATE = dt.timedelta(seconds=1)
MINUTE = dt.timedelta(minutes=1)
LONGEST_SLEEP_SECONDS = 60.0  # after a sleep of the machine, at most a minute late

log = logging.getLogger("devcloud.timers")

Now = Callable[[], dt.datetime]


class ScheduleError(ValueError):
    """The text is not an NCRONTAB schedule; the message has the reason."""


class Schedule:
    """`{second} {minute} {hour} {day} {month} {weekday}`; day and weekday must both match, Sunday is 0."""

    def __init__(self, text: str) -> None:
        fields = text.split()
        if len(fields) == WITHOUT_SECONDS:
            fields.insert(0, "0")
        if len(fields) != WITH_SECONDS:
            raise ScheduleError(f"{text!r} is not a schedule: NCRONTAB has 6 fields, from seconds to weekday")
        for index, field in enumerate(fields):
            if wrong := _find_error(index, field):
                raise ScheduleError(f"{text!r} is not a schedule: {wrong}")
        self._expression = " ".join(fields)
        try:
            self.next(dt.datetime(2000, 1, 1, tzinfo=dt.UTC))
        except (CroniterError, ValueError, KeyError) as error:
            raise ScheduleError(f"{text!r} is not a schedule: {error}") from error

    def next(self, after: dt.datetime) -> dt.datetime:
        """The first occurrence later than an instant."""
        iterator = croniter(self._expression, after, day_or=False, second_at_beginning=True)
        occurrence: dt.datetime = iterator.get_next(dt.datetime)
        return occurrence

    def is_shorter_than(self, interval: dt.timedelta, *, now: dt.datetime) -> bool:
        first = self.next(now)
        return self.next(first) - first < interval


def _find_error(index: int, field: str) -> str:
    """The error of a field that croniter and NCRONTAB interpret differently."""
    if not NUMBERS.fullmatch(re.sub(NAMES.get(index, r"\Z"), "", field, flags=re.IGNORECASE) or "*"):
        return f"{field!r} holds more than * , - / numbers and names"
    if index == WEEKDAY and re.search("7", re.sub(r"/\d+", "", field)):
        return "weekdays are 0 to 6, Sunday is 0"
    if any(int(low) > int(high) for low, high in re.findall(r"(\d+)-(\d+)", field)):
        return f"the range {field!r} goes down"
    return ""


def resolve_settings(text: str, settings: Mapping[str, str]) -> str:
    """`%NAME%` replaced by the setting of that name, as the platform does.

    Raises:
        ScheduleError: the setting has no value.
    """

    def value(match: re.Match[str]) -> str:
        if not settings.get(match[1], "").strip():
            raise ScheduleError(f"the setting {match[1]} is not set")
        return settings[match[1]]

    return re.sub(r"%([^%]+)%", value, text)


class Timers:
    """The timer functions of an app: on request at any time, by schedule after `start`."""

    def __init__(self, worker: Worker, now: Now) -> None:
        self._worker = worker
        self._now = now
        self._functions = [function for function in worker.functions.values() if function.is_timer]
        self._by_name = {function.name.lower(): function for function in self._functions}
        self._locks = {function.name: asyncio.Lock() for function in self._functions}
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self) -> None:
        """Starts every schedule.

        Raises:
            IndexingError: a schedule cannot be read; nothing was started.
        """
        for function, schedule in [(function, parse_schedule(function)) for function in self._functions]:
            self._track_task(asyncio.ensure_future(self._follow(function, schedule)))

    def run_now(self, name: str) -> bool:
        """Starts a run on request; False for an unknown timer function."""
        function = self._by_name.get(name.lower())
        if function:
            self._track_task(asyncio.ensure_future(self.run(function)))
        return function is not None

    async def run(self, function: Function, *, past_due: bool = False, status: Mapping[str, str] | None = None) -> bool:
        """One run, after any run of the same function has ended; True when it succeeded."""
        async with self._locks[function.name]:
            try:
                await self._worker.timer(function, past_due=past_due, status=status)
            except InvocationFailed as failure:
                log.error("%s failed and waits for its next time: %s", function.name, failure)  # noqa: TRY400
                return False
            return True

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _follow(self, function: Function, schedule: Schedule) -> None:
        now = self._now()
        monitored = function.trigger.get("useMonitor", True) and not schedule.is_shorter_than(MINUTE, now=now)
        last = None
        if function.trigger.get("runOnStartup"):
            await self.run(function)
        due = schedule.next(now)
        while True:
            await self._until(due)
            started = self._now()
            status = _build_status(last, due, started) if monitored else None
            await self.run(function, past_due=started - due > LATE, status=status)
            last, due = due, schedule.next(started)

    async def _until(self, due: dt.datetime) -> None:
        while (left := (due - self._now()).total_seconds()) > 0:  # noqa: ASYNC110 - waits for the clock
            await asyncio.sleep(min(left, LONGEST_SLEEP_SECONDS))

    def _track_task(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def parse_schedule(function: Function) -> Schedule:
    """The schedule of a timer function, settings filled in.

    Raises:
        IndexingError: it cannot be read; the message names the function.
    """
    try:
        return Schedule(resolve_settings(str(function.trigger.get("schedule", "")), os.environ))
    except ScheduleError as error:
        raise IndexingError(f"the function {function.name} cannot be scheduled: {error}") from error


def check_schedules(functions: Iterable[Function]) -> None:
    """Raises IndexingError for a timer that could never run, as the platform does at its start."""
    for function in functions:
        if function.is_timer:
            parse_schedule(function)


def _build_status(last: dt.datetime | None, due: dt.datetime, now: dt.datetime) -> dict[str, str]:
    last_run = (last or due).isoformat()
    return {"Last": last_run, "Next": due.isoformat(), "LastUpdated": now.isoformat()}
