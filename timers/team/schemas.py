"""Running timers with their users on the wire."""

import datetime as dt
from typing import Self

from shared.http.paging import NEXT_LINK
from shared.http.wire import WireModel
from timers.schemas import RunningTimer
from timers.team.store import TeamTimer


class TimerUser(WireModel):
    id: str
    display_name: str
    email: str


class RunningTimerOfUser(RunningTimer):
    user: TimerUser

    @classmethod
    def of_team(cls, row: TeamTimer, *, now: dt.datetime) -> Self:
        timer = RunningTimer.of(row.timer, user=row.user, now=now)
        user = TimerUser(id=str(row.user), display_name=row.display_name, email=row.email)
        return cls(**dict(timer), user=user)


class TimersPage(WireModel):
    items: list[RunningTimerOfUser]
    next_link: str | None = NEXT_LINK
