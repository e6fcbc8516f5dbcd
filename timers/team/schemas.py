"""Who is running what since when, on the wire."""

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
    def of_team(cls, found: TeamTimer, *, now: dt.datetime) -> Self:
        timer = RunningTimer.of(found.timer, user=found.user, now=now)
        user = TimerUser(id=str(found.user), display_name=found.display_name, email=found.email)
        return cls(**dict(timer), user=user)


class TimersPage(WireModel):
    items: list[RunningTimerOfUser]
    next_link: str | None = NEXT_LINK
