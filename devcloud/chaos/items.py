"""Compares the work item and the project of one person's time with those they asked for, wherever they are told."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from devcloud.chaos.history import STARTS, History, Operation
from devcloud.chaos.stored import Item, Kept, Row
from devcloud.chaos.violation import Violation, violation


@dataclass
class Items:
    """Nobody of the fleet moves time to another work item, so it stays on the one it was begun on."""

    history: History
    kept: Kept

    def violations(self) -> Iterator[Violation]:
        for asked in self.history.operations:
            for told in times(asked.answer):
                yield from self._differs("was told", told["id"], item_of(told), asked)
        for row in self.kept.log:
            yield from self._differs("is in the log", row.timer, row.item, row)
            if row.after is not None:
                yield from self._differs("is in the log", row.timer, item_of(row.after), row)
        for timer, item in self.kept.items.items():
            yield from self._differs("is kept", timer, item, timer)

    @cached_property
    def _asked(self) -> dict[str, Operation]:
        """By timer: what it was begun by, as the answer says, or the mark in its note."""
        begun = [each for each in self.history.operations if each.kind in STARTS or each.kind == "enter"]
        by_mark = {each.mark: each for each in begun}
        rows = [row for row in self.kept.log if row.note in by_mark]
        found = {row.timer: by_mark[row.note] for row in rows if row.note is not None}
        for each in begun:
            done = self.kept.answer_to(each)
            if done is not None:
                found.setdefault(done[1]["id"], each)
        return found

    def _differs(self, where: str, timer: str, item: Item, *about: Operation | Row | str) -> Iterator[Violation]:
        asked = self._asked.get(timer)
        if asked is None or asked.body is None:
            return
        wanted = item_of(asked.body)
        if item != wanted:
            detail = f"time on {item[0]} {item[1]} {where}, and {wanted[0]} {wanted[1]} was asked for"
            yield violation(self.history, "changed", detail, asked, *about)


def item_of(told: dict[str, Any]) -> Item:
    """The project and the work item of a timer, an entry, or a request for one."""
    return told["project"], told["workItemId"]


def times(answer: object) -> Iterator[dict[str, Any]]:
    """The timers and entries of an answer, however deep."""
    if isinstance(answer, dict):
        if "id" in answer and "workItemId" in answer:
            yield answer
        for each in answer.values():
            yield from times(each)
    elif isinstance(answer, list):
        for each in answer:
            yield from times(each)
