"""Refused Marketplace events, on the wire."""

from typing import Literal

from shared.http.wire import Problem


class SeatsInUseProblem(Problem):
    code: Literal["seats_in_use"]
    seats_used: int
    seats_wanted: int
