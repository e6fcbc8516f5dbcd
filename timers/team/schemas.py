"""Who is running what since when, on the wire."""

import datetime as dt
from typing import Annotated, Self

from pydantic import Field

from shared.http.wire import WireModel
from timers.schemas import RunningTimer
from timers.team.store import TeamTimer


class TimersQuery(WireModel):
    after: str | None = Field(None, description="where the page before ended; nextLink carries it")
    page_size: Annotated[int, Field(ge=1, le=200)] = 50


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
    next_link: str | None = Field(None, description="the next page; absent on the last")
